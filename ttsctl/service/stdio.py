"""The service as a child process: JSON lines on stdin and stdout."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ttsctl.service.connection import Connection
from ttsctl.service.descriptors import Wake, is_gone, read_until, write_all
from ttsctl.service.outbox import Outbox, OutboxBrokenError
from ttsctl.service.service import STOP_TIMEOUT_S, Service


def serve_stdio(
    service: Service, requests: int, replies: int, on_ready: Callable[[], None]
) -> None:
    """Answer the one client until its input ends, it asks for the end, or it stops listening.

    At the end of the input what is in hand is finished first, however long it takes; where a
    shutdown or a signal ends it, in the time that `Service.stop` gives.

    Args:
        service: What answers; it is stopped in the end.
        requests: Descriptor to read from.
        replies: Descriptor to write to.
        on_ready: Called once the client may ask.

    Raises:
        SystemExit: A signal has ended it.
    """
    wake = Wake()

    def give_up() -> None:
        connection.abandon()
        wake.set()

    outbox = Outbox(lambda data: write_all(replies, data), on_broken=give_up)
    connection = Connection(service, outbox, on_shutdown=wake.set)
    on_ready()
    with wake.set_by_signals():
        try:
            with contextlib.suppress(OutboxBrokenError, _StoppedError):
                read_until(wake, requests, connection.feed, replies)
                connection.end(lambda: _is_over(wake, replies))
        finally:
            service.stop()
            with contextlib.suppress(OutboxBrokenError):
                connection.end(lambda: is_gone(replies))  # what was not finished in time says so
            outbox.close(STOP_TIMEOUT_S)
    wake.close()


class _StoppedError(Exception):
    """It is to end now, whatever is in hand."""


def _is_over(wake: Wake, replies: int) -> bool:
    if wake.is_set:
        raise _StoppedError
    return is_gone(replies)

"""Reading from a client and writing to it, while somebody may want that to end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_BLOCK_BYTES = 1 << 16
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group


class Wake:
    """A flag that is raised once, from any thread, and that poll(2) notices."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)  # a signal writes to it, too
        self.is_set = False

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._reader

    def set(self) -> None:
        """Raise the flag."""
        if not self.is_set:
            self.is_set = True
            os.write(self._writer, b"!")

    @contextlib.contextmanager
    def set_by_signals(self) -> Iterator[None]:
        """Have SIGINT and SIGTERM raise the flag, and end the process after the block.

        An exception, which they are otherwise, could come where a lock has just been taken, or be
        noticed only when poll(2) returns. A second signal is one: it ends the process at once.
        Outside of the main thread, to which signals go, this does nothing.

        Raises:
            SystemExit: There was a signal.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        caught: list[int] = []

        def catch(number: int, _frame: FrameType | None) -> None:
            caught.append(number)
            if len(caught) > 1:
                raise SystemExit(128 + number)
            self.set()

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {each: handler for each in numbers if callable(handler := signal.getsignal(each))}
        for number in before:
            signal.signal(number, catch)
        wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
        if caught:
            raise SystemExit(128 + caught[0])

    def close(self) -> None:
        """Free the descriptors."""
        os.close(self._reader)
        os.close(self._writer)


def read_until(
    wake: Wake, descriptor: int, take: Callable[[bytes], None], replies: int | None = None
) -> None:
    """Hand what comes from `descriptor` to `take`, until its end, or until `wake` is raised.

    Args:
        wake: Ends the reading.
        descriptor: Where to read.
        take: Called with what was there.
        replies: Where the answers go; nothing more is read where nobody is left to read them.
    """
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    poller.register(wake, select.POLLIN)
    if replies is not None:
        poller.register(replies, 0)  # of its end, poll(2) tells without being asked
    while True:
        ready = [number for number, _ in poller.poll()]
        if wake.fileno() in ready or replies in ready:
            return
        data = os.read(descriptor, _BLOCK_BYTES)
        if not data:
            return
        take(data)


def is_gone(descriptor: int) -> bool:
    """Tell whether nobody is left to read what is written to a pipe or a socket."""
    poller = select.poll()
    poller.register(descriptor, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poller.poll(0))


def is_same_user(connection: socket.socket) -> bool:
    """Ask the kernel who is at the other end; elsewhere the folder's mode has to do."""
    if sys.platform != "linux":
        return True
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(data)[1] == os.getuid())


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data`, however many calls it takes.

    Raises:
        OSError: It cannot be written.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

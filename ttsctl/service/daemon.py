"""The service as a daemon: a Unix socket that only its user can reach."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ttsctl.errors import BusyError, OutputError
from ttsctl.files import locked, make_folder, reason
from ttsctl.service import protocol
from ttsctl.service.connection import Connection
from ttsctl.service.descriptors import Wake, is_gone, is_same_user, read_until, write_all
from ttsctl.service.outbox import Outbox, OutboxBrokenError
from ttsctl.service.protocol import Absent
from ttsctl.service.service import STOP_TIMEOUT_S, Service

MAX_CONNECTIONS = 64
_BACKLOG = 1024  # who finds it full is not even told that the daemon is
MAX_PATH_BYTES = 100  # sun_path of sockaddr_un holds 104 on macOS, 108 on Linux
_LOOK_EVERY_S = 1.0

MakeConnection = Callable[[Outbox, Callable[[], None]], Connection]

_logger = logging.getLogger(__name__)


@contextmanager
def listening(path: Path, prepare: Callable[[], None] = lambda: None) -> Iterator[socket.socket]:
    """Listen at `path` for the length of the block; the socket is removed at the end.

    `prepare` is called when it is certain that nobody else does, and before anybody can ask.

    A lock beside it, held by the process, tells a socket that is in use from one that a killed
    daemon has left behind.

    Raises:
        BusyError: Another daemon is there; the message has its process id.
        OutputError: The folder cannot be made or is not the user's alone; the path is too long, or
            leads to something that is no socket.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise OutputError(f"'{path}' is too long for a socket; use one of up to 100 bytes")
    _require_private(path.parent)
    if os.path.lexists(path) and not path.is_socket():
        raise OutputError(f"cannot listen at {path}: something else has that name")
    with locked(path.with_name(f"{path.name}.lock"), "ttsctl daemon"):
        prepare()
        listener = socket.socket(socket.AF_UNIX)
        try:
            _bind(listener, path)
            yield listener
        finally:
            listener.close()
            path.unlink(missing_ok=True)


class Daemon:
    """Answers all who connect to a socket, until told to stop.

    Args:
        service: What answers; it is stopped in the end.
        connect: Makes a connection of an outbox and what a shutdown calls.
        idle_timeout_s: The daemon ends after so many seconds without a request; None for never.
    """

    def __init__(
        self, service: Service, connect: MakeConnection, idle_timeout_s: float | None = None
    ) -> None:
        self._service = service
        self._connect = connect
        self._idle_timeout_s = idle_timeout_s
        self._wake = Wake()
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()

    def serve(self, listener: socket.socket) -> None:
        """Accept clients until `stop`; what is in hand then is finished first.

        Raises:
            SystemExit: A signal has ended it.
        """
        listener.setblocking(False)
        self._service.used_at = time.monotonic()  # to load voices is no idleness
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        with self._wake.set_by_signals():
            try:
                while not (self._wake.is_set or self._is_idle()):
                    poller.poll(_LOOK_EVERY_S * 1000)
                    self._accept(listener)
            finally:
                listener.close()
                self.stop()  # its idle time is over, perhaps, and clients wait for what is next
                self._service.stop()
                self._let_go()

    def stop(self) -> None:
        """End `serve`, from any thread."""
        self._wake.set()

    def _is_idle(self) -> bool:
        if self._idle_timeout_s is None or self._service.turns.inside:
            return False
        return time.monotonic() - self._service.used_at > self._idle_timeout_s

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            _logger.warning("a client could not be taken: %s", reason(error))
            time.sleep(_LOOK_EVERY_S)  # no descriptor is left, perhaps: the next try would fail too
            return
        client.setblocking(True)
        if not is_same_user(client):
            _logger.warning("a connection of another user was refused")
            client.close()
            return
        with self._lock:
            is_full = len(self._clients) >= MAX_CONNECTIONS
            if not is_full:
                self._clients.add(client)
        if is_full:
            _refuse(client)
        else:
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        """Answer one client to its end. Runs in a thread of its own."""
        descriptor = client.fileno()

        def give_up() -> None:
            connection.abandon()
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        outbox = Outbox(lambda data: write_all(descriptor, data), on_broken=give_up)
        connection = self._connect(outbox, self.stop)
        try:
            with contextlib.suppress(OSError, OutboxBrokenError):
                read_until(self._wake, descriptor, connection.feed)
            with contextlib.suppress(OutboxBrokenError):
                connection.end(lambda: is_gone(descriptor))
        finally:
            outbox.close(STOP_TIMEOUT_S)
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _let_go(self) -> None:
        """Wait until the last replies are on their way."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._clients and time.monotonic() < deadline:
            time.sleep(0.02)


def _require_private(folder: Path) -> None:
    """Make `folder`, or check that nobody else can put a socket there."""
    try:
        make_folder(folder, 0o700)
        status = os.lstat(folder)
    except OSError as error:
        raise OutputError(f"cannot use folder {folder}: {reason(error)}") from error
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise OutputError(
            f"folder {folder} belongs to another user, or others may write to it;"
            " use --socket in a folder of your own"
        )


def _bind(listener: socket.socket, path: Path) -> None:
    try:
        path.unlink(missing_ok=True)  # of a daemon that was killed: the lock is ours
        before = os.umask(0o177)
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise OutputError(f"cannot listen at {path}: {reason(error)}") from error


def _refuse(client: socket.socket) -> None:
    error = BusyError(f"{MAX_CONNECTIONS} clients are connected already; try again later")
    with contextlib.suppress(OSError):
        client.send(protocol.encode(protocol.failure(Absent.ABSENT, error)), socket.MSG_DONTWAIT)
    client.close()

"""What leaves a connection: put by many threads, written in that order by one of its own.

A client that reads slowly holds up those who put, so that memory stays bounded; one that does not
read at all is given up, so that nobody is held up for ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_WRITE_BYTES = 64 << 10  # many small lines go out in one write, and a long one shows its progress


class OutboxBrokenError(Exception):
    """Nothing more can be put: the client is gone or does not read, or the outbox is closed."""


class Outbox:
    """A bounded queue of bytes and the daemon thread that writes them. Safe to share.

    Args:
        write: Writes all that it is given, or raises `OSError` or `ValueError`; it may block.
            Called by the outbox's thread only.
        limit_bytes: Most that is held, what is being written included; one put that is longer is
            let in when there is nothing else.
        stall_s: How long somebody may wait to put while no write comes to its end.
        on_broken: Called once, by any thread that puts or by the outbox's own, with no lock held,
            when a write fails or stalls. It should make a write that blocks return.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        limit_bytes: int = 32 << 20,
        stall_s: float = 10.0,
        on_broken: Callable[[], None],
    ) -> None:
        self._write, self._on_broken = write, on_broken
        self._limit_bytes, self._stall_s = limit_bytes, stall_s
        self._waiting: deque[bytes | memoryview] = deque()
        self._size_bytes = 0  # of what waits and of what is being written
        self._turns: deque[object] = deque()  # of those who wait to put, first come first served
        self._progress_at = 0.0
        self._broken: str | None = None
        self._is_closed = False
        lock = threading.Lock()
        self._filled = threading.Condition(lock)  # what the thread waits for
        self._drained = threading.Condition(lock)  # what everybody else waits for
        self._thread = threading.Thread(target=self._work, name="ttsctl-outbox", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Have `data` written in its turn; blocks while too much is waiting.

        Raises:
            OutboxBrokenError: It will not be written: the outbox is broken or closed.
        """
        with self._filled:
            self._require_whole()
            if self._is_closed:
                raise OutboxBrokenError("the connection is closed")
            is_stalled = not self._enter(data)
        if is_stalled:
            self._break(f"the client has read nothing for {self._stall_s:g} s; read its answers")
            raise OutboxBrokenError(self._broken or "")

    def close(self, timeout_s: float) -> bool:
        """Wait until all that was put is written, and end the thread; tell whether it was.

        What is not written by then is dropped. May be called again, and by `on_broken`.
        """
        deadline = time.monotonic() + timeout_s
        with self._drained:
            self._is_closed = True
            self._filled.notify()
            self._drained.wait_for(lambda: self._broken is not None or self._is_empty(), timeout_s)
            if self._broken is None and not self._is_empty():
                self._drop("the connection was closed before all was written")
            is_written = self._broken is None
        if is_written:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return is_written

    def _enter(self, data: bytes) -> bool:
        """Queue `data` when there is room; False where the writer stalls. Holds the lock."""
        if not self._turns and self._has_room(len(data)):
            self._append(data)
            return True
        turn = object()
        self._turns.append(turn)
        try:
            has_room = self._wait_for_room(turn, len(data))
            if has_room:
                self._append(data)
        finally:
            self._turns.remove(turn)
            self._drained.notify_all()
            self._filled.notify()
        return has_room

    def _wait_for_room(self, turn: object, size_bytes: int) -> bool:
        asked_at = time.monotonic()
        while self._turns[0] is not turn or not self._has_room(size_bytes):
            patience_s = max(asked_at, self._progress_at) + self._stall_s - time.monotonic()
            if patience_s <= 0:
                return False
            self._drained.wait(patience_s)
            self._require_whole()
        return True

    def _has_room(self, size_bytes: int) -> bool:
        return not self._size_bytes or self._size_bytes + size_bytes <= self._limit_bytes

    def _append(self, data: bytes) -> None:
        if not self._waiting:
            self._filled.notify()
        self._waiting.append(data)
        self._size_bytes += len(data)

    def _require_whole(self) -> None:
        if self._broken is not None:
            raise OutboxBrokenError(self._broken)

    def _is_empty(self) -> bool:
        return not self._size_bytes and not self._turns

    def _work(self) -> None:
        """Write what is put until the outbox is broken, or closed and empty. Runs in the thread."""
        try:
            while (data := self._take()) is not None:
                self._write(data)
                self._note_written(len(data))
        except (OSError, ValueError) as error:
            self._break(f"cannot write to the client: {str(error).lower()}")

    def _take(self) -> bytes | None:
        """Return what to write next, or None where there will be no more."""
        with self._filled:
            while not self._waiting:
                if self._broken is not None or (self._is_closed and not self._turns):
                    return None
                self._filled.wait()
            parts, room_bytes = [], _WRITE_BYTES
            while self._waiting and room_bytes:
                part = self._waiting.popleft()
                if len(part) > room_bytes:
                    # A view, because cutting bytes again and again would copy their rest each time.
                    view = memoryview(part)
                    self._waiting.appendleft(view[room_bytes:])
                    part = view[:room_bytes]
                parts.append(part)
                room_bytes -= len(part)
            return b"".join(parts)

    def _note_written(self, size_bytes: int) -> None:
        with self._drained:
            self._progress_at = time.monotonic()
            if self._broken is None:
                self._size_bytes -= size_bytes
                self._drained.notify_all()

    def _break(self, message: str) -> None:
        with self._drained:
            if self._broken is not None:
                return
            self._drop(message)
        self._on_broken()

    def _drop(self, message: str) -> None:
        """Refuse what comes from now on, and forget what waits. Holds the lock."""
        self._broken = message
        self._waiting.clear()
        self._size_bytes = 0
        self._drained.notify_all()
        self._filled.notify()

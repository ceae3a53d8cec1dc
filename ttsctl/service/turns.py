"""Who may work and who has to wait: a bounded queue, first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ttsctl.errors import BusyError
from ttsctl.patience import Patience

_CHECK_EVERY_S = 0.2


class Turns:
    """Lets a number of requests work at the same time, and a number wait.

    A request first comes in, or is turned away; then it waits for its turn. One that needs no
    engine leaves without having waited. Safe to share between threads.

    Args:
        at_once: How many may work at the same time.
        max_waiting: How many may be in here besides.
    """

    def __init__(self, at_once: int, max_waiting: int) -> None:
        self._at_once = at_once
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._inside = 0
        self._working = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    @property
    def inside(self) -> int:
        """How many have come in and not left."""
        return self._inside

    def come_in(self) -> None:
        """Take up one of the places; `leave` frees it.

        Raises:
            BusyError: All are taken, or no more requests are let in.
        """
        with self._changed:
            if self._is_closed:
                raise BusyError("the service is shutting down; nothing new is taken")
            if self._inside >= self._at_once + self._max_waiting:
                raise BusyError(
                    f"{self._max_waiting} requests wait already; try again in a second or two"
                )
            self._inside += 1

    def leave(self) -> None:
        """Free the place that `come_in` took."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    @contextmanager
    def turn(self, patience: Patience) -> Iterator[None]:
        """Work for the length of the block, once those who came before are done or at work.

        Raises:
            CancelledError: Patience ended before.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._working >= self._at_once or self._queue[0] is not ticket:
                    self._changed.wait(_CHECK_EVERY_S)
                    patience.check()
                self._working += 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._is_closed = True

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until all have left; False where that takes longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._inside == 0, timeout_s)

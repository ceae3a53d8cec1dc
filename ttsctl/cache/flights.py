"""One at a time for each key, among the threads of a process.

Across processes a lock file does the same, but its waiters have to ask again and again; those of
the same process are told.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Check = Callable[[], None]

_CHECK_EVERY_S = 0.05


class Flights:
    """The keys that somebody is at work on. Safe to share between threads."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def alone(self, key: str, timeout_s: float, check: Check) -> Iterator[bool]:
        """Hold `key` for the length of the block; False where it was not to be had in time.

        `check` is called now and then in the meantime; what it raises ends the wait.
        """
        with self._lock:
            flight = self._flights.setdefault(key, _Flight())
            flight.passengers += 1
        is_held = False
        try:
            is_held = _acquire(flight.lock, timeout_s, check)
            yield is_held
        finally:
            if is_held:
                flight.lock.release()
            with self._lock:
                flight.passengers -= 1
                if not flight.passengers:
                    del self._flights[key]


@dataclass
class _Flight:
    lock: threading.Lock = field(default_factory=threading.Lock)
    passengers: int = 0


def _acquire(lock: threading.Lock, timeout_s: float, check: Check) -> bool:
    deadline = time.monotonic() + timeout_s
    while not lock.acquire(timeout=max(0.0, min(deadline - time.monotonic(), _CHECK_EVERY_S))):
        check()
        if time.monotonic() >= deadline:
            return False
    return True

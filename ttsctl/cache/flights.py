"""One at a time for each key, among the threads of a process.

Across processes a lock file does the same, but its waiters have to ask again and again; those of
the same process are told.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


class Flights:
    """The keys that somebody is at work on. Safe to share between threads."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def alone(self, key: str, timeout_s: float) -> Iterator[bool]:
        """Hold `key` for the length of the block; False where it was not to be had in time."""
        with self._lock:
            flight = self._flights.setdefault(key, _Flight())
            flight.passengers += 1
        is_held = flight.lock.acquire(timeout=timeout_s)
        try:
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

"""The cache that is switched off, so that nobody has to ask whether it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ttsctl.cache.flights import Check
from ttsctl.cache.record import Record


class NullCache:
    """A cache that is off: it remembers nothing."""

    def get(self, key: str) -> None:
        """Return nothing."""

    def contains(self, key: str) -> bool:
        """Return False."""
        return False

    def put(self, key: str, record: Record) -> None:
        """Forget the record at once."""

    @contextlib.contextmanager
    def single_flight(
        self, key: str, timeout_s: float, check: Check = lambda: None
    ) -> Iterator[bool]:
        """Hold nothing back."""
        yield False

    def is_stored(self, key: str) -> bool:
        """Return False."""
        return False

    def flush(self) -> None:
        """Do nothing."""

    def pin(self, key: str) -> None:
        """Pin nothing: nothing is kept."""

    def close_thread(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> NullCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""The first tier: records in memory, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

from ttsctl.cache.record import Record

_OVERHEAD_BYTES = 1536  # what a record costs besides its payload: key, metadata, dictionary slot
_WORD_BYTES = 256  # what one word costs: its text, two numbers, the object


class MemoryTier:
    """The records used last, as many as fit. Safe to share between threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """What the records take, overhead included; never more than the limit."""
        return self._size_bytes

    def get(self, key: str) -> Record | None:
        """Return the record of that key, which is now the one used last."""
        with self._lock:
            record = self._records.get(key)
            if record is not None:
                self._records.move_to_end(key)
            return record

    def put(self, key: str, record: Record) -> None:
        """Keep the record and let others go for it; one larger than the whole tier is not kept."""
        with self._lock:
            self._drop(key)
            if _cost(record) > self._limit_bytes:
                return
            while self._size_bytes + _cost(record) > self._limit_bytes:
                self._drop(next(iter(self._records)))
            self._records[key] = record
            self._size_bytes += _cost(record)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
            self._size_bytes = 0

    def _drop(self, key: str) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self._size_bytes -= _cost(record)


def _cost(record: Record) -> int:
    return len(record.payload) + len(record.words) * _WORD_BYTES + _OVERHEAD_BYTES

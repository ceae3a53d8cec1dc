"""The second tier: records on disk, bounded in bytes and in number."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ttsctl.cache import audit, database
from ttsctl.cache import folder as folders
from ttsctl.cache.audit import Problem
from ttsctl.cache.disk import Clock, Store
from ttsctl.cache.eviction import CacheLimits, Entry, victims
from ttsctl.cache.record import DamagedRecordError, Record, pack, unpack
from ttsctl.cache.usage import UsageReport

FreeSpace = Callable[[Path], tuple[int, int]]  # free and total bytes of the disk that holds a path

_LOW_SHARE, _LOW_BYTES = 0.05, 500 * 10**6  # leave the rest of the system that much, or this share

_log = logging.getLogger("ttsctl.cache")


class DiskTier:
    """Records in a folder. A read that fails is a miss; a write that fails is dropped."""

    def __init__(
        self, folder: Path, limits: CacheLimits, clock: Clock, free_space: FreeSpace
    ) -> None:
        self._store = Store(folder, clock)
        self._limits = limits
        self._clock = clock
        self._free_space = free_space

    def get(self, key: str) -> Record | None:
        """Return the record of that key; a damaged one is removed and is none."""
        return self._store.attempt("read from", lambda cache: self._read(cache, key), None)

    def entry(self, key: str) -> Entry | None:
        """Return the entry of that key as the index has it; its value is not looked at."""
        return self._store.query(lambda connection: database.entry(connection, key), None)

    def put(self, key: str, record: Record) -> None:
        """Store the record; if it is too large, only its predecessor goes."""
        blob = pack(key, record)
        if len(blob) > self._limits.largest_bytes:
            self._store.query(lambda connection: self._drop(connection, [key]), None)
            return

        def write(cache: Any) -> None:
            self._require_room()
            cache.set(key, blob, tag=record.metadata.to_json())

        self._store.attempt("write to", write, None)

    def is_over_limit(self) -> bool:
        """Tell whether it is time to `evict`."""
        return self._store.query(lambda c: self._limits.is_exceeded(*database.totals(c)), False)

    def evict(self, newest: str) -> list[Entry]:
        """Delete entries until the limits hold, but not the one with the key `newest`."""
        return self.forget(victims(self.entries(), self._limits, self._clock(), newest))

    def entries(self) -> list[Entry]:
        """Return all entries; none where the store cannot be read."""
        return self._store.query(database.entries, [])

    def forget(self, gone: list[Entry]) -> list[Entry]:
        """Delete these entries and return them; none where the store cannot be written."""

        def delete(connection: sqlite3.Connection) -> list[Entry]:
            self._drop(connection, [entry.key for entry in gone])
            return gone

        return self._store.query(delete, []) if gone else []

    def pin(self, key: str) -> None:
        """Keep the entry of that key from ever being evicted; it may be stored later."""
        self._store.query(lambda connection: database.pin(connection, key), None)

    def unpin(self, key: str) -> None:
        """Undo `pin`."""
        self._store.query(lambda connection: database.unpin(connection, key), None)

    def is_pinned(self, key: str) -> bool:
        """Tell whether the key is pinned."""
        return self._store.query(lambda connection: database.is_pinned(connection, key), False)

    def counters(self) -> dict[str, int]:
        """Return the hits and misses that all processes have saved."""
        return self._store.query(database.counters, {})

    def save_usage(self, report: UsageReport) -> None:
        """Add the report to what is saved."""
        self._store.query(lambda connection: database.save_usage(connection, report), None)

    def verify(self, *, fix: bool) -> list[Problem]:
        """Return every broken invariant, and mend them where `fix`.

        A database too damaged to open is set aside whether or not `fix`, as it is on any use.
        """
        unknown = [Problem("store", str(self._store.folder), "it cannot be opened")]
        found = self._store.query(
            lambda c: audit.verify(self._store.folder, c, self._clock(), fix=fix), unknown
        )
        damage = self._store.take_damage()
        return damage + [problem for problem in found if not damage or problem not in unknown]

    def prepare(self) -> bool:
        """Make the folder, and tell whether it can be used."""
        return self._store.attempt("open", lambda _: True, False)

    def close_thread(self) -> None:
        """Close the calling thread's connection; a later call opens it again."""
        self._store.close_thread()

    def _read(self, cache: Any, key: str) -> Record | None:
        try:
            blob = cache.get(key)
            return None if blob is None else unpack(key, blob)
        except DamagedRecordError as error:
            _log.info("dropped a damaged cache record: %s", error)
            with database.connected(self._store.folder) as connection:
                self._drop(connection, [key])
            return None

    def _drop(self, connection: sqlite3.Connection, keys: list[str]) -> None:
        for name in database.forget(connection, keys):
            folders.remove_value(self._store.folder, name)

    def _require_room(self) -> None:
        free, total = self._free_space(self._store.folder)
        if free < min(total * _LOW_SHARE, _LOW_BYTES):
            raise OSError("the disk is nearly full")

"""The second tier: records on disk, in diskcache, behind a check at every door.

diskcache is quick, safe between processes and crash-proof, but trusts its folder: it unpickles what
it finds there (CVE-2025-69872) and opens any file that a row names. Here it stores bytes only, a
row of any other kind is damage, and no failure leaves this module: a read that fails is a miss, a
write that fails is dropped, and the log has one warning of each kind.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import diskcache

from ttsctl.cache import audit, database
from ttsctl.cache import folder as folders
from ttsctl.cache.audit import Problem
from ttsctl.cache.eviction import CacheLimits, Entry, victims
from ttsctl.cache.folder import DamagedStoreError
from ttsctl.cache.record import DamagedRecordError, Record, pack, unpack
from ttsctl.cache.schema import SETTINGS
from ttsctl.cache.usage import UsageReport

T = TypeVar("T")
Clock = Callable[[], float]
FreeSpace = Callable[[Path], tuple[int, int]]  # free and total bytes of the disk that holds a path

_RETRY_S = 30.0  # after a failure to open: each attempt may cost a second of waiting for a lock
_LOW_SHARE, _LOW_BYTES = 0.05, 500 * 10**6  # leave the rest of the system that much, or this share

# sqlite3 decodes messages that quote the database, which may be too damaged for that.
_STORE_ERRORS = (sqlite3.Error, DamagedStoreError, UnicodeDecodeError)

_log = logging.getLogger("ttsctl.cache")


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Values are bytes, each in a file of its own; keys are strings; nothing is ever unpickled."""

    def get(self, key: object, raw: object) -> str:
        """Return the key of a row."""
        if raw != 1 or not isinstance(key, str):
            raise DamagedRecordError("a row's key is not a string")
        return key

    def store(self, value: bytes, read: bool, key: object = None) -> tuple[int, int, str, None]:
        """Write `value` to a new file and return the columns that describe it."""
        name = folders.write_value(Path(self._directory), value)
        return len(value), diskcache.core.MODE_BINARY, name, None

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        """Return the bytes that a row stands for."""
        if mode != diskcache.core.MODE_BINARY or not isinstance(filename, str):
            raise DamagedRecordError("a row that does not name a file of bytes")
        return folders.read_value(Path(self._directory), filename)

    def remove(self, file_path: str) -> None:
        """Remove a value file, and nothing else, whatever the row says."""
        folders.remove_value(Path(self._directory), file_path)


class _OutOfUseError(Exception):
    """The store could not be opened a moment ago."""


class DiskTier:
    """Records in a folder that threads and processes share. Opened on first use."""

    def __init__(
        self, folder: Path, limits: CacheLimits, clock: Clock, free_space: FreeSpace
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._free_space = free_space
        self._opening = threading.Lock()
        self._store: Any = None
        self._identity: folders.Identity | None = None
        self._failed_s: float | None = None
        self._warned: set[str] = set()
        self._damage: list[Problem] = []

    def get(self, key: str) -> Record | None:
        """Return the record of that key; a damaged one is removed and is none."""
        return self._attempt("read from", lambda store: self._read(store, key), None)

    def put(self, key: str, record: Record) -> None:
        """Store the record; if it is too large, only its predecessor goes."""
        blob = pack(key, record)
        if len(blob) > self._limits.largest_bytes:
            self._query(lambda connection: self._drop(connection, [key]), None)
            return

        def write(store: Any) -> None:
            self._require_room()
            store.set(key, blob, tag=record.metadata.to_json())

        self._attempt("write to", write, None)

    def is_over_limit(self) -> bool:
        """Tell whether it is time to `evict`."""
        return self._query(lambda c: self._limits.is_exceeded(*database.totals(c)), False)

    def evict(self, newest: str) -> list[Entry]:
        """Delete entries until the limits hold, but not the one with the key `newest`."""
        return self.forget(victims(self.entries(), self._limits, self._clock(), newest))

    def entries(self) -> list[Entry]:
        """Return all entries; none where the store cannot be read."""
        return self._query(database.entries, [])

    def forget(self, gone: list[Entry]) -> list[Entry]:
        """Delete these entries and return them; none where the store cannot be written."""

        def delete(connection: sqlite3.Connection) -> list[Entry]:
            self._drop(connection, [entry.key for entry in gone])
            return gone

        return self._query(delete, []) if gone else []

    def pin(self, key: str) -> None:
        """Keep the entry of that key from ever being evicted; it may be stored later."""
        self._query(lambda connection: database.pin(connection, key), None)

    def unpin(self, key: str) -> None:
        """Undo `pin`."""
        self._query(lambda connection: database.unpin(connection, key), None)

    def is_pinned(self, key: str) -> bool:
        """Tell whether the key is pinned."""
        return self._query(lambda connection: database.is_pinned(connection, key), False)

    def counters(self) -> dict[str, int]:
        """Return the hits and misses that all processes have saved."""
        return self._query(database.counters, {})

    def save_usage(self, report: UsageReport) -> None:
        """Add the report to what is saved."""
        self._query(lambda connection: database.save_usage(connection, report), None)

    def verify(self, *, fix: bool) -> list[Problem]:
        """Return every broken invariant, and mend them where `fix`.

        A database too damaged to open is set aside whether or not `fix`, as it is on any use.
        """
        unknown = [Problem("store", str(self._folder), "it cannot be opened")]
        found = self._query(
            lambda c: audit.verify(self._folder, c, self._clock(), fix=fix), unknown
        )
        damage, self._damage = self._damage, []
        return damage + [problem for problem in found if not damage or problem not in unknown]

    def prepare(self) -> bool:
        """Make the folder, and tell whether it can be used."""
        return self._attempt("open", lambda _: True, False)

    def close_thread(self) -> None:
        """Close the calling thread's connection; a later call opens it again."""
        if self._store is not None:
            with contextlib.suppress(sqlite3.Error):
                self._store.close()

    def _read(self, store: Any, key: str) -> Record | None:
        try:
            blob = store.get(key)
            return None if blob is None else unpack(key, blob)
        except DamagedRecordError as error:
            _log.info("dropped a damaged cache record: %s", error)
            with database.connected(self._folder) as connection:
                self._drop(connection, [key])
            return None

    def _drop(self, connection: sqlite3.Connection, keys: list[str]) -> None:
        for name in database.forget(connection, keys):
            folders.remove_value(self._folder, name)

    def _require_room(self) -> None:
        free, total = self._free_space(self._folder)
        if free < min(total * _LOW_SHARE, _LOW_BYTES):
            raise OSError("the disk is nearly full")

    def _query(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        def query(_: Any) -> T:
            with database.connected(self._folder) as connection:
                return action(connection)

        return self._attempt("use", query, otherwise)

    def _attempt(self, verb: str, action: Callable[[Any], T], otherwise: T) -> T:
        """Do the action on the open store; where that fails, warn and return `otherwise`."""
        try:
            return action(self._opened())
        except _OutOfUseError:
            pass  # the log has it already
        except (OSError, diskcache.Timeout, *_STORE_ERRORS) as error:
            self._recover(verb, error)
        return otherwise

    def _opened(self) -> Any:
        with self._opening:
            # Another process may have set a damaged store aside, or removed the folder.
            if self._store is None or self._identity != folders.database_identity(self._folder):
                self._open()
            return self._store

    def _open(self) -> None:
        now_s = self._clock()
        if self._failed_s is not None and 0 <= now_s - self._failed_s < _RETRY_S:
            raise _OutOfUseError
        self._failed_s = now_s
        try:
            self._open_checked()
        except _STORE_ERRORS as error:
            if not _is_damage(error):
                raise
            self._set_aside(error)
            self._open_checked()
        self._failed_s = None

    def _open_checked(self) -> None:
        self.close_thread()
        self._identity = folders.database_identity(self._folder)
        folders.prepare(self._folder)
        self._identity = folders.database_identity(self._folder)
        # diskcache would wait a minute for the lock; this waits a second and comes first. Held open
        # until diskcache is done, or closing and opening there would each write the database back.
        with database.connected(self._folder) as connection:
            database.make_safe(connection)
            self._store = diskcache.Cache(
                str(self._folder), timeout=database.LOCK_WAIT_S, disk=BytesDisk, **SETTINGS
            )

    def _recover(self, verb: str, error: Exception) -> None:
        """Leave nothing of a failed action behind: a half-done transaction would fail the next."""
        why = str(error) or "it is locked"
        self._warn(f"{verb} {type(error)}", f"cannot {verb} the cache in {self._folder}: {why}")
        self.close_thread()
        if _is_damage(error):
            with contextlib.suppress(OSError):
                self._set_aside(error)

    def _set_aside(self, error: Exception) -> None:
        aside = folders.set_aside(self._folder, self._identity, self._clock())
        if aside is not None:
            self._damage.append(Problem("store", str(aside), f"{error}; a new cache was begun"))
            self._warn("damage", f"the cache was damaged ({error}) and moved to {aside}")

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("%s", message)


def _is_damage(error: Exception) -> bool:
    """Tell a file that is no sound database from one that is locked, full or out of reach."""
    # SQLITE_CORRUPT and SQLITE_NOTADB are raised as this class itself, all else as a subclass.
    damaged = isinstance(error, (DamagedStoreError, UnicodeDecodeError))
    return damaged or type(error) is sqlite3.DatabaseError

"""diskcache, with a check at every door.

diskcache is quick, safe between processes and crash-proof, but trusts its folder: it unpickles what
it finds there (CVE-2025-69872) and opens any file that a row names. Here it stores bytes only, a
row of any other kind is damage, and a damaged database makes room for a new one.
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

from ttsctl.cache import database, locks
from ttsctl.cache import folder as folders
from ttsctl.cache.audit import Problem
from ttsctl.cache.folder import DamagedStoreError
from ttsctl.cache.record import DamagedRecordError
from ttsctl.cache.schema import SETTINGS
from ttsctl.files import reason

T = TypeVar("T")
Clock = Callable[[], float]

_RETRY_S = 30.0  # after a failure to open: each attempt may cost a second of waiting for a lock

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


class Store:
    """A folder that threads and processes share, opened on first use.

    No failure leaves it: what cannot be done is not done, with one warning of each kind in the log.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock
        self._opening = threading.Lock()
        self._cache: Any = None
        self._identity: folders.Identity | None = None
        self._failed_s: float | None = None
        self._warned: set[str] = set()
        self._damage: list[Problem] = []

    def attempt(self, verb: str, action: Callable[[Any], T], otherwise: T) -> T:
        """Do the action on the open `diskcache.Cache`; where that fails, return `otherwise`.

        Args:
            verb: What it does, for the warning: "read from".
            action: What to do.
            otherwise: What stands for a result where there is none.
        """
        try:
            return action(self._opened())
        except _OutOfUseError:
            pass  # the log has it already
        except (OSError, diskcache.Timeout, *_STORE_ERRORS) as error:
            self._recover(verb, error)
        return otherwise

    def query(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do the action on a database connection of its own; else return `otherwise`."""

        def query(_: Any) -> T:
            with database.connected(self.folder) as connection:
                return action(connection)

        return self.attempt("use", query, otherwise)

    def take_damage(self) -> list[Problem]:
        """Return, once, what had to be set aside."""
        damage, self._damage = self._damage, []
        return damage

    def close_thread(self) -> None:
        """Close the calling thread's connection; a later call opens it again."""
        if self._cache is not None:
            with contextlib.suppress(sqlite3.Error):
                self._cache.close()

    def _opened(self) -> Any:
        with self._opening:
            # Another process may have set a damaged store aside, or removed the folder.
            if self._cache is None or self._identity != folders.database_identity(self.folder):
                self._open()
            return self._cache

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
        self._identity = folders.database_identity(self.folder)
        folders.prepare(self.folder)
        self._identity = folders.database_identity(self.folder)
        # One at a time: an opening is some thirty small writes, and many at once would starve.
        with locks.held(self.folder / folders.LOCKS / "opening", database.LOCK_WAIT_S):
            self._cache = self._connect()

    def _connect(self) -> Any:
        # diskcache would wait a minute for the lock; this waits a second and comes first. Held open
        # until diskcache is done, or closing and opening there would each write the database back.
        with database.connected(self.folder) as connection:
            database.make_safe(connection)
            return diskcache.Cache(
                str(self.folder), timeout=database.LOCK_WAIT_S, disk=BytesDisk, **SETTINGS
            )

    def _recover(self, verb: str, error: Exception) -> None:
        """Leave nothing of a failed action behind: a half-done transaction would fail the next."""
        why = reason(error) if isinstance(error, OSError) else str(error) or "it is locked"
        self._warn(f"{verb} {type(error)}", f"cannot {verb} the cache in {self.folder}: {why}")
        self.close_thread()
        if _is_damage(error):
            with contextlib.suppress(OSError):
                self._set_aside(error)

    def _set_aside(self, error: Exception) -> None:
        aside = folders.set_aside(self.folder, self._identity, self._clock())
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

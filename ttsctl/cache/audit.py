"""The store proves itself: every invariant checked, and mended on request."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ttsctl.cache import database
from ttsctl.cache.folder import DamagedStoreError, is_value_name, read_value, remove_value
from ttsctl.cache.key import is_key
from ttsctl.cache.record import DamagedRecordError, Metadata, unpack

_MODE_BINARY = 2  # diskcache's mark for a value that is bytes in a file
_GRACE_S = 60.0  # a file this young may belong to a row that another process is about to write
_SHELF = re.compile(r"[0-9a-f]{2}")  # a sub-folder of values


@dataclass(frozen=True)
class Problem:
    """A broken invariant."""

    kind: Literal["store", "row", "orphan", "mode", "totals"]
    subject: str
    """The row's key, or a path."""
    detail: str
    rowid: int = 0
    """Which row, where it is one."""


def verify(
    folder: Path, connection: sqlite3.Connection, now_s: float, *, fix: bool
) -> list[Problem]:
    """Return every broken invariant of the store, and mend them where `fix`.

    Each record is read and its digest checked. Files younger than a minute are left in peace.

    Raises:
        DamagedStoreError: SQLite finds its own structures broken.
    """
    _require_integrity(connection)
    problems: list[Problem] = []
    # A row that goes leaves its file as an orphan, so rows come first.
    for search in (_bad_rows, _orphans, _loose_modes, _wrong_totals):
        found = list(search(folder, connection, now_s))
        problems += found
        for problem in found if fix else []:
            _mend(folder, connection, problem)
    return problems


def _require_integrity(connection: sqlite3.Connection) -> None:
    complaints = [text for (text,) in connection.execute("PRAGMA integrity_check(1)")]
    if complaints != ["ok"]:
        raise DamagedStoreError("; ".join(complaints))


def _bad_rows(folder: Path, connection: sqlite3.Connection, _now_s: float) -> Iterator[Problem]:
    query = "SELECT rowid, key, raw, mode, filename, size, tag FROM Cache"
    for row in connection.execute(query).fetchall():
        fault = _fault(folder, *row[1:])
        # Another process may have replaced or removed the entry while it was looked at.
        if fault and connection.execute(f"{query} WHERE rowid = ?", row[:1]).fetchall() == [row]:
            yield Problem("row", str(row[1]), fault, row[0])


def _fault(
    folder: Path, key: Any, raw: Any, mode: Any, name: Any, size: Any, tag: Any
) -> str | None:
    if not (isinstance(key, str) and is_key(key) and (raw, mode) == (1, _MODE_BINARY)):
        return "not an entry of this program"
    try:
        blob = read_value(folder, name)
        unpack(key, blob)
        Metadata.from_json(tag)
    except (DamagedRecordError, OSError) as error:
        return str(error)
    return None if len(blob) == size else f"the index has it as {size} bytes, not {len(blob)}"


def _orphans(folder: Path, connection: sqlite3.Connection, now_s: float) -> Iterator[Problem]:
    known = {name for (name,) in connection.execute("SELECT filename FROM Cache")}
    for path in _stored(folder):
        name = str(path.relative_to(folder))
        if name in known or _is_shelf(folder, path):
            continue
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < now_s - _GRACE_S:
                yield Problem("orphan", name, "no entry owns it")


def _loose_modes(folder: Path, _: sqlite3.Connection, _now_s: float) -> Iterator[Problem]:
    for path in [folder, *folder.iterdir(), *_stored(folder)]:
        with contextlib.suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & 0o077:
                yield Problem("mode", str(path.relative_to(folder)), f"{stat.S_IMODE(mode):o}")


def _wrong_totals(_: Path, connection: sqlite3.Connection, _now_s: float) -> Iterator[Problem]:
    counted = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM Cache"
    kept, true = database.totals(connection), connection.execute(counted).fetchone()
    if kept != true:
        yield Problem("totals", "entries and bytes", f"kept as {kept}, counted as {true}")


def _stored(folder: Path) -> Iterator[Path]:
    """Yield all that lies where values lie, contents before their folder; no link is followed."""
    for parent, folders, files in os.walk(folder, topdown=False):
        path = Path(parent)
        parts = path.relative_to(folder).parts
        for name in files + folders:
            if _SHELF.fullmatch((*parts, name)[0]):
                yield path / name


def _is_shelf(folder: Path, path: Path) -> bool:
    parts = path.relative_to(folder).parts
    shaped = len(parts) <= 2 and all(_SHELF.fullmatch(part) for part in parts)
    return shaped and path.is_dir() and not path.is_symlink()


def _mend(folder: Path, connection: sqlite3.Connection, problem: Problem) -> None:
    path = folder / problem.subject
    with contextlib.suppress(OSError):
        if problem.kind == "row":
            _delete_row(folder, connection, problem.rowid)
        elif problem.kind == "totals":
            database.recount(connection)
        elif problem.kind == "mode":
            path.chmod(0o700 if path.is_dir() else 0o600)
        elif path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


def _delete_row(folder: Path, connection: sqlite3.Connection, rowid: int) -> None:
    named = connection.execute("SELECT filename FROM Cache WHERE rowid = ?", (rowid,)).fetchone()
    connection.execute("DELETE FROM Cache WHERE rowid = ?", (rowid,))
    if named is None or not is_value_name(named[0]):
        return
    if not connection.execute("SELECT 1 FROM Cache WHERE filename = ?", named).fetchall():
        remove_value(folder, named[0])

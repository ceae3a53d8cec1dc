"""What this room reads and writes in diskcache's database beside it.

diskcache stores and fetches values; counters, pins, times of last use, listings and deletions go
through short connections of our own. Each change is one transaction.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ttsctl.cache.eviction import Entry
from ttsctl.cache.folder import DATABASE, DamagedStoreError
from ttsctl.cache.record import DamagedRecordError, Metadata
from ttsctl.cache.schema import OBJECTS, OWN_TABLES, SETTINGS, TALLIES
from ttsctl.cache.usage import UsageReport

LOCK_WAIT_S = 1.0  # longer, and to speak the text anew would be quicker

_ENTRIES = (
    "SELECT key, size, access_time, tag, key IN (SELECT key FROM Pins) FROM Cache WHERE raw = 1"
)


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the database of an existing store for the length of the block.

    Raises:
        sqlite3.OperationalError: There is none, or it cannot be opened.
    """
    address = f"{(folder / DATABASE).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=LOCK_WAIT_S, isolation_level=None)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        yield connection
    finally:
        connection.close()


def make_safe(connection: sqlite3.Connection) -> None:
    """Make the database fit for diskcache to open, or refuse it. A new, empty one is fit.

    Raises:
        DamagedStoreError: It holds a trigger, view, table or index that is not ours.
        sqlite3.OperationalError: It stayed locked for a second, or cannot be written.
    """
    with _transaction(connection):
        schema = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        for name, sql in schema:
            if sql is not None and sql not in OBJECTS:
                raise DamagedStoreError(f"the database holds a foreign object: {name!r}")
        for statement in OWN_TABLES:
            connection.execute(statement)
        _drop_foreign_settings(connection, {name for name, _ in schema})


def entries(connection: sqlite3.Connection) -> list[Entry]:
    """Return all entries that can be read from the index."""
    return _entries(connection.execute(_ENTRIES))


def entry(connection: sqlite3.Connection, key: str) -> Entry | None:
    """Return the entry of that key, if there is one that can be read from the index."""
    found = _entries(connection.execute(f"{_ENTRIES} AND key = ?", (key,)))
    return found[0] if found else None


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of entries and the bytes of their value files, without counting them."""
    tallies = dict(connection.execute("SELECT key, value FROM Settings").fetchall())
    return tallies.get("count", 0), tallies.get("size", 0)


def recount(connection: sqlite3.Connection) -> None:
    """Set the totals by counting."""
    for name, sum_up in (("count", "COUNT(*)"), ("size", "COALESCE(SUM(size), 0)")):
        connection.execute(
            f"INSERT OR REPLACE INTO Settings SELECT ?, {sum_up} FROM Cache", (name,)
        )


def forget(connection: sqlite3.Connection, keys: Iterable[str]) -> list[str]:
    """Delete the rows of these keys and return the names of their value files.

    Remove the files afterwards: a crash in between leaves a file without a row, which `verify`
    finds, and never a row without its file.
    """
    names: list[str] = []
    with _transaction(connection):
        for key in keys:
            row = "FROM Cache WHERE key = ? AND raw = 1"
            names += (name for (name,) in connection.execute(f"SELECT filename {row}", (key,)))
            connection.execute(f"DELETE {row}", (key,))
    return names


def pin(connection: sqlite3.Connection, key: str) -> None:
    """Mark the key, stored or not, as one that never goes."""
    connection.execute("INSERT OR IGNORE INTO Pins VALUES (?)", (key,))


def unpin(connection: sqlite3.Connection, key: str) -> None:
    """Take the mark away."""
    connection.execute("DELETE FROM Pins WHERE key = ?", (key,))


def is_pinned(connection: sqlite3.Connection, key: str) -> bool:
    """Tell whether the key is marked."""
    return bool(connection.execute("SELECT 1 FROM Pins WHERE key = ?", (key,)).fetchall())


def counters(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the hits and misses that all processes have saved so far."""
    return dict(connection.execute("SELECT name, value FROM Counters").fetchall())


def save_usage(connection: sqlite3.Connection, report: UsageReport) -> None:
    """Add the report's counts to the counters, and set the times of last use."""
    with _transaction(connection):
        for name, count in report.counts.items():
            connection.execute("INSERT OR IGNORE INTO Counters VALUES (?, 0)", (name,))
            connection.execute(
                "UPDATE Counters SET value = value + ? WHERE name = ?", (count, name)
            )
        connection.executemany(
            "UPDATE Cache SET access_time = ? WHERE key = ? AND raw = 1",
            [(moment_s, key) for key, moment_s in report.last_used_s.items()],
        )


def _entries(rows: Iterable[tuple[Any, ...]]) -> list[Entry]:
    found = []
    for key, size_bytes, last_used_s, tag, pinned in rows:
        with contextlib.suppress(DamagedRecordError):
            metadata = Metadata.from_json(tag)
            found.append(Entry(key, size_bytes, last_used_s, bool(pinned), metadata))
    return found


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _drop_foreign_settings(connection: sqlite3.Connection, objects: set[str]) -> None:
    """Clear the settings where a row is not as we write it; diskcache then writes them anew."""
    if "Settings" not in objects:
        return
    rows = connection.execute("SELECT key, value FROM Settings").fetchall()
    # A missing row is no offence: another process may be half-way through its first opening.
    if all(_is_own_setting(name, value) for name, value in rows):
        return
    connection.execute("DELETE FROM Settings")
    if "Cache" in objects:
        recount(connection)


def _is_own_setting(name: object, value: object) -> bool:
    if name in TALLIES:
        return type(value) is int
    own = SETTINGS.get(name) if isinstance(name, str) else None
    return own is not None and type(value) is type(own) and value == own

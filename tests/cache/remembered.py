"""Keys, records and stores to test the cache with."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.key import derived_key
from ttsctl.cache.record import Metadata, Record
from ttsctl.cache.tiers import Cache

MIB = 1 << 20
DISK_ONLY = CacheLimits(memory_bytes=0)

FORK = multiprocessing.get_context("fork")  # a child in milliseconds; spawning takes a second


class FakeClock:
    """A clock that moves only when told to. It starts now, as diskcache keeps its own time."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


def key_of(name: object) -> str:
    return derived_key("test", str(name))


def record_of(
    payload: bytes = b"sound",
    *,
    voice: str = "espeak:en-us",
    kind: Literal["master", "encoded"] = "master",
    created_s: float = 1_700_000_000.0,
) -> Record:
    return Record(Metadata(kind, voice, "pcm", 22_050, 1.5, "Hello.", created_s), payload)


def payload_of(cache: Cache, name: object) -> bytes | None:
    hit = cache.get(key_of(name))
    return None if hit is None else hit.record.payload


def fill(folder: Path, names: range | list[str], size_bytes: int = 3000) -> dict[str, bytes]:
    """Store a record for each name and return the payloads by name."""
    payloads = {str(name): str(name).encode().ljust(size_bytes, b".") for name in names}
    with Cache(folder, DISK_ONLY) as cache:
        for name, payload in payloads.items():
            cache.put(key_of(name), record_of(payload))
    return payloads


def alter(folder: Path, sql: str, *arguments: object) -> None:
    """Change the database behind the cache's back."""
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        connection.execute(sql, arguments)


def ask(folder: Path, sql: str, *arguments: object) -> list[Any]:
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        return connection.execute(sql, arguments).fetchall()


def value_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("??/??/*.val"))


def value_file(folder: Path, name: object) -> Path:
    ((file,),) = ask(folder, "SELECT filename FROM Cache WHERE key = ?", key_of(name))
    return folder / str(file)


def run_all(count: int, work: Callable[..., None], *arguments: object) -> list[int | None]:
    """Run `work` in as many processes at once, and return their exit codes."""
    children = [FORK.Process(target=work, args=(n, *arguments)) for n in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    return [child.exitcode for child in children]

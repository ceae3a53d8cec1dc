"""The cache as the rest of the program sees it: memory over disk, written behind.

Nothing here fails a request. A sound that cannot be read is a miss; one that cannot be stored is
spoken all the same.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ttsctl.cache import locks
from ttsctl.cache.audit import Problem
from ttsctl.cache.clearings import Clearings
from ttsctl.cache.disk import Clock
from ttsctl.cache.disk_tier import DiskTier, FreeSpace
from ttsctl.cache.eviction import CacheLimits, Entry, clearable, prunable
from ttsctl.cache.flights import Check, Flights
from ttsctl.cache.folder import LOCKS, disk_space
from ttsctl.cache.key import require_key
from ttsctl.cache.memory import MemoryTier
from ttsctl.cache.record import Metadata, Record
from ttsctl.cache.stats import CacheStats, Removed, summarise
from ttsctl.cache.usage import Tier, Usage
from ttsctl.cache.writer import Writer

_PATIENCE_S = 10.0  # how long `flush` and `close` wait each: a disk may hang

_log = logging.getLogger("ttsctl.cache")


@dataclass(frozen=True)
class Hit:
    """A record that was found."""

    record: Record
    tier: Tier


class Cache:
    """Remembered sounds. Safe to share between threads; processes share them by the folder.

    Close it, or use it in a `with` statement: until then the last writes and counts may be in
    memory only. In a forked child it begins anew, with nothing in memory.
    """

    _memory: MemoryTier
    _disk: DiskTier
    _usage: Usage
    _writer: Writer
    _flights: Flights
    _clearings: Clearings

    def __init__(
        self,
        folder: Path,
        limits: CacheLimits,
        *,
        clock: Clock = time.time,
        free_space: FreeSpace = disk_space,
    ) -> None:
        """Note the settings; the folder, the database and the thread wait for their first use."""
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._free_space = free_space
        self._begin()

    def get(self, key: str) -> Hit | None:
        """Return what is stored under `key`; a record found on disk is then in memory as well."""
        self._follow_fork()
        hit = self._from_memory(key) or self._from_disk(key)
        if hit is None:
            self._usage.miss()
        else:
            self._usage.hit(hit.tier, key, self._clock())
        return hit

    def contains(self, key: str) -> bool:
        """Tell whether `get` is likely to find something: no value is read, nothing counted."""
        self._follow_fork()
        if self._from_memory(key) is not None:
            return True
        entry = self._disk.entry(key)
        return entry is not None and (entry.pinned or not self._is_expired(entry.metadata))

    def is_stored(self, key: str) -> bool:
        """Tell whether the disk has an entry of that key, once all that was put is written."""
        return self._disk.entry(key) is not None

    def is_usable(self) -> bool:
        """Tell whether the folder can be used; the log says why not."""
        return self._disk.prepare()

    def put(self, key: str, record: Record) -> None:
        """Store `record` under `key`: in memory at once, on disk behind the caller's back.

        It is held up for a second at most, and that only where 32 writes are waiting already.
        """
        require_key(key)
        self._follow_fork()
        self._memory.put(key, record)
        self._close_at_exit()
        if not self._writer.submit(lambda: self._write(key, record)):
            _log.warning("the cache's disk is too slow; a sound was not stored")

    @contextlib.contextmanager
    def single_flight(
        self, key: str, timeout_s: float, check: Check = lambda: None
    ) -> Iterator[bool]:
        """Hold `key` for the length of the block, so that only one at a time makes its sound.

        What `check` raises, which is called now and then, ends the wait.

        Look into the cache again inside the block: another may have been at work until now. Yields
        False, and holds nothing, where that took longer than `timeout_s` or the folder is of no
        use. What was put in the block is on disk before the next gets hold of the key.
        """
        require_key(key)
        self._follow_fork()
        with self._flights.alone(key, timeout_s, check) as is_alone:
            if is_alone and self._from_memory(key) is not None:
                yield True  # a thread of this process has just made it
                return
            path = self._folder / LOCKS / key
            is_possible = is_alone and self._disk.prepare()
            lock = locks.acquire(path, timeout_s, check) if is_possible else None
            try:
                yield lock is not None
            finally:
                if lock is not None:
                    self._writer.after_pending(lock.release)

    def flush(self) -> None:
        """Wait until all that was put is on disk, and save the counts; 10 s at most."""
        self._follow_fork()
        if not self._writer.flush(_PATIENCE_S):
            _log.warning("the cache's disk is too slow; some sounds are not stored yet")
        self._save_usage()

    def close_thread(self) -> None:
        """Free what the calling thread holds, for a thread that is about to end.

        That is its connection to the database, which would wait for a search for cycles.
        """
        self._disk.close_thread()

    def close(self) -> None:
        """Finish what waits to be written. Safe to call twice; a later use begins anew."""
        self.flush()
        self._writer.after_pending(self._disk.close_thread)
        self._writer.close(_PATIENCE_S)
        self._disk.close_thread()
        atexit.unregister(self.close)
        self._closes_at_exit = False

    def stats(self) -> CacheStats:
        """Return how full the cache is and how well it has served all processes so far."""
        self.flush()
        return summarise(self._disk.entries(), self._disk.counters(), self._limits)

    def entries(self) -> list[Entry]:
        """Return all entries on disk."""
        self.flush()
        return self._disk.entries()

    def verify(self, *, fix: bool) -> list[Problem]:
        """Return every broken invariant on disk, and mend them where `fix`.

        Reads every record. Safe beside other processes: files younger than a minute are left alone.
        """
        self.flush()
        return self._disk.verify(fix=fix)

    def prune(self, *, max_bytes: int | None = None, older_than_s: float | None = None) -> Removed:
        """Delete, pinned entries excepted, what is over the limits or was not used for so long."""
        most_bytes = self._limits.disk_bytes if max_bytes is None else max_bytes
        limits = replace(self._limits, disk_bytes=most_bytes)
        return self._remove(prunable(self.entries(), limits, older_than_s, self._clock()))

    def clear(self, voice: str | None = None, *, pinned: bool = False) -> Removed:
        """Delete all entries, or those of the voice with that id; pinned ones only where `pinned`.

        The counters stay.
        """
        return self._remove(clearable(self.entries(), voice, pinned=pinned))

    def pin(self, key: str) -> None:
        """Keep the entry of that key, stored already or later, from eviction and expiry."""
        self._follow_fork()
        self._disk.pin(key)

    def unpin(self, key: str) -> None:
        """Undo `pin`."""
        self._follow_fork()
        self._disk.unpin(key)

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self._process_id = os.getpid()
        self._closes_at_exit = False
        self._memory = MemoryTier(self._limits.memory_bytes)
        self._disk = DiskTier(self._folder, self._limits, self._clock, self._free_space)
        self._usage = Usage()
        self._writer = Writer()
        self._flights = Flights()
        self._clearings = Clearings(self._folder)

    def _follow_fork(self) -> None:
        # A forked child has the parent's locks, perhaps taken, but not the threads to free them.
        if self._process_id != os.getpid():
            self._begin()

    def _close_at_exit(self) -> None:
        if not self._closes_at_exit:
            self._closes_at_exit = True
            atexit.register(self.close)

    def _from_memory(self, key: str) -> Hit | None:
        if self._clearings.is_news():
            self._memory.clear()
        record = self._memory.get(key)
        if record is None or self._is_expired(record.metadata):
            return None
        return Hit(record, "memory")

    def _from_disk(self, key: str) -> Hit | None:
        record = self._disk.get(key)
        if record is None or (self._is_expired(record.metadata) and not self._disk.is_pinned(key)):
            return None
        self._memory.put(key, record)
        return Hit(record, "disk")

    def _is_expired(self, metadata: Metadata) -> bool:
        return self._limits.is_expired(metadata.created_s, self._clock())

    def _write(self, key: str, record: Record) -> None:
        """Runs in the writer's thread."""
        self._disk.put(key, record)
        if self._disk.is_over_limit():
            self._save_usage()  # or what this process uses most would look unused
            self._disk.evict(newest=key)

    def _save_usage(self) -> None:
        report = self._usage.take()
        if report.counts:
            self._disk.save_usage(report)

    def _remove(self, entries: list[Entry]) -> Removed:
        gone = self._disk.forget(entries)
        self._memory.clear()  # it may hold what is not on disk, and is soon filled again
        self._clearings.note()
        return Removed(len(gone), sum(entry.size_bytes for entry in gone))

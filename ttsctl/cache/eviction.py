"""Which entries must go: a plan only, so that it can be shown, tested and carried out elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ttsctl.cache.record import Metadata

MIB = 1 << 20
GIB = 1 << 30

_LARGEST_SHARE = 20  # an entry over a twentieth of the limit would push out too much else
_TARGET = (
    0.9  # evict a tenth more than needed: a full cache then lists itself rarely, not each time
)


@dataclass(frozen=True)
class CacheLimits:
    """How much is remembered, and for how long."""

    memory_bytes: int = 64 * MIB
    """Size of the tier in memory; 0 for none."""

    disk_bytes: int = 2 * GIB
    """Total size of the value files."""

    ttl_s: float | None = None
    """Age at which an entry that is not pinned counts as gone; never where None."""

    max_entries: int | None = None
    """Number of entries on disk; unlimited where None."""

    @property
    def largest_bytes(self) -> int:
        """Size of the largest record that is stored on disk."""
        return self.disk_bytes // _LARGEST_SHARE

    def is_expired(self, created_s: float, now_s: float) -> bool:
        """Tell whether something made at `created_s` has outlived its time."""
        return self.ttl_s is not None and created_s + self.ttl_s <= now_s

    def is_exceeded(self, entries: int, size_bytes: int) -> bool:
        """Tell whether so many entries of that total size are too much for the disk tier."""
        too_many = self.max_entries is not None and entries > self.max_entries
        return too_many or size_bytes > self.disk_bytes


@dataclass(frozen=True)
class Entry:
    """One entry on disk."""

    key: str
    size_bytes: int
    last_used_s: float
    """When it was last stored or served, in seconds since the epoch."""
    pinned: bool
    metadata: Metadata


def victims(
    entries: Iterable[Entry], limits: CacheLimits, now_s: float, newest: str | None = None
) -> list[Entry]:
    """Return the entries to delete: the expired, then the least recently used.

    Where a limit is passed, entries go until nine tenths of it are left or none is left to go.
    Pinned entries never go, nor does the one with the key `newest`, which was stored just now.
    """
    entries = list(entries)
    mortal = [entry for entry in entries if not entry.pinned and entry.key != newest]
    expired = [e for e in mortal if limits.is_expired(e.metadata.created_s, now_s)]
    gone = {entry.key for entry in expired}
    mortal = sorted((e for e in mortal if e.key not in gone), key=lambda entry: entry.last_used_s)
    left = [entry for entry in entries if entry.key not in gone]
    return expired + list(_surplus(mortal, left, limits))


def unused_since(entries: Iterable[Entry], moment_s: float) -> list[Entry]:
    """Return the entries, other than pinned ones, that nobody has used since `moment_s`."""
    return [entry for entry in entries if not entry.pinned and entry.last_used_s < moment_s]


def _surplus(mortal: list[Entry], left: list[Entry], limits: CacheLimits) -> Iterator[Entry]:
    """Yield the first of `mortal` until what is `left` is well under the limits again."""
    count, size_bytes = len(left), sum(entry.size_bytes for entry in left)
    if not limits.is_exceeded(count, size_bytes):
        return
    for entry in mortal:
        if _fits_well(count, size_bytes, limits):
            return
        yield entry
        count, size_bytes = count - 1, size_bytes - entry.size_bytes


def _fits_well(count: int, size_bytes: int, limits: CacheLimits) -> bool:
    few = limits.max_entries is None or count <= max(1, limits.max_entries * _TARGET)
    return few and size_bytes <= limits.disk_bytes * _TARGET


def prunable(
    entries: list[Entry], limits: CacheLimits, older_than_s: float | None, now_s: float
) -> list[Entry]:
    """Return what was not used for so many seconds, and what of the rest is over the limits."""
    idle = [] if older_than_s is None else unused_since(entries, now_s - older_than_s)
    busy = [entry for entry in entries if entry not in idle]
    return idle + victims(busy, limits, now_s)


def clearable(entries: list[Entry], voice: str | None, *, pinned: bool) -> list[Entry]:
    """Return all entries, or those of the voice with that id; pinned ones only where `pinned`."""
    return [
        entry
        for entry in entries
        if voice in (None, entry.metadata.voice) and (pinned or not entry.pinned)
    ]

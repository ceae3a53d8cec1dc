"""How full the cache is, and how well it serves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ttsctl.cache.eviction import CacheLimits, Entry


@dataclass(frozen=True)
class Removed:
    """How much was deleted from disk."""

    entries: int
    bytes: int


@dataclass(frozen=True)
class VoiceStats:
    """The share of one voice."""

    entries: int
    bytes: int


@dataclass(frozen=True)
class CacheStats:
    """The state of the disk tier, and the uses that all processes have counted."""

    entries: int
    bytes: int
    """Total size of the records on disk."""
    limit_bytes: int
    hits_memory: int
    hits_disk: int
    misses: int
    hit_rate: float
    """Hits by look-ups, in [0, 1]; 0 where nothing was looked up."""
    by_voice: dict[str, VoiceStats]
    """By voice id."""


def summarise(
    entries: Iterable[Entry], counters: Mapping[str, int], limits: CacheLimits
) -> CacheStats:
    """Return the statistics of these entries and counters."""
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    for entry in entries:
        sizes[entry.metadata.voice].append(entry.size_bytes)
    by_voice = {voice: VoiceStats(len(each), sum(each)) for voice, each in sorted(sizes.items())}
    memory, disk, misses = (counters.get(n, 0) for n in ("hits_memory", "hits_disk", "misses"))
    return CacheStats(
        entries=sum(voice.entries for voice in by_voice.values()),
        bytes=sum(voice.bytes for voice in by_voice.values()),
        limit_bytes=limits.disk_bytes,
        hits_memory=memory,
        hits_disk=disk,
        misses=misses,
        hit_rate=(memory + disk) / max(1, memory + disk + misses),
        by_voice=by_voice,
    )

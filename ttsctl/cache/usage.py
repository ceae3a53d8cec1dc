"""What a process has learnt about the use of the cache and has not saved yet."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

Tier = Literal["memory", "disk"]


@dataclass(frozen=True)
class UsageReport:
    """Counts to add to those on disk, and when entries were last used."""

    counts: dict[str, int]
    """By name: hits_memory, hits_disk, misses."""
    last_used_s: dict[str, float]
    """Seconds since the epoch, by key."""


class Usage:
    """Collects uses. Safe to share between threads.

    Memory hits count as uses as well: without them the entry that is asked for most, and so never
    read from disk, would be the first to be evicted there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._last_used_s: dict[str, float] = {}

    def hit(self, tier: Tier, key: str, now_s: float) -> None:
        """Count a hit on `key`."""
        with self._lock:
            self._counts[f"hits_{tier}"] += 1
            self._last_used_s[key] = now_s

    def miss(self) -> None:
        """Count a miss."""
        with self._lock:
            self._counts["misses"] += 1

    def take(self) -> UsageReport:
        """Return what was collected, and begin anew."""
        with self._lock:
            report = UsageReport(dict(self._counts), self._last_used_s)
            self._counts, self._last_used_s = Counter(), {}
        return report

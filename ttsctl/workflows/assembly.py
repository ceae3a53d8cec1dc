"""Putting a speaker together: workers below it, the cache beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.off import NullCache
from ttsctl.cache.tiers import Cache
from ttsctl.voices.catalogue import alternatives
from ttsctl.workers.parent import Worker
from ttsctl.workers.supervisor import Supervisor
from ttsctl.workflows.speak import CACHEABLE_CHARS, Speaker


@dataclass(frozen=True)
class SpeakerConfig:
    """All that a process needs to make its own speaker."""

    cache_folder: Path | None
    """None for no cache."""

    limits: CacheLimits
    is_refreshing: bool = False

    cacheable_chars: int = CACHEABLE_CHARS
    """Longest utterance that is cached, in characters."""

    threads: int | None = None
    """Threads of an engine; None for its own default."""

    has_fallback: bool = False
    """Whether a lesser engine speaks where the one that was asked for fails."""


def make_speaker(config: SpeakerConfig, started: Worker | None = None) -> Speaker:
    """Return a new speaker; the caller closes it.

    Args:
        config: What it is made of.
        started: A worker that runs already; it is closed with the speaker.
    """
    cache = (
        NullCache() if config.cache_folder is None else Cache(config.cache_folder, config.limits)
    )
    return Speaker(
        Supervisor(start_worker=partial(Worker, threads=config.threads), started=started),
        cache,
        is_refreshing=config.is_refreshing,
        cacheable_chars=config.cacheable_chars,
        alternatives=alternatives if config.has_fallback else None,
    )

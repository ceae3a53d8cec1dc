"""Putting a service together: workers, cache, limits."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.off import NullCache
from ttsctl.cache.tiers import Cache
from ttsctl.errors import TtsctlError
from ttsctl.service.service import Service, ServiceLimits
from ttsctl.service.statistics import Statistics
from ttsctl.speech import Voice
from ttsctl.workers.parent import Worker
from ttsctl.workers.place import PoolLimits
from ttsctl.workers.supervisor import Supervisor

_RETRIES = 1  # for an utterance whose worker died before a sound: another text may have killed it
_MIB = 1 << 20

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServiceConfig:
    """All that a service is made of."""

    limits: ServiceLimits
    cache_folder: Path | None
    """None for no cache."""

    cache_limits: CacheLimits
    unload_after_s: float = 300.0
    """A voice that nobody has used for so long is unloaded, by ending its worker."""

    memory_mb: int = 2048
    """What the workers may take together before idle ones are ended."""

    alert_p95_ms: float | None = None
    """What the time to first audio may be, at the 95th percentile, without a warning."""


def make_service(config: ServiceConfig) -> Service:
    """Return a new service, which has no worker yet; the caller stops it."""
    at_once = config.limits.at_once
    pool = PoolLimits(
        at_once=at_once,
        processes=max(8, 2 * at_once),
        memory_bytes=config.memory_mb * _MIB,
        idle_s=config.unload_after_s,
        memory_of=resident_bytes,
    )
    cache = (
        NullCache()
        if config.cache_folder is None
        else Cache(config.cache_folder, config.cache_limits)
    )
    # One thread each: the workers share the cores, and two of one thread do more than one of two.
    supervisor = Supervisor(pool, start_worker=partial(Worker, threads=1), retries=_RETRIES)
    return Service(supervisor, cache, config.limits, Statistics(config.alert_p95_ms))


def default_workers() -> int:
    """Return the number of physical cores that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, usable or 1))


def preload(service: Service, voices: Iterable[Voice]) -> None:
    """Load `voices`, so that the first requests find them; what fails is a warning."""
    for voice in voices:
        try:
            service.supervisor.load_everywhere(voice)
        except TtsctlError as error:
            _logger.warning("voice '%s' could not be loaded ahead: %s", voice.id, error.message)


def resident_bytes(process_id: int) -> int:
    """Return how much memory a process has, shared pages included; 0 where it is gone."""
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(process_id).memory_info().rss)
    return 0

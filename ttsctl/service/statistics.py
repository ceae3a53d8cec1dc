"""What the service has done: counts since its start, and times over the requests done last.

Times are those of requests that succeeded; a failure is counted, and its time says nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ttsctl.metrics import percentile

CacheTier = Literal["miss", "memory", "disk"]

WINDOW = 1_000  # requests that the percentiles are taken of
ALERT_WINDOW = 100  # fewer, so that an alert comes and goes while it matters
MIN_FOR_ALERT = 20  # the p95 of fewer is their maximum

TIERS: tuple[CacheTier, ...] = ("miss", "memory", "disk")
_STAGES = ("queue", "load", "g2p", "synthesis", "encode", "first_audio", "total")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a request for speech ended."""

    engine: str
    """The one that spoke; empty where it failed before one was chosen."""

    voice: str

    cache: CacheTier
    """Where the sound came from."""

    is_cold: bool
    """Whether it waited for a voice to load."""

    error_code: str | None
    """None where it succeeded."""

    stages_ms: Mapping[str, float | None]
    """Milliseconds by stage, None or missing where unknown: queue, load, g2p, synthesis, encode,
    first_audio, total."""

    audio_s: float

    chars: int


class Statistics:
    """Counts and times of requests, bounded in memory. Safe to share between threads.

    Args:
        alert_p95_ms: What the 95th percentile of the time to the first sound should not exceed;
            None for no alert. It is told of in the log when it begins to, and when it ceases.
        clock: Seconds since some moment, never going back.
    """

    def __init__(
        self, alert_p95_ms: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._started_at = clock, clock()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._engines: Counter[str] = Counter()
        self._tiers: Counter[str] = Counter()
        self._audio_s = self._spoken_s = self._speaking_s = 0.0
        self._last: deque[Outcome] = deque(maxlen=WINDOW)
        self._alert_ms = alert_p95_ms
        self._first_audio_ms: deque[float] = deque(maxlen=ALERT_WINDOW)
        self._alert: dict[str, float] | None = None

    @property
    def uptime_s(self) -> float:
        """Seconds since this was made."""
        return self._clock() - self._started_at

    def record(self, outcome: Outcome) -> None:
        """Count a request that has ended."""
        with self._lock:
            self._count(outcome)
            if outcome.error_code is None:
                self._last.append(outcome)
            news = self._watch(outcome)
        if news is not None:
            _logger.warning(news)  # also that it is over: to be seen wherever the first was

    def snapshot(self) -> dict[str, Any]:
        """Return all figures as JSON values; a percentile of nothing is None."""
        with self._lock:
            last = list(self._last)
            engines, tiers = dict(self._engines), dict(self._tiers)
            figures = self._figures()
        figures["by_engine"] = {
            name: {"requests": count, **_total_ms([each for each in last if each.engine == name])}
            for name, count in sorted(engines.items())
        }
        figures["by_tier"] = {
            tier: {
                "requests": tiers.get(tier, 0),
                **_total_ms([each for each in last if each.cache == tier]),
            }
            for tier in TIERS
        }
        figures["stages_ms"] = {stage: _spread(_times_ms(last, stage)) for stage in _STAGES}
        return figures

    def _count(self, outcome: Outcome) -> None:
        self._counts["total"] += 1
        self._counts["cold" if outcome.is_cold else "warm"] += 1
        self._counts["ok" if outcome.error_code is None else "failed"] += 1
        if outcome.engine:
            self._engines[outcome.engine] += 1
        if outcome.error_code is not None:
            self._errors[outcome.error_code] += 1
            return
        self._tiers[outcome.cache] += 1
        self._counts["chars"] += outcome.chars
        self._audio_s += outcome.audio_s
        synthesis_ms = outcome.stages_ms.get("synthesis")
        if outcome.cache == "miss" and synthesis_ms is not None:
            self._spoken_s += outcome.audio_s
            self._speaking_s += synthesis_ms / 1000

    def _figures(self) -> dict[str, Any]:
        """Return what is counted. Holds the lock."""
        names = ("total", "cold", "warm", "ok", "failed")
        hits = self._tiers["memory"] + self._tiers["disk"]
        ok, speaking_s = self._counts["ok"], self._speaking_s
        return {
            "uptime_s": round(self.uptime_s, 3),
            "requests": {name: self._counts[name] for name in names},
            "errors": dict(sorted(self._errors.items())),
            "hit_rate": round(hits / ok, 4) if ok else None,
            "audio_s": round(self._audio_s, 3),
            "chars": self._counts["chars"],
            "x_realtime": round(self._spoken_s / speaking_s, 2) if speaking_s > 0 else None,
            "alert": self._alert,
        }

    def _watch(self, outcome: Outcome) -> str | None:
        """Return what is to be told of the time to the first sound. Holds the lock."""
        first_audio_ms = outcome.stages_ms.get("first_audio")
        if self._alert_ms is None or outcome.error_code is not None or first_audio_ms is None:
            return None
        self._first_audio_ms.append(first_audio_ms)
        if len(self._first_audio_ms) < MIN_FOR_ALERT:
            return None
        p95_ms = percentile(self._first_audio_ms, 95)
        had_alert, limit = self._alert is not None, f"{self._alert_ms:g} ms"
        has_alert = p95_ms > self._alert_ms
        figures = {"p95_ms": round(p95_ms, 3), "limit_ms": self._alert_ms}
        self._alert = figures if has_alert else None
        if has_alert == had_alert:
            return None
        return (
            f"the p95 of the time to the first sound is {p95_ms:.1f} ms, over the limit of {limit}"
            if has_alert
            else f"the p95 of the time to the first sound is {p95_ms:.1f} ms, back within {limit}"
        )


def _times_ms(outcomes: Iterable[Outcome], stage: str) -> list[float]:
    times_ms = (each.stages_ms.get(stage) for each in outcomes)
    return [time_ms for time_ms in times_ms if time_ms is not None]


def _total_ms(outcomes: Iterable[Outcome]) -> dict[str, float | None]:
    return _percentiles(_times_ms(outcomes, "total"), "_ms")


def _spread(values: list[float]) -> dict[str, float | None]:
    mean = round(sum(values) / len(values), 3) if values else None
    return {"n": len(values), "mean": mean, **_percentiles(values)}


def _percentiles(values: list[float], unit: str = "") -> dict[str, float | None]:
    return {
        f"p{percent}{unit}": round(percentile(values, percent), 3) if values else None
        for percent in (50, 95, 99)
    }

"""What the warm process does for all of its clients: speak, and tell how it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsctl.cache.off import NullCache
from ttsctl.cache.tiers import Cache
from ttsctl.errors import BusyError, TtsctlError
from ttsctl.patience import Patience
from ttsctl.service.statistics import Outcome, Statistics
from ttsctl.service.turns import Turns
from ttsctl.speech import Voice
from ttsctl.voices.catalogue import alternatives
from ttsctl.workers.supervisor import Supervisor, expected_s
from ttsctl.workflows.deliver import utterance_key_of
from ttsctl.workflows.plan import PlannedUtterance
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import Speaker

MAX_CHARS = 5_000
MAX_WAITING = 64
REQUEST_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0  # what is in hand may take so long when the service is told to end

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServiceLimits:
    """What a service allows its clients."""

    at_once: int = 2
    """Requests, and utterances, that are worked on at the same time."""

    max_waiting: int = MAX_WAITING
    """Requests that may wait besides."""

    max_chars: int = MAX_CHARS
    """Length of the longest text."""

    request_timeout_s: float | None = None
    """Seconds that a request may take from its turn on; None for 10 and as long as its speech."""

    output_root: Path | None = None
    """Folder that files may be written below; None for no files."""


class Service:
    """Workers, cache and queue, shared by all clients. Safe to use from several threads.

    Args:
        supervisor: Where new sound comes from; it is closed with the service.
        cache: Where known sound is kept; it is closed with the service.
        limits: What clients are allowed.
        statistics: Where requests are counted.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        cache: Cache | NullCache,
        limits: ServiceLimits,
        statistics: Statistics,
    ) -> None:
        self.supervisor = supervisor
        self.cache = cache
        self.limits = limits
        self.statistics = statistics
        self.turns = Turns(limits.at_once, limits.max_waiting)
        self.used_at = time.monotonic()
        self._is_stopping = False

    def speaker(
        self,
        patience: Patience,
        *,
        is_cached: bool = True,
        is_refreshing: bool = False,
        has_fallback: bool = True,
    ) -> Speaker:
        """Return a speaker for one request; it is not to be closed."""
        return Speaker(
            self.supervisor,
            self.cache if is_cached else NullCache(),
            is_refreshing=is_refreshing,
            alternatives=alternatives if has_fallback else None,
            at_once=self.limits.at_once,
            patience=patience,
        )

    @contextmanager
    def turn(
        self,
        speaker: Speaker,
        utterances: Sequence[PlannedUtterance],
        patience: Patience,
        *,
        has_limit: bool = True,
    ) -> Iterator[None]:
        """Let a request work for the length of the block, when its turn has come.

        What the cache knows already does not wait. Without a limit only the engines' own hold.

        Raises:
            CancelledError: Nobody waits any more.
        """
        if utterances and all(speaker.knows(utterance_key_of(planned)) for planned in utterances):
            yield
            return
        asked_at = time.perf_counter()
        with self.turns.turn(patience):
            speaker.waited_s = time.perf_counter() - asked_at
            if has_limit:
                patience.end_in(self._timeout_s(utterances))
            yield

    def report(self, voice: Voice, work: Callable[[], SpeechReport]) -> SpeechReport:
        """Return what `work` does, and count it, whether it goes well or not."""
        self.used_at = time.monotonic()
        try:
            report = work()
        except TtsctlError as error:
            self.statistics.record(_failed(voice, error.code))
            raise
        finally:
            self.used_at = time.monotonic()
        self.statistics.record(_succeeded(report))
        return report

    def refused(self, error: TtsctlError) -> None:
        """Count a request that was not even begun."""
        self.statistics.record(_failed(None, error.code))

    def status(self) -> dict[str, Any]:
        """Return how the service is, without waiting for anything."""
        workers = self.supervisor.workers()
        return {
            "status": self._state(),
            "model": next((worker["voice"] for worker in workers if worker["voice"]), None),
            "uptime": round(self.statistics.uptime_s, 3),
            "queue": self.turns.waiting,
            "in_hand": self.turns.inside,
            "workers": workers,
            "restarts": self.supervisor.restarts,
        }

    def metrics(self) -> dict[str, Any]:
        """Return what the service has done since its start."""
        memory_bytes = sum(worker["memory_bytes"] for worker in self.supervisor.workers())
        return self.statistics.snapshot() | {
            "queue": self.turns.waiting,
            "worker_restarts": self.supervisor.restarts,
            "workers_memory_bytes": memory_bytes,
        }

    def check_open(self) -> None:
        """Raise `BusyError` where the service is about to end."""
        if self._is_stopping:
            raise BusyError("the service is shutting down; nothing new is taken")

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Take nothing new, let what is in hand end, and free everything. Safe to call twice."""
        self._is_stopping = True
        self.turns.close()
        if not self.turns.wait_empty(timeout_s):
            _logger.warning("%d requests were not finished in time", self.turns.inside)
        self.supervisor.close()
        self.cache.close()

    def _state(self) -> str:
        if self._is_stopping:
            return "stopping"
        return "degraded" if self.supervisor.is_given_up() else "healthy"

    def _timeout_s(self, utterances: Sequence[PlannedUtterance]) -> float:
        if self.limits.request_timeout_s is not None:
            return self.limits.request_timeout_s
        expected = (
            expected_s(planned.utterance.text, planned.utterance.speed) for planned in utterances
        )
        return REQUEST_TIMEOUT_S + sum(expected)


def _succeeded(report: SpeechReport) -> Outcome:
    log = report.log
    return Outcome(
        engine=report.voice_used.engine,
        voice=report.voice_used.id,
        cache=log.cache,
        is_cold=log.load_s > 0.001,  # a voice that is there takes no time at all
        error_code=None,
        stages_ms=report.timings_ms(),
        audio_s=log.duration_s,
        chars=log.chars,
    )


def _failed(voice: Voice | None, code: str) -> Outcome:
    engine, name = (voice.engine, voice.id) if voice else ("", "")
    return Outcome(engine, name, "miss", False, code, {}, 0.0, 0)

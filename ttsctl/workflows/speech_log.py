"""What happened while one request was spoken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from ttsctl.cache.tiers import Hit
from ttsctl.speech import Clip, Errand, Word
from ttsctl.workflows.fallback import Chain
from ttsctl.workflows.plan import PlannedUtterance

CacheResult = Literal["miss", "memory", "disk"]


@dataclass(frozen=True)
class Unit:
    """One utterance, and when it is heard."""

    text: str
    start_s: float
    """Seconds from the beginning of the request's sound."""

    end_s: float


@dataclass
class SpeechLog:
    """What happened while one request was spoken; filled in as its clips are consumed.

    `found` and `worked` may be called by several threads, the rest by one.
    """

    clock: Callable[[], float] = time.perf_counter
    chain: Chain = field(default_factory=lambda: Chain(None))
    started_at: float = field(init=False)
    first_audio_at: float | None = None
    chars: int = 0
    dropped: int = 0
    frames: int = 0
    sample_rate: int = 0
    units: list[Unit] = field(default_factory=list)
    """What was said when; empty where a finished file was found."""

    queue_s: float = 0.0
    """Seconds of waiting for a turn and for workers; what it begins with lies before the start."""

    load_s: float = 0.0
    synthesis_s: float = 0.0
    encode_s: float = 0.0
    moments: dict[str, float] = field(default_factory=dict)
    """Of the first errand; see `Errand`."""

    results: set[CacheResult] = field(default_factory=set)
    words: list[Word] = field(default_factory=list)
    """Those that have been spoken, with their times in the whole request."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.started_at = self.clock() - self.queue_s

    @property
    def duration_s(self) -> float:
        """Length of the sound so far, in seconds."""
        return self.frames / self.sample_rate if self.sample_rate else 0.0

    @property
    def cache(self) -> CacheResult:
        """Where the request was answered from: the slowest source that one of its parts needed."""
        for result in ("miss", "disk", "memory"):
            if result in self.results:
                return result
        return "miss"

    @property
    def first_audio_s(self) -> float:
        """Time from the start to the first sound; 0 where there was none."""
        return (self.first_audio_at or self.started_at) - self.started_at

    def timeline_s(self) -> dict[str, float]:
        """Return when what happened, in seconds from the start; what came before is negative."""
        moments = dict(self.moments)
        if self.first_audio_at is not None:
            moments["first_audio"] = self.first_audio_at
        return {name: moment - self.started_at for name, moment in moments.items()}

    def elapsed_s(self) -> float:
        """Return the time since the start."""
        return self.clock() - self.started_at

    def answer(self, hit: Hit, utterances: Iterable[PlannedUtterance]) -> None:
        """Note that the whole request was answered by `hit`."""
        for planned in utterances:
            self.read(planned)
        self.found(hit.tier)
        self.first_audio_at = self.clock()
        facts = hit.record.metadata
        self.sample_rate = facts.sample_rate
        self.frames = round(facts.duration_s * facts.sample_rate)
        self.words += hit.record.words
        self.dropped += hit.record.dropped

    def found(self, result: CacheResult) -> None:
        """Note where the sound of an utterance came from."""
        with self._lock:
            self.results.add(result)

    def worked(self, seconds: float, errand: Errand) -> None:
        """Add the time that an utterance took: waiting for a worker, loading, synthesizing."""
        with self._lock:
            self.queue_s += errand.queue_s
            self.load_s += errand.load_s
            self.synthesis_s += seconds - errand.queue_s - errand.load_s
            self.moments = self.moments or errand.moments

    def read(self, planned: PlannedUtterance) -> None:
        """Count the text of an utterance."""
        self.chars += len(planned.utterance.text)
        self.dropped += planned.dropped

    def spoke(self, planned: PlannedUtterance, start_s: float) -> None:
        """Note that an utterance was heard from `start_s` until now."""
        self.units.append(Unit(planned.utterance.text, start_s, self.duration_s))

    def hear(self, clip: Clip) -> None:
        """Count `clip`, which is about to be emitted."""
        if self.first_audio_at is None and clip.pcm:
            self.first_audio_at = self.clock()
        self.words += (word.after(self.duration_s) for word in clip.words)
        self.frames += clip.frames
        self.dropped += clip.dropped
        self.sample_rate = clip.sample_rate

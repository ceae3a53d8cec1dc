"""The one path from utterances to sound: cache, single flight, synthesis, sanity, pauses.

`say`, `batch`, `prewarm` and `bench` all come through here; what differs is where the clips go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ttsctl.audio.encode import encode_whole
from ttsctl.audio.formats import Encoding
from ttsctl.audio.sanity import check_clip
from ttsctl.audio.wav import read_wav
from ttsctl.cache.key import utterance_key
from ttsctl.cache.off import NullCache
from ttsctl.cache.record import Metadata, Record
from ttsctl.cache.tiers import Cache, Hit
from ttsctl.errors import DeadlineError, EngineError
from ttsctl.metrics import timed
from ttsctl.speech import Clip, Synthesizer, Utterance, Voice, join, silence
from ttsctl.text.safe import NORMALISER_VERSION
from ttsctl.workflows.fallback import Alternatives, Chain
from ttsctl.workflows.plan import PlannedUtterance

CACHEABLE_CHARS = 200
SINGLE_FLIGHT_WAIT_S = 10.0

CacheResult = Literal["miss", "memory", "disk"]


@dataclass
class SpeechLog:
    """What happened while one request was spoken; filled in as its clips are consumed."""

    clock: Callable[[], float] = time.perf_counter
    chain: Chain = field(default_factory=lambda: Chain(None))
    started_at: float = field(init=False)
    first_audio_at: float | None = None
    chars: int = 0
    dropped: int = 0
    frames: int = 0
    sample_rate: int = 0
    load_s: float = 0.0
    synthesis_s: float = 0.0
    encode_s: float = 0.0
    results: set[CacheResult] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.started_at = self.clock()

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

    def elapsed_s(self) -> float:
        """Return the time since the start."""
        return self.clock() - self.started_at

    def answer(self, hit: Hit, utterances: Iterable[PlannedUtterance]) -> None:
        """Note that the whole request was answered by `hit`."""
        for planned in utterances:
            self.read(planned)
        self.results.add(hit.tier)
        self.first_audio_at = self.clock()
        facts = hit.record.metadata
        self.sample_rate = facts.sample_rate
        self.frames = round(facts.duration_s * facts.sample_rate)

    def synthesized(self, seconds: float) -> None:
        """Add time that the engine took."""
        self.synthesis_s += seconds

    def read(self, planned: PlannedUtterance) -> None:
        """Count the text of an utterance."""
        self.chars += len(planned.utterance.text)
        self.dropped += planned.dropped

    def hear(self, clip: Clip) -> None:
        """Count `clip`, which is about to be emitted."""
        if self.first_audio_at is None and clip.pcm:
            self.first_audio_at = self.clock()
        self.frames += clip.frames
        self.dropped += clip.dropped
        self.sample_rate = clip.sample_rate


class Speaker:
    """Speaks utterances from the cache where it can, else from a synthesizer.

    Args:
        synthesizer: Where new sound comes from; it is closed with the speaker.
        cache: Where known sound is kept, or `NullCache()`; it is closed with the speaker.
        is_refreshing: Whether to synthesize even what is cached, and cache the new sound.
        cacheable_chars: How long an utterance may be to be cached; longer ones hardly ever return.
        alternatives: Names the voices that step in where one fails; None for nobody.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        cache: Cache | NullCache,
        *,
        is_refreshing: bool = False,
        cacheable_chars: int = CACHEABLE_CHARS,
        alternatives: Alternatives | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.synthesizer = synthesizer
        self.cache = cache
        self.is_refreshing = is_refreshing
        self.cacheable_chars = cacheable_chars
        self._alternatives = alternatives
        self._clock = clock

    def start_log(self) -> SpeechLog:
        """Return the log for one request, whose time starts now."""
        return SpeechLog(self._clock, Chain(self._alternatives))

    def clips(self, utterances: Iterable[PlannedUtterance], log: SpeechLog) -> Iterator[Clip]:
        """Yield the sound of the utterances in order, with their pauses, as it comes into being.

        Raises:
            EngineError: An utterance could not be spoken; the message says where in the text.
        """
        for planned in utterances:
            log.read(planned)
            pause_s = planned.pause_s
            for clip in self._placed(planned, log):
                if pause_s:
                    # Only now, because the sample rate was not known before.
                    gap, pause_s = silence(pause_s, clip.sample_rate), 0.0
                    log.hear(gap)
                    yield gap
                log.hear(clip)
                yield clip

    def knows(self, key: str) -> bool:
        """Whether `look_up` would find something; does not count as a look-up."""
        return not self.is_refreshing and self.cache.contains(key)

    def look_up(self, key: str) -> Hit | None:
        """Return what the cache has under `key`, unless new sound is wanted."""
        return None if self.is_refreshing else self.cache.get(key)

    def close(self) -> None:
        """End the workers and complete the writes to the cache."""
        self.synthesizer.close()
        self.cache.close()

    def _placed(self, planned: PlannedUtterance, log: SpeechLog) -> Iterator[Clip]:
        """Name the place in the text where an engine failed."""
        try:
            yield from log.chain.speak(
                planned.utterance,
                lambda utterance: self._utterance(utterance, log),
                log.sample_rate,
            )
        except (EngineError, DeadlineError) as error:
            raise type(error)(f"{error.message} (at character {planned.offset:,})") from error

    def _utterance(self, utterance: Utterance, log: SpeechLog) -> Iterator[Clip]:
        key = utterance_key(utterance, NORMALISER_VERSION)
        if hit := self.look_up(key):
            yield _replayed(hit, log)
            return
        with self.cache.single_flight(key, SINGLE_FLIGHT_WAIT_S):
            # Whoever held the key until now may just have cached what we want.
            if self.knows(key) and (hit := self.look_up(key)):
                yield _replayed(hit, log)
                return
            log.results.add("miss")
            yield from self._synthesize(utterance, key, log)

    def _synthesize(self, utterance: Utterance, key: str, log: SpeechLog) -> Iterator[Clip]:
        asked_at = self._clock()
        self.synthesizer.load(utterance.voice)
        log.load_s += self._clock() - asked_at
        heard = []
        for clip in timed(self.synthesizer.stream(utterance), log.synthesized, self._clock):
            heard.append(clip)
            yield clip
        self._remember(utterance, key, heard)

    def _remember(self, utterance: Utterance, key: str, heard: list[Clip]) -> None:
        whole = join(heard or [Clip(b"", 1)])
        spoken = sum(character.isalnum() for character in utterance.text)
        check_clip(whole, spoken, utterance.speed)
        if len(utterance.text) <= self.cacheable_chars:
            facts = SoundFacts("wav", whole.sample_rate, whole.duration_s)
            payload = encode_whole(whole, Encoding("wav"))
            record = remembered("master", utterance.voice, utterance.text, facts, payload)
            self.cache.put(key, record)


def _replayed(hit: Hit, log: SpeechLog) -> Clip:
    log.results.add(hit.tier)
    return read_wav(hit.record.payload)


@dataclass(frozen=True)
class SoundFacts:
    """What a listing tells of a sound without opening it."""

    format: str
    sample_rate: int
    duration_s: float


def remembered(
    kind: Literal["master", "encoded"], voice: Voice, text: str, facts: SoundFacts, payload: bytes
) -> Record:
    """Return what the cache is to keep: `payload`, and what `ttsctl cache list` tells of it."""
    metadata = Metadata(
        kind=kind,
        voice=voice.id,
        format=facts.format,
        sample_rate=facts.sample_rate,
        duration_s=facts.duration_s,
        text=text,
        created_s=time.time(),
    )
    return Record(metadata, payload)

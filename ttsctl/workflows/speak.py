"""The one path from utterances to sound: cache, single flight, synthesis, sanity, pauses.

`say`, `batch`, `prewarm` and `bench` all come through here; what differs is where the clips go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from ttsctl.patience import Patience
from ttsctl.speech import Clip, Errand, Synthesizer, Utterance, Voice, Word, join, silence
from ttsctl.text.safe import NORMALISER_VERSION
from ttsctl.workflows.fallback import Alternatives, Chain, at_rate_of
from ttsctl.workflows.pipeline import in_order
from ttsctl.workflows.plan import PlannedUtterance
from ttsctl.workflows.speech_log import SpeechLog

CACHEABLE_CHARS = 200
SINGLE_FLIGHT_WAIT_S = 10.0


class Speaker:
    """Speaks utterances from the cache where it can, else from a synthesizer.

    Args:
        synthesizer: Where new sound comes from; it is closed with the speaker.
        cache: Where known sound is kept, or `NullCache()`; it is closed with the speaker.
        is_refreshing: Whether to synthesize even what is cached, and cache the new sound.
        cacheable_chars: How long an utterance may be to be cached; longer ones hardly ever return.
        alternatives: Names the voices that step in where one fails; None for nobody.
        at_once: How many utterances of a request are synthesized at the same time.
        patience: Of whoever waits for the request; asked by those who work on it.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        cache: Cache | NullCache,
        *,
        is_refreshing: bool = False,
        cacheable_chars: int = CACHEABLE_CHARS,
        alternatives: Alternatives | None = None,
        at_once: int = 1,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.synthesizer = synthesizer
        self.cache = cache
        self.is_refreshing = is_refreshing
        self.cacheable_chars = cacheable_chars
        self._alternatives = alternatives
        self._at_once = at_once
        self._patience = patience or Patience()
        self.waited_s = 0.0
        """Seconds that the request has waited for its turn."""
        self._clock = clock

    def start_log(self) -> SpeechLog:
        """Return the log for one request, whose time began when it began to wait."""
        return SpeechLog(self._clock, Chain(self._alternatives), queue_s=self.waited_s)

    def clips(
        self, utterances: Iterable[PlannedUtterance], log: SpeechLog
    ) -> Generator[Clip, None, None]:
        """Yield the sound of the utterances in order, with their pauses, as it comes into being.

        Raises:
            EngineError: An utterance could not be spoken; the message says where in the text.
        """

        is_single = isinstance(utterances, Sequence) and len(utterances) == 1
        at_once = 1 if is_single else self._at_once

        def work(planned: PlannedUtterance, is_ahead: bool) -> Generator[Clip, None, None]:
            try:
                yield from self._placed(planned, log, is_ahead)
            finally:
                if at_once > 1:
                    self.cache.close_thread()  # each piece of work has a thread of its own

        for planned, clips in in_order(utterances, work, at_once):
            log.read(planned)
            pause_s = planned.pause_s
            start_s = None
            for clip in at_rate_of(log.sample_rate, clips):
                if pause_s:
                    # Only now, because the sample rate was not known before.
                    gap, pause_s = silence(pause_s, clip.sample_rate), 0.0
                    log.hear(gap)
                    yield gap
                start_s = log.duration_s if start_s is None else start_s
                log.hear(clip)
                yield clip
            log.spoke(planned, start_s or 0.0)

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

    def _placed(
        self, planned: PlannedUtterance, log: SpeechLog, is_ahead: bool
    ) -> Generator[Clip, None, None]:
        """Name the place in the text where an engine failed."""
        try:
            yield from log.chain.speak(
                planned.utterance, lambda utterance: self._utterance(utterance, log, is_ahead)
            )
        except (EngineError, DeadlineError) as error:
            raise type(error)(f"{error.message} (at character {planned.offset:,})") from error

    def _utterance(self, utterance: Utterance, log: SpeechLog, is_ahead: bool) -> Iterator[Clip]:
        key = utterance_key(utterance, NORMALISER_VERSION)
        if hit := self.look_up(key):
            yield _replayed(hit, log)
            return
        with self.cache.single_flight(key, SINGLE_FLIGHT_WAIT_S, self._patience.check):
            # Whoever held the key until now may just have cached what we want.
            if self.knows(key) and (hit := self.look_up(key)):
                yield _replayed(hit, log)
                return
            log.found("miss")
            heard = []
            for clip in self._synthesize(utterance, log, Errand(self._patience, is_ahead)):
                heard.append(clip)
                yield clip
            self._remember(utterance, key, heard)

    def _synthesize(self, utterance: Utterance, log: SpeechLog, errand: Errand) -> Iterator[Clip]:
        seconds: list[float] = []
        try:
            clips = self.synthesizer.stream(utterance, errand)
            yield from timed(clips, seconds.append, self._clock)
        finally:
            log.worked(sum(seconds), errand)

    def _remember(self, utterance: Utterance, key: str, heard: list[Clip]) -> None:
        whole = join(heard or [Clip(b"", 1)])
        spoken = sum(character.isalnum() for character in utterance.text)
        check_clip(whole, spoken, utterance.speed)
        if len(utterance.text) <= self.cacheable_chars:
            facts = SoundFacts(
                "wav", whole.sample_rate, whole.duration_s, whole.words, whole.dropped
            )
            payload = encode_whole(whole, Encoding("wav"))
            record = remembered("master", utterance.voice, utterance.text, facts, payload)
            self.cache.put(key, record)


def _replayed(hit: Hit, log: SpeechLog) -> Clip:
    log.found(hit.tier)
    clip = read_wav(hit.record.payload)
    return replace(clip, words=hit.record.words, dropped=hit.record.dropped)


@dataclass(frozen=True)
class SoundFacts:
    """What is known of a sound without opening it."""

    format: str
    sample_rate: int
    duration_s: float
    words: tuple[Word, ...]

    dropped: int
    """Phonemes that the voice has no sound for."""


def remembered(
    kind: Literal["master", "encoded"], voice: Voice, text: str, facts: SoundFacts, payload: bytes
) -> Record:
    """Return what the cache is to keep: `payload`, what `cache list` tells of it, its words."""
    metadata = Metadata(
        kind=kind,
        voice=voice.id,
        format=facts.format,
        sample_rate=facts.sample_rate,
        duration_s=facts.duration_s,
        text=text,
        created_s=time.time(),
    )
    return Record(metadata, payload, facts.words, facts.dropped)

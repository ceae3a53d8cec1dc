"""Who speaks where the voice that was asked for cannot: the next best engine, and loudly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ttsctl.audio.encode import at_rate
from ttsctl.errors import DeadlineError, EngineError, InvalidVoiceError, OutOfTimeError
from ttsctl.speech import Clip, Utterance, Voice

Alternatives = Callable[[Voice, str], list[Voice]]
"""From a voice and a language to the voices that may take its place, best first."""

Speak = Callable[[Utterance], Iterator[Clip]]

# A voice that does not exist is a mistake of whoever asked, and lost time does not come back.
_NO_FAILURE = (InvalidVoiceError, OutOfTimeError)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fallback:
    """That another voice spoke than was asked for."""

    wanted: Voice
    used: Voice
    reason: str

    def told(self) -> str:
        """Return it as the user is told."""
        return f"{self.wanted.id} failed, so {self.used.id} speaks: {self.reason}"


class Chain:
    """The voices that one request may be spoken by.

    Once a voice has failed, the rest of the request is spoken by the one that took its place: a
    voice that comes and goes from sentence to sentence is worse than either.
    """

    def __init__(self, alternatives: Alternatives | None) -> None:
        self._alternatives = alternatives
        self.fallback: Fallback | None = None

    def speak(self, utterance: Utterance, speak: Speak) -> Iterator[Clip]:
        """Yield the sound of `utterance`, by the first voice that can; see `at_rate_of`.

        A voice that fails after its first sound is not replaced: its words would be heard twice.

        Args:
            utterance: What to say, and by whom first.
            speak: Speaks an utterance by the voice that it names.

        Raises:
            EngineError: The last of the voices failed, or one that had begun.
            DeadlineError: Likewise, by taking too long.
        """
        voices = self._voices(utterance)
        for place, voice in enumerate(voices, 1):
            is_begun = False
            try:
                for clip in speak(_spoken_by(utterance, voice)):
                    is_begun = True
                    yield clip
            except (EngineError, DeadlineError) as error:
                if is_begun or place == len(voices) or isinstance(error, _NO_FAILURE):
                    raise
                self._note(Fallback(utterance.voice, voices[place], error.message))
            else:
                return

    def _voices(self, utterance: Utterance) -> list[Voice]:
        first = self.fallback.used if self.fallback else utterance.voice
        if self._alternatives is None:
            return [first]
        return [first, *self._alternatives(first, utterance.language)]

    def _note(self, fallback: Fallback) -> None:
        self.fallback = fallback
        _logger.warning("%s", fallback.told())


def _spoken_by(utterance: Utterance, voice: Voice) -> Utterance:
    """Return `utterance` for `voice`; options are for the engine that they were given for."""
    if voice == utterance.voice:
        return utterance
    return replace(utterance, voice=voice, options=())


def at_rate_of(sample_rate: int, clips: Iterator[Clip]) -> Iterator[Clip]:
    """Bring the clips of a voice that steps in to the rate of the request; 0 for any rate."""
    for clip in clips:
        if sample_rate in (0, clip.sample_rate):
            yield clip
        else:
            yield from at_rate(clip, clips, sample_rate)

"""From text to the utterances that engines are handed: pure, incremental, and loses no word."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ttsctl.errors import InvalidRequestError, TextTooLongError
from ttsctl.speech import MAX_SPEED, MIN_SPEED, Utterance, Voice
from ttsctl.text.clauses import clauses
from ttsctl.text.safe import SafeText, is_speakable, make_safe
from ttsctl.text.sentences import MIN_CHARS, Boundary, SentenceSplitter

MAX_TEXT_CHARS = 200_000  # about three and a half hours of speech
MAX_PAUSE_S = 60.0
PHONEME_BLOCKS = ("phoneme_blocks", "on")  # the option that lets [[ ]] through to the engine

# What espeak-ng itself pauses at a comma and at a full stop, so that a cut is not heard.
_PAUSES_S: dict[Boundary, float] = {
    "clause": 0.145,
    "sentence": 0.3,
    "paragraph": 0.6,
    "hard": 0.0,
}


@dataclass(frozen=True)
class Manner:
    """How a text is to be spoken."""

    voice: Voice

    language: str
    """BCP 47 tag."""

    speed: float = 1.0
    """Multiplier in [0.25, 4]; larger is faster."""

    sentence_silence_s: float | None = None
    """Pause after a sentence in [0, 60] s, whatever the speed; None for 0.3 s at speed 1."""

    min_chars: int = MIN_CHARS
    """Sentences shorter than this are spoken together with the next one."""

    options: tuple[tuple[str, str], ...] = ()
    """Engine options by name and value, sorted by name."""

    def pause_s(self, boundary: Boundary) -> float:
        """Return the length of the pause after an utterance that ends at `boundary`."""
        if boundary == "sentence" and self.sentence_silence_s is not None:
            return self.sentence_silence_s
        return _PAUSES_S[boundary] / self.speed


@dataclass(frozen=True)
class PlannedUtterance:
    """An utterance and its place in the text."""

    utterance: Utterance

    pause_s: float
    """Silence between the utterance before and this one; the first has none."""

    offset: int
    """Index in the text of its first character."""

    dropped: int
    """Characters left out since the utterance before: emoji, private use; nothing speaks them."""


def check_manner(manner: Manner) -> Manner:
    """Return `manner`, or raise `InvalidRequestError` where a number in it makes no sense."""
    if not (math.isfinite(manner.speed) and MIN_SPEED <= manner.speed <= MAX_SPEED):
        raise InvalidRequestError(
            f"speed {manner.speed:g} is outside {MIN_SPEED:g} to {MAX_SPEED:g}; 1 is normal"
        )
    pause_s = manner.sentence_silence_s
    if pause_s is not None and not (math.isfinite(pause_s) and 0 <= pause_s <= MAX_PAUSE_S):
        raise InvalidRequestError(
            f"sentence silence {pause_s:g} is outside 0 to {MAX_PAUSE_S:g} seconds"
        )
    return manner


def plan(
    pieces: Iterable[str], manner: Manner, *, max_chars: int = MAX_TEXT_CHARS
) -> Iterator[PlannedUtterance]:
    """Yield the utterances of a text that arrives in pieces, each as soon as it is complete.

    The result does not depend on how the text was cut into pieces.

    Raises:
        TextTooLongError: The text has more than `max_chars` characters; raised before the
            utterance that passes the limit.
        InvalidRequestError: The text has ended and nothing in it can be spoken.
    """
    splitter = SentenceSplitter(min_chars=manner.min_chars)
    offset = dropped = 0
    pause_s: float | None = None  # None until something has been spoken
    for segment in splitter.segments(_limited(pieces, max_chars)):
        safe = make_safe(segment.text, has_phonemes=PHONEME_BLOCKS in manner.options)
        dropped += safe.dropped
        if is_speakable(safe.text):
            yield PlannedUtterance(_utterance(safe, manner), pause_s or 0.0, offset, dropped)
            dropped, pause_s = 0, 0.0
        if pause_s is not None:
            # A blank line is a segment of its own: the longest pause of a row counts.
            pause_s = max(pause_s, manner.pause_s(segment.boundary))
        offset += len(segment.text)
    if pause_s is None:
        raise InvalidRequestError("nothing to speak: the text has no letter and no digit")


def _utterance(safe: SafeText, manner: Manner) -> Utterance:
    return Utterance(
        clauses(safe.text), manner.voice, manner.language, manner.speed, manner.options
    )


def _limited(pieces: Iterable[str], max_chars: int) -> Iterator[str]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > max_chars:
            raise TextTooLongError(
                f"the text is over the limit of {max_chars:,} characters;"
                " split it, or speak it line by line with `ttsctl batch`"
            )
        yield piece

"""The words of the trade: voice, utterance, clip, and the seam through which text becomes sound.

Sound is signed 16-bit little-endian mono PCM held in `bytes` everywhere above the engines. It costs
nothing to pass between processes, needs no numpy to write a WAV file, and compares exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ttsctl.patience import Patience

SAMPLE_BYTES = 2  # one frame of mono PCM16

MIN_SPEED, MAX_SPEED = 0.25, 4.0  # the range that every engine must accept

ENGINE_GROUP = "ttsctl.engines"  # entry points of this group are engines of other packages


@dataclass(frozen=True)
class Voice:
    """A voice of an engine, with all that decides how it sounds."""

    engine: str
    """Name of the engine in the registry: "espeak"."""

    name: str
    """Name within the engine: "en-us", "en-us+f3"."""

    language: str
    """BCP 47 tag of the language that the voice speaks: "en-us"."""

    fingerprint: str
    """Versions of engine and phonemiser and digest of the model: what makes old audio stale."""

    model: str = ""
    """Folder of the model's files; empty where the engine brings its own."""

    @property
    def id(self) -> str:
        """The voice as the user writes it: "espeak:en-us"."""
        return f"{self.engine}:{self.name}"


@dataclass(frozen=True)
class Utterance:
    """One stretch of safe text, spoken in one go by one voice: what an engine is handed."""

    clauses: tuple[str, ...]
    """The text in order, cut so that each piece is safe for a phonemiser to take in one call."""

    voice: Voice

    language: str
    """BCP 47 tag; the voice's own unless the user asked for another."""

    speed: float = 1.0
    """Multiplier in [0.25, 4]; 2.0 halves the duration. The same for every engine."""

    options: tuple[tuple[str, str], ...] = ()
    """Further engine options by name and value, sorted by name."""

    @property
    def text(self) -> str:
        """The whole text, as it was before it was cut into clauses."""
        return "".join(self.clauses)


@dataclass(frozen=True)
class Word:
    """A word of the text and when it is spoken."""

    text: str
    """As it is written, with the punctuation that touches it."""

    start_s: float
    """Seconds from the beginning of the clip; likewise the end."""

    end_s: float

    def after(self, seconds: float) -> Word:
        """Return the word as it is where its clip begins so much later."""
        return Word(self.text, self.start_s + seconds, self.end_s + seconds)


@dataclass(frozen=True)
class Clip:
    """A stretch of sound: a chunk of a stream or a whole utterance."""

    pcm: bytes
    """Signed 16-bit little-endian mono samples; the length is even."""

    sample_rate: int

    dropped: int = 0
    """Phonemes of the text up to here that the voice has no sound for, and that were left out."""

    words: tuple[Word, ...] = ()
    """Those that begin in it, in order, within its length and not overlapping; empty where the
    model does not tell when it says what."""

    @property
    def frames(self) -> int:
        """Number of samples."""
        return len(self.pcm) // SAMPLE_BYTES

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


@dataclass
class Errand:
    """What an utterance is synthesized for: how urgent it is, and where its time went."""

    patience: Patience = field(default_factory=Patience)

    is_ahead: bool = False
    """Whether another utterance will be heard before this one, so that it can wait."""

    queue_s: float = 0.0
    """Seconds spent waiting for a worker; filled in by the synthesizer, like the next."""

    load_s: float = 0.0
    """Seconds spent waiting for the voice to be loaded."""

    moments: dict[str, float] = field(default_factory=dict)
    """When its worker was started, was ready, and had the voice, on the clock `perf_counter`."""


class Synthesizer(Protocol):
    """The seam between what ttsctl does and where engines run.

    A worker process is one; a fake in a test is another. Cache, fallback and single flight stand
    above it.
    """

    def stream(self, utterance: Utterance, errand: Errand | None = None) -> Iterator[Clip]:
        """Yield the utterance's sound as it comes into being: all clips of one sample rate.

        Raises:
            EngineError: the engine failed, or died, on this text.
            DeadlineError: it took too long.
            CancelledError: the errand's patience ended.
        """
        ...

    def warm_up(self, voice: Voice, *, has_trial: bool = False) -> None:
        """Begin to load `voice` in the background; a failure shows on first use, not here.

        With a trial it then speaks a word to nobody, for when no text is there yet.
        """
        ...

    def load(self, voice: Voice) -> None:
        """Wait until `voice` is ready to speak; returns at once where it is.

        Raises:
            EngineError: There is no such voice, or it cannot be loaded.
        """
        ...

    def close(self) -> None:
        """Free what it holds. Safe to call twice."""
        ...


def join(clips: list[Clip]) -> Clip:
    """Return the clips end to end; the list is not empty and all are of one sample rate."""
    sample_rate = clips[0].sample_rate
    if any(clip.sample_rate != sample_rate for clip in clips):
        raise ValueError("clips of different sample rates cannot be joined")
    pcm = b"".join(clip.pcm for clip in clips)
    words: list[Word] = []
    frames = 0
    for clip in clips:
        words += (word.after(frames / sample_rate) for word in clip.words)
        frames += clip.frames
    return Clip(pcm, sample_rate, sum(clip.dropped for clip in clips), tuple(words))


def words_to_json(words: Iterable[Word]) -> list[tuple[str, float, float]]:
    """Return what stands for the words in JSON."""
    return [(word.text, float(word.start_s), float(word.end_s)) for word in words]


def words_from_json(rows: object) -> tuple[Word, ...]:
    """Return the words that `words_to_json` was given; anything may be handed in.

    Raises:
        ValueError: It is something else, or has a time that cannot be.
    """
    match rows:
        case [*found]:
            return tuple(map(_word, found))
    raise ValueError("words are a list")


def _word(row: object) -> Word:
    match row:
        case [str(text), float(start_s), float(end_s)] if 0 <= start_s <= end_s < math.inf:
            text.encode()  # half a surrogate pair could not be printed
            return Word(text, start_s, end_s)
    raise ValueError("a word is a text and two moments in order")


def silence(duration_s: float, sample_rate: int) -> Clip:
    """Return `duration_s` seconds of digital silence, rounded to a whole sample."""
    return Clip(bytes(round(duration_s * sample_rate) * SAMPLE_BYTES), sample_rate)

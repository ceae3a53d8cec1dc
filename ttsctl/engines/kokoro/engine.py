"""Kokoro: 82 million parameters, nine languages, blends of voices; runs on onnxruntime.

Its voices are files that the user installs, so the engine lists none: the catalogue does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ttsctl.engines.kokoro import chunks, languages, voicepack
from ttsctl.engines.kokoro.languages import Phonemise
from ttsctl.engines.kokoro.model import CONFIG, graph_file, open_reference
from ttsctl.engines.kokoro.runtime import Runtime, Samples, Spoken, open_model
from ttsctl.engines.kokoro.transcript import Transcript
from ttsctl.engines.kokoro.vocabulary import Vocabulary, read_vocabulary
from ttsctl.engines.options import one_of, read_options
from ttsctl.engines.stretch import stretch
from ttsctl.errors import EngineError, ModelNotFoundError
from ttsctl.settings import engine_threads
from ttsctl.speech import Clip, Utterance, Voice

SAMPLE_RATE = 24_000
RUNTIMES = ("onnx", "torch")
DEFAULT_THREADS = 2  # more help little: a third of the work is not divided
_OPTIONS = {"runtime": one_of(*RUNTIMES)}

# Beyond these the model is out of its depth: a phoneme lasts a frame of 25 ms at least, and slowly
# spoken ones get odd melodies. What is asked for beyond them, the time-stretcher does.
_NATIVE_SPEEDS = (0.5, 1.5)
_UNHEARD = 0.02  # a difference in speed that is not worth stretching for
_PEAK = 32_767

_MODEL_FOLDER = "model"

OpenRuntime = Callable[[str, Voice], Runtime]
FindPhonemiser = Callable[[str], Phonemise]


@dataclass(frozen=True, eq=False)
class _Loaded:
    """What a voice needs to speak."""

    voice: Voice
    kind: str
    vocabulary: Vocabulary
    runtime: Runtime
    styles: Samples


class KokoroEngine:
    """Kokoro, with one voice loaded at a time; the model is kept when the voice changes."""

    def __init__(
        self,
        open_runtime: OpenRuntime | None = None,
        find_phonemiser: FindPhonemiser = languages.find_phonemiser,
    ) -> None:
        self._open_runtime = open_runtime or _open_runtime
        self._find_phonemiser = find_phonemiser
        self._phonemisers: dict[str, Phonemise] = {}
        self._loaded: _Loaded | None = None

    def voices(self) -> list[Voice]:
        """Return nothing: Kokoro's voices are files that the user installs."""
        return []

    def load(self, voice: Voice) -> None:
        """Open the model and read the styles of the voice."""
        self._load(voice, RUNTIMES[0])
        self._phonemiser(languages.language_of(voice.language, voice.name))

    def synthesize(self, utterance: Utterance) -> Iterator[Clip]:
        """Yield one clip a chunk, a short one first: 16-bit samples at 24 kHz, and their words."""
        kind = read_options("kokoro", utterance.options, _OPTIONS).get("runtime", RUNTIMES[0])
        loaded = self._load(utterance.voice, kind)
        language = languages.language_of(utterance.language, utterance.voice.name)
        transcript = Transcript(
            utterance.clauses, language, self._phonemiser(language), loaded.vocabulary
        )
        dropped, start = transcript.dropped, 0
        for chunk in chunks.cut(transcript.symbols):
            spoken = _speak(loaded, chunk, utterance.speed)
            clip = _clip(spoken.samples, dropped)
            start = transcript.symbols.index(chunk, start)
            place = range(start, start + len(chunk))
            words = transcript.words(place, spoken.durations, clip.duration_s)
            yield replace(clip, words=words)
            dropped, start = 0, place.stop

    def _load(self, voice: Voice, kind: str) -> _Loaded:
        before = self._loaded
        if before and (before.voice, before.kind) == (voice, kind):
            return before
        if not voice.model:
            raise ModelNotFoundError(
                f"voice '{voice.id}' is not installed; run: ttsctl voices get kokoro"
            )
        root = Path(voice.model)
        vocabulary = read_vocabulary(root / _MODEL_FOLDER / CONFIG)
        styles = voicepack.load_styles(root, voice.name)
        is_open = before and (before.voice.model, before.kind) == (voice.model, kind)
        runtime = before.runtime if before and is_open else self._open_runtime(kind, voice)
        self._loaded = _Loaded(voice, kind, vocabulary, runtime, styles)
        return self._loaded

    def _phonemiser(self, language: str) -> Phonemise:
        if language not in self._phonemisers:
            self._phonemisers[language] = self._find_phonemiser(language)
        return self._phonemisers[language]


def _open_runtime(kind: str, voice: Voice) -> Runtime:
    folder = Path(voice.model) / _MODEL_FOLDER
    if kind == "torch":
        return open_reference(folder)
    return open_model(graph_file(folder), _threads())


def _threads() -> int:
    """Return how many threads to use: what was asked for, else two, where there are two."""
    return engine_threads() or min(DEFAULT_THREADS, len(os.sched_getaffinity(0)))


def _speak(loaded: _Loaded, chunk: str, speed: float) -> Spoken:
    """Return the sound of one chunk, with its speed true to some 2 %.

    Durations are whole frames and at least one, so the model alone is too slow at high speeds; what
    the durations at speed 1 tell to be lacking is made up by stretching.
    """
    low, high = _NATIVE_SPEEDS
    native = min(max(speed, low), high)
    style = loaded.styles[min(len(chunk), voicepack.MAX_SYMBOLS) - 1]
    spoken = loaded.runtime.speak(loaded.vocabulary.numbers(chunk), style, native)
    if spoken.samples.size == 0 or not np.isfinite(spoken.samples).all():
        raise EngineError("kokoro's model returned no sound, or numbers that are not finite")
    reached = native
    if spoken.durations is not None and spoken.plain_durations is not None:
        reached = float(spoken.plain_durations.sum() / spoken.durations.sum())
    lacking = speed / reached
    if abs(lacking - 1) < _UNHEARD:
        return spoken
    return replace(spoken, samples=stretch(spoken.samples, lacking))


def _clip(samples: Samples, dropped: int) -> Clip:
    pcm = np.clip(samples * _PEAK, -_PEAK - 1, _PEAK).astype("<i2")
    return Clip(pcm.tobytes(), SAMPLE_RATE, dropped)

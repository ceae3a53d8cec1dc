"""Kokoro tells when it says which word."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.engines.kokoro.texts import SENTENCES
from ttsctl.engines.kokoro.engine import KokoroEngine
from ttsctl.engines.kokoro.languages import Phonemise
from ttsctl.engines.kokoro.phonemes_espeak import EspeakPhonemiser
from ttsctl.engines.kokoro.runtime import Samples, Spoken
from ttsctl.speech import Clip, Utterance, Voice, join
from ttsctl.text.clauses import clauses

SPACED = [language for language in SENTENCES if language not in ("ja", "zh")]


def speak(
    engine: KokoroEngine, voice: Voice, language: str, speed: float = 1.0, **options: str
) -> Clip:
    text = clauses(SENTENCES[language])
    utterance = Utterance(text, voice, language, speed, tuple(options.items()))
    return join(list(engine.synthesize(utterance)))


@pytest.mark.parametrize("language", SPACED)
def test_every_word_of_a_sentence_has_its_time(
    engine: KokoroEngine, heart: Voice, language: str
) -> None:
    clip = speak(engine, heart, language)
    assert [word.text for word in clip.words] == SENTENCES[language].split()
    assert clip.words[0].start_s > 0
    assert all(word.start_s < word.end_s for word in clip.words)
    assert all(before.end_s <= after.start_s for before, after in pairwise(clip.words))
    assert clip.words[-1].end_s < clip.duration_s


@pytest.mark.parametrize("language", ["ja", "zh"])
def test_a_language_without_spaces_has_none(
    engine: KokoroEngine, heart: Voice, language: str
) -> None:
    assert speak(engine, heart, language).words == ()


@pytest.mark.parametrize("speed", [0.25, 0.8, 2.0, 4.0])
def test_speed_divides_the_times(engine: KokoroEngine, heart: Voice, speed: float) -> None:
    """By the model and by the stretcher."""
    normal, changed = (speak(engine, heart, "es", each).words for each in (1.0, speed))
    assert [word.text for word in changed] == [word.text for word in normal]
    ends = [word.end_s * speed for word in changed]
    assert ends == pytest.approx([word.end_s for word in normal], abs=0.2, rel=0.03)


def test_the_original_model_tells_the_same(engine: KokoroEngine, heart: Voice) -> None:
    ours, theirs = speak(engine, heart, "en-us"), speak(engine, heart, "en-us", runtime="torch")
    assert theirs.words == ours.words != ()


def test_a_model_that_hides_its_durations_gives_none_and_costs_nothing(heart: Voice) -> None:
    class Silent:
        """A graph made elsewhere, with one output."""

        def speak(self, ids: list[int], style: Samples, speed: float) -> Spoken:
            return Spoken(np.zeros(600, np.float32), None, None)

    asked: list[str] = []

    def find(language: str) -> Phonemise:
        phonemiser = EspeakPhonemiser(language)
        return lambda text: asked.append(text) or phonemiser(text)  # type: ignore[func-returns-value]

    clip = speak(KokoroEngine(lambda _kind, _voice: Silent(), find), heart, "it")
    assert clip.words == ()
    assert "".join(asked) == SENTENCES["it"]

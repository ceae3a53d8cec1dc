"""What is particular to espeak-ng."""

from __future__ import annotations

import pytest

from ttsctl.engines.espeak import EspeakEngine
from ttsctl.errors import InvalidVoiceError
from ttsctl.speech import Clip, Utterance, Voice, join
from ttsctl.voices import espeak as files


@pytest.fixture(name="engine", scope="module")
def _engine() -> EspeakEngine:
    return EspeakEngine()


def speak(engine: EspeakEngine, text: str, name: str, speed: float = 1.0) -> Clip:
    voice = Voice("espeak", name, "und", "")
    return join(list(engine.synthesize(Utterance((text,), voice, "und", speed))))


def test_the_catalogue_knows_exactly_the_voices_that_the_library_has(engine: EspeakEngine) -> None:
    package = files.package_folder()
    assert package is not None
    assert [entry.name for entry in files.languages(package)] == [
        voice.name for voice in engine.voices()
    ]


def test_the_catalogue_knows_exactly_the_variants_that_the_library_takes(
    engine: EspeakEngine,
) -> None:
    package = files.package_folder()
    assert package is not None
    for variant in files.variants(package):
        engine.load(Voice("espeak", f"en-us+{variant}", "en-us", ""))


def test_a_variant_changes_the_voice_and_an_unknown_one_is_refused(engine: EspeakEngine) -> None:
    assert speak(engine, "Hello", "en-us+f3") != speak(engine, "Hello", "en-us")
    with pytest.raises(InvalidVoiceError, match="whisper"):
        engine.load(Voice("espeak", "en-us+whispr", "en-us", ""))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("en-us", "Good morning"),
        ("de", "Guten Morgen, schöne Grüße"),
        ("fr-fr", "Bonjour à tous"),
        ("es", "Buenos días, señora"),
        ("ru", "Доброе утро"),
        ("hi", "सुप्रभात"),
        ("ar", "صباح الخير"),
        ("cmn", "早上好"),
        ("ja", "おはよう"),
    ],
)
def test_speaks_many_languages(engine: EspeakEngine, name: str, text: str) -> None:
    clip = speak(engine, text, name)
    assert clip.sample_rate == 22_050
    assert 0.2 < clip.duration_s < 6


def test_the_sample_rate_is_never_clipped_to_silence_by_the_stretcher(
    engine: EspeakEngine,
) -> None:
    slow = speak(engine, "Hello", "en-us", speed=0.25)
    fast = speak(engine, "Hello", "en-us", speed=4.0)
    assert any(slow.pcm)
    assert any(fast.pcm)
    assert slow.duration_s > 8 * fast.duration_s

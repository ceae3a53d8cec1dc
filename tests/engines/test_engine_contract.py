"""What every engine must do, run once an engine."""

from __future__ import annotations

import pytest

from ttsctl.engines import registry
from ttsctl.engines.base import Engine
from ttsctl.engines.piper.engine import PiperEngine
from ttsctl.engines.piper.model import open_prepared
from ttsctl.errors import InvalidVoiceError, ModelNotFoundError, NotInstalledError
from ttsctl.speech import Utterance, Voice, join

VOICES = {
    "espeak": Voice("espeak", "en-us", "en-us", ""),
    "tone": Voice("tone", "sine", "und", ""),
}
# What an engine adds at random is switched off, so that durations can be compared.
STEADY = {"piper": (("noise_scale", "0"), ("noise_w_scale", "0"))}


@pytest.fixture(name="engine", scope="module", params=["espeak", "kokoro", "piper", "tone"])
def _engine(request: pytest.FixtureRequest) -> tuple[Engine, Voice]:
    name = request.param
    if name == "piper":
        folder = request.getfixturevalue("prepared")
        voice = request.getfixturevalue("tiny")
        return PiperEngine(lambda model, _: open_prepared(folder / model.stem)), voice
    if name == "kokoro":
        root = request.getfixturevalue("root")
        return registry.create(name), Voice(name, "af_heart", "en-us", "contract", str(root))
    return registry.create(name), VOICES[name]


def utterance(voice: Voice, *clauses: str, speed: float = 1.0) -> Utterance:
    return Utterance(clauses, voice, "en-us", speed, STEADY.get(voice.engine, ()))


def test_speaks_a_sentence_that_lasts_as_long_as_speech(engine: tuple[Engine, Voice]) -> None:
    speaker, voice = engine
    clip = join(list(speaker.synthesize(utterance(voice, "Hello there, world."))))
    assert 0.1 < clip.duration_s < 5
    assert any(clip.pcm)


def test_equal_requests_sound_alike_whatever_came_between(engine: tuple[Engine, Voice]) -> None:
    """Not equal to the bit: espeak-ng's pitch flutters on from one utterance to the next."""
    speaker, voice = engine
    asked = utterance(voice, "One two three.")
    first = join(list(speaker.synthesize(asked)))
    list(speaker.synthesize(utterance(voice, "Something else.", speed=2.0)))
    again = join(list(speaker.synthesize(asked)))
    assert again.duration_s == pytest.approx(first.duration_s, rel=0.005)


def test_lists_the_voice_that_it_speaks(engine: tuple[Engine, Voice]) -> None:
    speaker, voice = engine
    if not voice.model:  # the voices that a user installs are no engine's own
        assert voice.name in [listed.name for listed in speaker.voices()]


def test_refuses_a_voice_that_does_not_exist(engine: tuple[Engine, Voice]) -> None:
    speaker, voice = engine
    with pytest.raises((InvalidVoiceError, ModelNotFoundError), match="nosuch"):
        speaker.load(Voice(voice.engine, "nosuch", "und", "", voice.model))
    speaker.load(voice)  # and goes on


@pytest.mark.parametrize("speed", [0.25, 0.4, 0.5, 0.75, 1.2, 1.3, 1.5, 2.0, 3.0, 4.0])
def test_speed_is_a_true_multiplier(engine: tuple[Engine, Voice], speed: float) -> None:
    speaker, voice = engine
    text = "The quick brown fox jumps over the lazy dog, and then it runs away."
    normal = join(list(speaker.synthesize(utterance(voice, text))))
    changed = join(list(speaker.synthesize(utterance(voice, text, speed=speed))))
    assert normal.duration_s / changed.duration_s == pytest.approx(speed, rel=0.06)


def test_a_cut_into_clauses_does_not_swallow_the_pause(engine: tuple[Engine, Voice]) -> None:
    speaker, voice = engine
    whole = utterance(voice, "The farmer went home, and the dog stayed out.")
    cut = utterance(voice, "The farmer went home,", " and the dog stayed out.")
    durations = [join(list(speaker.synthesize(each))).duration_s for each in (whole, cut)]
    assert durations[1] == pytest.approx(durations[0], abs=0.02)


def test_an_unknown_engine_is_not_installed() -> None:
    with pytest.raises(NotInstalledError, match="acme"):
        registry.create("acme")

"""The Piper engine: speakers, options, phonemes, and what happens to files that are wrong."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.built import CHOIR, N_SPEAKERS, TINY
from ttsctl.engines.piper.config import read_config
from ttsctl.engines.piper.engine import PiperEngine
from ttsctl.engines.piper.phonemes import blocks, phonemiser, with_blocks
from ttsctl.errors import (
    InvalidRequestError,
    InvalidVoiceError,
    ModelNotFoundError,
    NotInstalledError,
)
from ttsctl.speech import Clip, Utterance, Voice, join

QUIET = (("noise_scale", "0"), ("noise_w_scale", "0"))
TEXT = ("The quick brown fox jumps over the lazy dog.",)


def say(
    engine: PiperEngine, voice: Voice, text: tuple[str, ...] = TEXT, **options: str
) -> list[Clip]:
    pairs = {**dict(QUIET), **options}
    utterance = Utterance(text, voice, "en-us", options=tuple(sorted(pairs.items())))
    return list(engine.synthesize(utterance))


def named(voice: Voice, speaker: str) -> Voice:
    return Voice(voice.engine, f"{voice.name}#{speaker}", "en-us", voice.fingerprint, voice.model)


def test_sound_streams_inside_a_sentence(engine: PiperEngine, tiny: Voice) -> None:
    clips = say(engine, tiny)
    assert len(clips) > 3
    assert clips[0].duration_s < 0.3
    assert {clip.sample_rate for clip in clips} == {22_050}


def test_without_noise_the_same_text_is_the_same_sound(engine: PiperEngine, tiny: Voice) -> None:
    assert join(say(engine, tiny)).pcm == join(say(engine, tiny)).pcm


def test_noise_and_width_change_the_sound(engine: PiperEngine, tiny: Voice) -> None:
    quiet = join(say(engine, tiny)).pcm
    assert join(say(engine, tiny, noise_scale="0.667")).pcm != quiet
    durations = {len(join(say(engine, tiny, noise_w_scale="1.5")).pcm) for _ in range(4)}
    assert len(durations) > 1


def test_every_speaker_has_a_sound_of_its_own(engine: PiperEngine, choir: Voice) -> None:
    heard = {join(say(engine, named(choir, str(number)))).pcm for number in range(N_SPEAKERS)}
    assert len(heard) == N_SPEAKERS
    first = join(say(engine, named(choir, "0"))).pcm
    assert first == join(say(engine, named(choir, "p0"))).pcm  # by name
    assert first == join(say(engine, choir, speaker_id="0")).pcm  # by option
    assert first == join(say(engine, choir)).pcm  # by default


@pytest.mark.parametrize("speaker", ["3", "p3", "nobody", "-1", "٣"])
def test_an_unknown_speaker_is_refused(engine: PiperEngine, choir: Voice, speaker: str) -> None:
    with pytest.raises(InvalidVoiceError, match="no speaker"):
        say(engine, named(choir, speaker))


def test_an_unknown_speaker_id_is_refused(engine: PiperEngine, choir: Voice) -> None:
    with pytest.raises(InvalidVoiceError, match="no speaker 7"):
        say(engine, choir, speaker_id="7")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise_scale", "loud"),
        ("noise_scale", "-1"),
        ("noise_scale", "nan"),
        ("noise_w_scale", "1e9"),
        ("speaker_id", "first"),
        ("phoneme_blocks", "yes"),
        ("noisescale", "1"),
    ],
)
def test_a_wrong_option_is_refused(engine: PiperEngine, tiny: Voice, name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        say(engine, tiny, **{name: value})


def test_loudness_is_left_alone(engine: PiperEngine, tiny: Voice) -> None:
    """piper scales every sentence to full volume, so that a whisper is as loud as a shout."""
    peak = np.abs(np.frombuffer(join(say(engine, tiny)).pcm, "<i2")).max()
    assert 0 < peak < 32_000


def test_phonemes_without_an_id_are_counted(engine: PiperEngine, tiny: Voice) -> None:
    clips = say(engine, tiny, ("[[a☃b☃]]",), phoneme_blocks="on")
    assert sum(clip.dropped for clip in clips) == 2


def test_no_phonemes_make_no_sound(engine: PiperEngine, tiny: Voice) -> None:
    assert say(engine, tiny, ("  ",)) == []


# --- text to phonemes ---


@pytest.fixture(name="config")
def _config(piper_models: Path) -> Any:
    return read_config(piper_models / f"{TINY}.onnx.json")


def test_sentences_are_cut_where_marks_end_them(config: Any, tmp_path: Path) -> None:
    phonemise = phonemiser(config, tmp_path)
    assert len(phonemise(["One. Two? Three!"])) == 3
    assert len(phonemise(["One thing,", " and another."])) == 1  # not at the end of a call
    (whole,) = phonemise(["One thing, and another."])
    (cut,) = phonemise(["One thing,", " and another."])
    assert whole == cut


def test_a_change_of_language_is_not_spoken(config: Any, tmp_path: Path) -> None:
    phonemes = "".join(phonemiser(config, tmp_path)(["Das Weekend ist der Hit."])[0])
    assert "(" not in phonemes


def test_blocks_are_phonemes_only_where_they_are_asked_for(
    config: Any, tmp_path: Path, engine: PiperEngine, tiny: Voice
) -> None:
    phonemise = phonemiser(config, tmp_path)
    (sentence,) = with_blocks(phonemise, ["say [[həlˈoʊ]] now"])
    assert "həlˈoʊ" in "".join(sentence)
    plain = say(engine, tiny, ("say [[həlˈoʊ]] now",))
    spoken = say(engine, tiny, ("say [[həlˈoʊ]] now",), phoneme_blocks="on")
    assert join(plain).pcm != join(spoken).pcm


def test_a_block_may_lie_across_two_clauses() -> None:
    assert list(blocks(["one [[a", "b]] two", " three"])) == [
        ("one ", False),
        ("ab", True),
        (" two", False),
        (" three", False),
    ]


def test_text_voices_take_the_letters(piper_models: Path, tmp_path: Path) -> None:
    config = read_config(_changed(piper_models, tmp_path, phoneme_type="text"))
    assert phonemiser(config, tmp_path)(["né", " oui"]) == [[*"ne\u0301", *" oui"]]


def test_vowel_clusters_are_one_phoneme(piper_models: Path, tmp_path: Path) -> None:
    path = _changed(piper_models, tmp_path, vowel_clusters=[["a", "ɪ"], ["o", "ʊ"]])
    (sentence,) = phonemiser(read_config(path), tmp_path)(["my"])
    assert "aɪ" in sentence


def test_arabic_is_written_with_its_vowels_first(piper_models: Path, tmp_path: Path) -> None:
    path = _changed(piper_models, tmp_path, espeak={"voice": "ar"})
    (sentence,) = phonemiser(read_config(path), tmp_path)(["مرحبا بالعالم"])
    assert len(sentence) > 10


def test_hebrew_has_its_own_phonemiser(piper_models: Path, tmp_path: Path) -> None:
    path = _changed(piper_models, tmp_path, phoneme_type="hebrew")
    assert phonemiser(read_config(path), tmp_path)(["שלום עולם"])[0]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("pinyin", ModelNotFoundError), ("braille", ModelNotFoundError)],
)
def test_phonemes_that_cannot_be_had_are_a_typed_error(
    piper_models: Path, tmp_path: Path, kind: str, error: type[Exception]
) -> None:
    """For pinyin piper would fetch a model."""
    config = read_config(_changed(piper_models, tmp_path, phoneme_type=kind))
    with pytest.raises(error):
        phonemiser(config, tmp_path)


_NEEDED = {"japanese": "pyopenjtalk", "thai": "tltk"}


@pytest.mark.parametrize("kind", _NEEDED)
def test_a_language_whose_package_is_missing_says_what_to_install(
    piper_models: Path, tmp_path: Path, kind: str
) -> None:
    config = read_config(_changed(piper_models, tmp_path, phoneme_type=kind))
    if importlib.util.find_spec(_NEEDED[kind]):
        assert phonemiser(config, tmp_path)(["こんにちは", "สวัสดี"])
        return
    with pytest.raises(NotInstalledError, match=re.escape("pip install 'piper-tts[")):
        phonemiser(config, tmp_path)


# --- files that are wrong ---


def _changed(piper_models: Path, tmp_path: Path, **fields: Any) -> Path:
    """Write the tiny voice's settings with other `fields`; None leaves one out."""
    settings = json.loads((piper_models / f"{TINY}.onnx.json").read_text(encoding="utf-8"))
    settings.update(fields)
    kept = {name: value for name, value in settings.items() if value is not None}
    path = tmp_path / f"{TINY}.onnx.json"
    path.write_text(json.dumps(kept), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"audio": 7}',
        b'{"audio": {"sample_rate": "x"}}',
    ],
)
def test_settings_that_are_none_are_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.onnx.json").write_bytes(content)
    with pytest.raises(ModelNotFoundError, match=r"v\.onnx\.json"):
        read_config(tmp_path / "v.onnx.json")


@pytest.mark.parametrize("lacking", ["audio", "espeak", "phoneme_id_map", "num_speakers"])
def test_settings_that_lack_something_say_what(
    piper_models: Path, tmp_path: Path, lacking: str
) -> None:
    path = _changed(piper_models, tmp_path, **{lacking: None})
    with pytest.raises(ModelNotFoundError, match=lacking):
        read_config(path)


def test_a_map_without_the_marks_of_a_sentence_is_refused(
    piper_models: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFoundError, match="phoneme_id_map"):
        read_config(_changed(piper_models, tmp_path, phoneme_id_map={"a": [1]}))


def test_a_voice_that_is_gone_says_how_to_get_it(engine: PiperEngine, tmp_path: Path) -> None:
    gone = Voice("piper", "en_US-lessac-medium", "en-us", "", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="ttsctl voices get en_US-lessac-medium"):
        engine.load(gone)


def test_another_model_of_the_same_name_is_loaded_anew(
    engine: PiperEngine, tiny: Voice, choir: Voice, tmp_path: Path
) -> None:
    """A voice that was fetched again must not be spoken by what was loaded before."""
    before = join(say(engine, choir)).pcm
    for suffix in (".onnx", ".onnx.json"):
        shutil.copy(Path(tiny.model) / f"{TINY}{suffix}", tmp_path / f"{TINY}{suffix}")
    engine.load(Voice("piper", TINY, "en-us", "new", str(tmp_path)))
    assert join(say(engine, choir)).pcm == before
    assert CHOIR in choir.name


def test_without_a_cache_folder_it_speaks_all_the_same(
    tiny: Voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert say(PiperEngine(), tiny)

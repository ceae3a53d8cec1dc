"""The engine as a whole, on the small model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ttsctl.engines import registry
from ttsctl.engines.kokoro.engine import KokoroEngine
from ttsctl.engines.kokoro.runtime import Samples, Spoken, open_model
from ttsctl.engines.stretch import stretch
from ttsctl.errors import (
    EngineError,
    InvalidRequestError,
    InvalidVoiceError,
    ModelNotFoundError,
)
from ttsctl.speech import Clip, Utterance, Voice, join

TEXT = ("The quick brown fox jumps over the lazy dog, and then it runs away.",)


def speak(engine: KokoroEngine, voice: Voice, text: tuple[str, ...] = TEXT, **more: float) -> Clip:
    return join(list(engine.synthesize(Utterance(text, voice, voice.language, **more))))


def test_the_registry_knows_it() -> None:
    assert isinstance(registry.create("kokoro"), KokoroEngine)
    assert KokoroEngine().voices() == []


def test_speaks_and_repeats_itself_to_the_bit(engine: KokoroEngine, heart: Voice) -> None:
    first = speak(engine, heart, ("Hello there.",))
    speak(engine, heart, ("Else.",))
    assert first.sample_rate == 24_000
    assert 0.3 < first.duration_s < 5
    assert speak(engine, heart, ("Hello there.",)) == first


def test_the_first_clip_of_a_long_text_is_short(engine: KokoroEngine, heart: Voice) -> None:
    text = "After a while, the old man who lived at the end of the road went home and slept."
    clips = engine.synthesize(Utterance((text, f" {text}"), heart, "en-us"))
    assert next(clips).duration_s < 4
    clips.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.3, 2.0, 4.0])
def test_speed_is_a_true_multiplier(engine: KokoroEngine, heart: Voice, speed: float) -> None:
    text = ("A quick brown fox, at last.",)
    normal, changed = speak(engine, heart, text), speak(engine, heart, text, speed=speed)
    assert normal.duration_s / changed.duration_s == pytest.approx(speed, rel=0.03)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.4, 2.5, 4.0])
def test_stretching_changes_the_length_and_not_the_pitch(speed: float) -> None:
    tone = np.sin(np.arange(48_000) * (2 * np.pi * 200 / 24_000)).astype(np.float32)
    found = stretch(tone, speed)
    assert len(found) == round(48_000 / speed)
    middle = found[2_000 : 2_000 + 7_200]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * 24_000 / len(middle) == pytest.approx(200, abs=4)
    assert np.abs(middle).max() == pytest.approx(1, abs=0.1)


def test_a_blend_sounds_unlike_its_parts(engine: KokoroEngine, heart: Voice) -> None:
    text = ("Good day.",)
    names = ("af_nicole", "af_sky", "af_nicole*0.6+af_sky*0.4")
    clips = {speak(engine, replace(heart, name=name), text).pcm for name in names}
    assert len(clips) == 3


def test_torch_is_a_runtime_of_equal_durations(engine: KokoroEngine, heart: Voice) -> None:
    utterance = Utterance(("Good day.",), heart, "en-us")
    reference = replace(utterance, options=(("runtime", "torch"),))
    ours, theirs = (join(list(engine.synthesize(each))) for each in (utterance, reference))
    assert ours.frames == theirs.frames
    levels = [np.frombuffer(clip.pcm, "<i2").astype(float).std() for clip in (ours, theirs)]
    assert levels[0] == pytest.approx(levels[1], rel=0.2)


@pytest.mark.parametrize(
    ("option", "message"),
    [(("pitch", "2"), "no option 'pitch'; it has: runtime"), (("runtime", "gpu"), "onnx, torch")],
)
def test_unknown_options_are_refused(
    engine: KokoroEngine, heart: Voice, option: tuple[str, str], message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        list(engine.synthesize(Utterance(TEXT, heart, "en-us", options=(option,))))


def test_what_is_not_there_is_named(engine: KokoroEngine, heart: Voice, tmp_path: Path) -> None:
    with pytest.raises(InvalidVoiceError, match="nosuch"):
        engine.load(replace(heart, name="nosuch"))
    for model in ("", str(tmp_path)):
        with pytest.raises(ModelNotFoundError, match="ttsctl voices get kokoro"):
            engine.load(replace(heart, model=model))
    engine.load(heart)  # and goes on


@pytest.mark.parametrize("size", [0, 1_000, 1_000_000])
def test_a_truncated_model_is_named(root: Path, heart: Voice, tmp_path: Path, size: int) -> None:
    model = tmp_path / "model.onnx"
    with (root / "model" / "model.onnx").open("rb") as whole:
        model.write_bytes(whole.read(size))
    with pytest.raises(ModelNotFoundError, match=r"model\.onnx cannot be opened"):
        open_model(model, 1)


def test_a_damaged_prepared_graph_is_made_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = root / "model" / "model.onnx"
    open_model(model, 1)
    (graph,) = tmp_path.rglob("kokoro.onnx")
    graph.write_bytes(b"")
    with pytest.raises(ModelNotFoundError):
        open_model(model, 1)
    open_model(model, 1)
    shutil.rmtree(tmp_path)  # 240 MB


class Broken:
    """A model whose sound is no number."""

    def speak(self, ids: list[int], style: Samples, speed: float) -> Spoken:
        return Spoken(np.full(600, np.nan, np.float32), None, None)


def test_sound_that_is_no_number_is_a_failure(heart: Voice) -> None:
    engine = KokoroEngine(lambda _kind, _voice: Broken())
    with pytest.raises(EngineError, match="not finite"):
        speak(engine, heart)


@pytest.mark.slow
def test_uses_no_network(heart: Voice) -> None:
    """Loading and speaking, in a process that dies at the first attempt to reach one."""
    program = """
import os, sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen"):
        print("forbidden:", event, arguments, file=sys.stderr, flush=True)
        os._exit(9)
sys.addaudithook(forbid)
from ttsctl.engines.kokoro.engine import KokoroEngine
from ttsctl.speech import Utterance, Voice
voice = Voice("kokoro", "af_heart", "en-us", "test", sys.argv[1])
for language, text in (("en-us", "Zxqv."), ("fr", "Oui."), ("ja", "はい"), ("zh", "你好")):
    assert list(KokoroEngine().synthesize(Utterance((text,), voice, language)))
"""
    subprocess.run([sys.executable, "-c", program, heart.model], check=True)


def test_without_a_cache_folder_it_speaks_all_the_same(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    voice = Voice("kokoro", "af_heart", "en-us", "test", str(root))
    clips = list(KokoroEngine().synthesize(Utterance(("Hello.",), voice, "en-us")))
    assert sum(clip.frames for clip in clips)
    assert "cannot be prepared" in caplog.text

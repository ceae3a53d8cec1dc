"""Kokoro voices and their blends."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.voices.made import put_kokoro
from ttsctl.errors import InvalidVoiceError, ModelNotFoundError
from ttsctl.settings import voices_folder
from ttsctl.voices import shelf
from ttsctl.voices.catalogue import resolve
from ttsctl.voices.kokoro import parse, spelled

NAMES = st.sampled_from(["af_heart", "af_sky", "af_nicole", "bf_emma", "am_adam"])
WEIGHTS = st.floats(min_value=1e-3, max_value=1e3)


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("af_sky", "af_sky"),
        ("af_sky*3", "af_sky"),
        ("af_sky+af_sky", "af_sky"),
        ("af_sky*0.4+af_nicole*0.6", "af_nicole*0.6+af_sky*0.4"),
        ("af_nicole * 6 + af_sky * 4", "af_nicole*0.6+af_sky*0.4"),
        ("af_sky+af_nicole", "af_nicole*0.5+af_sky*0.5"),
        ("a+b+c", "a*0.3334+b*0.3333+c*0.3333"),
        ("af_sky*1+af_nicole*1e-9", "af_sky"),
    ],
)
def test_equal_blends_have_one_spelling(written: str, spelling: str) -> None:
    assert spelled(parse(written)) == spelling


@given(st.dictionaries(NAMES, WEIGHTS, min_size=1))
def test_the_spelling_of_a_blend_means_that_blend(weights: dict[str, float]) -> None:
    blend = parse("+".join(f"{name}*{weight!r}" for name, weight in weights.items()))
    assert parse(spelled(blend)) == blend
    assert sum(blend.values()) == pytest.approx(1)
    total = sum(weights.values())
    for name, weight in weights.items():
        assert blend.get(name, 0) == pytest.approx(weight / total, abs=2e-4)


@given(st.dictionaries(NAMES, WEIGHTS, min_size=2), st.randoms())
def test_the_order_of_the_parts_does_not_matter(weights: dict[str, float], random: object) -> None:
    parts = [f"{name}*{weight!r}" for name, weight in weights.items()]
    assert spelled(parse("+".join(parts))) == spelled(parse("+".join(reversed(parts))))


@pytest.mark.parametrize(
    "written",
    ["", "+", "af_sky+", "*0.4", "af_sky*", "a*x", "a*0", "a*-1", "a*nan", "a*inf", "a+" * 40],
)
def test_what_is_no_blend_is_refused(written: str) -> None:
    with pytest.raises(InvalidVoiceError):
        parse(written)


def test_a_blend_resolves_where_every_part_is_installed() -> None:
    put_kokoro("af_sky", "bf_emma")
    voice = resolve("kokoro:bf_emma*0.6+af_sky*0.4")
    assert voice.name == "af_sky*0.4+bf_emma*0.6"
    assert voice.language == "en-gb"
    assert voice.model == str(voices_folder() / "kokoro")
    assert resolve("af_sky*0.4+bf_emma*0.6") == voice
    with pytest.raises(ModelNotFoundError, match="ttsctl voices get kokoro:af_bella"):
        resolve("kokoro:af_sky+af_bella")


def test_a_voice_without_the_model_is_not_installed() -> None:
    put_kokoro("af_sky")
    shelf.discard(voices_folder() / "kokoro" / "model")
    with pytest.raises(ModelNotFoundError, match="needs the Kokoro model"):
        resolve("kokoro:af_sky")
    assert resolve("auto").engine == "espeak"


def test_the_fingerprint_follows_every_file_that_makes_the_sound() -> None:
    put_kokoro("af_sky", "af_heart")
    before = resolve("kokoro:af_sky")
    assert resolve("kokoro:af_heart").fingerprint != before.fingerprint
    shelf.discard(voices_folder() / "kokoro" / "model")
    from tests.voices.made import put

    put("kokoro", "model", "und", {"config.json": b"{}", "model.onnx": b"another"})
    assert resolve("kokoro:af_sky").fingerprint != before.fingerprint


def test_the_model_is_not_a_voice() -> None:
    put_kokoro("af_sky")
    with pytest.raises(InvalidVoiceError):
        resolve("kokoro:model")


def test_the_exported_model_of_the_engine_alters_nothing() -> None:
    put_kokoro("af_sky")
    before = resolve("kokoro:af_sky")
    (voices_folder() / "kokoro" / "model" / "derived.onnx").write_bytes(b"x")
    assert resolve("kokoro:af_sky") == before


def test_the_fingerprint_names_every_phonemiser_that_is_installed() -> None:
    """espeak-ng, which piper-tts brings, speaks for misaki where that knows no word."""
    put_kokoro("af_sky", "ff_siwis")
    for name in ("af_sky", "ff_siwis"):
        fingerprint = resolve(f"kokoro:{name}").fingerprint
        assert "piper_tts-" in fingerprint
        assert ("misaki-" in fingerprint) == (importlib.util.find_spec("misaki") is not None)


@pytest.mark.parametrize(
    ("voice", "module"), [("jf_alpha", "pyopenjtalk"), ("zf_xiaobei", "jieba")]
)
def test_installing_a_dictionary_changes_the_fingerprint(
    voice: str, module: str, tmp_path: Path
) -> None:
    put_kokoro(voice)
    for package in ("misaki", module):
        (tmp_path / "packages" / package).mkdir(parents=True)
        (tmp_path / "packages" / package / "__init__.py").touch()
    program = f"from ttsctl.voices.catalogue import resolve; print(resolve({voice!r}).fingerprint)"

    def fingerprint() -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "packages")}
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    with_it = fingerprint()
    shutil.rmtree(tmp_path / "packages" / module)
    if importlib.util.find_spec(module) is None:
        assert fingerprint() != with_it
    assert module in with_it

"""Piper and Kokoro from the command line: installed, default, streamed, replaced on failure."""

from __future__ import annotations

import json
import os
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.built import CHOIR, TINY
from tests.cli.conftest import Run

Install = Callable[[str], Path]


@pytest.fixture(name="install")
def _install(run: Run, piper_models: Path, tmp_path: Path) -> Install:
    """Installs a voice with the command, and returns its folder in the store."""

    def install(name: str) -> Path:
        answer = run("voices", "add", piper_models / f"{name}.onnx")
        assert answer.code == 0, answer.stderr
        return tmp_path / "home" / "data" / "ttsctl" / "voices" / "piper" / name

    return install


def test_an_installed_voice_is_the_default(run: Run, install: Install, tmp_path: Path) -> None:
    assert run("say", "hello", "-o", "a.wav", "--json").json["engine"] == "espeak"
    install(TINY)
    report = run("say", "Hello there, world.", "-o", "b.wav", "--json").json
    assert (report["engine"], report["voice"], report["fallback"]) == (
        "piper",
        f"piper:{TINY}",
        None,
    )
    with wave.open(str(tmp_path / "b.wav")) as sound:
        assert sound.getframerate() == 22_050
        assert any(sound.readframes(sound.getnframes()))
    assert run("say", "Hello there, world.", "-o", "c.wav", "--json").json["cache"] == "disk"
    assert run("say", "Hallo", "-l", "de", "-o", "d.wav", "--json").json["engine"] == "espeak"


def test_speakers_and_options(run: Run, install: Install) -> None:
    install(CHOIR)
    voices = {f"piper:{CHOIR}", f"piper:{CHOIR}#p2", f"piper:{CHOIR}#1"}
    for voice in voices:
        assert run("say", "hello", "-v", voice, "-o", "a.wav", "--json").json["voice"] == voice
    options = ("--option", "noise_scale=0", "--option", "speaker_id=2")
    assert run("say", "hello", "-v", CHOIR, *options, "-o", "a.wav").code == 0
    unknown = run("say", "hello", "-v", f"{CHOIR}#p9", "-o", "b.wav")
    assert unknown.code == 4
    assert "p9" in unknown.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [("noise_scale=loud", "a number from 0 to 2"), ("nose=1", "noise"), ("noise_scale", "NAME=")],
)
def test_a_wrong_option_is_a_mistake_not_a_reason_to_fall_back(
    run: Run, install: Install, tmp_path: Path, option: str, said: str
) -> None:
    install(TINY)
    answer = run("say", "hello", "--option", option, "-o", "a.wav")
    assert answer.code == 2
    assert said in answer.stderr
    assert not (tmp_path / "a.wav").exists()


def _damage(folder: Path, name: str) -> None:
    """Replace the model by nonsense of the same size and time, so that only loading it can tell."""
    model = folder / f"{name}.onnx"
    state = model.stat()
    model.write_bytes(b"\0" * state.st_size)
    os.utime(model, ns=(state.st_atime_ns, state.st_mtime_ns))
    shutil.rmtree(folder.parents[4] / "cache", ignore_errors=True)


def test_where_a_voice_fails_the_next_speaks_loudly(run: Run, install: Install) -> None:
    _damage(install(TINY), TINY)
    answer = run("say", "Hello there.", "-o", "a.wav", "--json")
    assert answer.code == 0
    assert answer.json["engine"] == "espeak"
    assert answer.json["fallback"]["wanted"] == f"piper:{TINY}"
    assert "piper" in answer.stderr
    assert "espeak:en-us speaks" in answer.stderr
    again = run("say", "Hello there.", "-o", "a.wav", "--json")
    assert again.json["fallback"], "what espeak said was taken for piper's"
    listed = run("cache", "list", "--json").json["entries"]
    assert {entry["voice"] for entry in listed} == {"espeak:en-us"}


def test_without_fallback_the_failure_is_the_answer(
    run: Run, install: Install, tmp_path: Path
) -> None:
    _damage(install(TINY), TINY)
    answer = run("say", "Hello there.", "-o", "a.wav", "--no-fallback", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "TTS_MODEL_NOT_FOUND"
    assert not (tmp_path / "a.wav").exists()


def test_a_batch_names_the_voice_that_spoke(run: Run, install: Install, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("The first line.\nThe second line.\n")
    _damage(install(TINY), TINY)
    assert run("batch", "lines.txt", "-j", "1").code == 0
    results = (tmp_path / "lines" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["engine"] for line in results] == ["espeak", "espeak"]
    assert run("batch", "lines.txt", "-d", "b", "-j", "1", "--no-fallback").code == 3
    again = run("batch", "lines.txt", "-j", "1", "--json").json
    assert again["skipped"] == 0, "what espeak said was taken for piper's"


def test_phonemes_in_the_text_are_spoken_where_the_user_says_so(
    run: Run, install: Install, tmp_path: Path
) -> None:
    install(TINY)
    quiet = ("--option", "noise_scale=0", "--option", "noise_w_scale=0", "-v", TINY)
    blocks = ("--option", "phoneme_blocks=on")
    run("say", "Say [[həlˈoʊ]] now.", *quiet, *blocks, "-o", "blocks.wav")
    run("say", "Say [[ həlˈoʊ ]] now.", *quiet, "-o", "plain.wav")
    assert (tmp_path / "blocks.wav").read_bytes() != (tmp_path / "plain.wav").read_bytes()
    run("say", "Say həlˈoʊ now.", *quiet, *blocks, "-o", "without.wav")
    assert (tmp_path / "blocks.wav").read_bytes() != (tmp_path / "without.wav").read_bytes()


def test_an_unknown_option_of_the_embedded_voice_is_refused(run: Run) -> None:
    answer = run("say", "hi", "-v", "espeak:en-us", "--option", "noise_scale=0.4", "-o", "a.wav")
    assert answer.code == 2
    assert "no option 'noise_scale'" in answer.stderr


def test_a_voice_that_is_known_but_not_here_says_how_to_get_it(run: Run) -> None:
    answer = run("say", "hello", "-v", "piper:en_US-lessac-medium", "-o", "a.wav", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "TTS_MODEL_NOT_FOUND"
    assert "ttsctl voices get en_US-lessac-medium" in answer.json["error"]["message"]


@pytest.mark.slow
def test_a_batch_in_a_pool(run: Run, install: Install, tmp_path: Path) -> None:
    install(TINY)
    (tmp_path / "lines.txt").write_text("".join(f"This is line number {n}.\n" for n in range(12)))
    report = run("batch", "lines.txt", "-j", "2", "--json").json
    assert (report["done"], report["total"]) == (12, 12)
    assert len(list((tmp_path / "lines").glob("*.wav"))) == 12


def test_nothing_of_onnxruntimes_is_left_in_the_users_cache(
    run: Run, install: Install, tmp_path: Path
) -> None:
    """It keeps a number for the machine there, and sends usage data, unless told otherwise."""
    install(TINY)
    run("say", "Hello.", "-o", "a.wav", "--no-cache")
    kept = {path.name for path in (tmp_path / "home" / "cache").iterdir()}
    assert kept <= {"ttsctl", "ttsctl-models"}


@pytest.mark.slow
def test_kokoro_tells_when_each_word_is_spoken(
    run: Run, kokoro_models: Path, tmp_path: Path
) -> None:
    """At once, from the cache, and never of a voice that does not know."""
    folder = tmp_path / "kokoro"
    (folder / "voices").mkdir(parents=True)
    for name in ("config.json", "model.onnx"):
        (folder / name).symlink_to(kokoro_models / "model" / name)
    (folder / "voices" / "ef_dora.pt").symlink_to(kokoro_models / "ef_dora" / "ef_dora.pt")
    assert run("voices", "add", folder).code == 0
    text = "El reloj dio las doce, y nadie estaba despierto. ¿Por qué? Era la tercera noche."
    said = [
        run("say", text, "-v", "kokoro:ef_dora", "-o", name, "--json").json
        for name in ("a.wav", "b.wav", "c.opus", "d.opus")
    ]
    assert [report["cache"] for report in said] == ["miss", "disk", "disk", "disk"]
    words = said[0]["words"]
    assert [word["text"] for word in words] == text.split()
    moments = [moment for word in words for moment in (word["start_s"], word["end_s"])]
    assert moments == sorted(moments)
    assert 0 <= moments[0] < moments[-1] <= said[0]["duration_s"]
    assert all(report["words"] == words for report in said)
    assert run("say", text, "-v", "espeak:es", "-o", "e.wav", "--json").json["words"] == []
    shutil.rmtree(tmp_path / "home")  # 500 MB, of which pytest would keep three

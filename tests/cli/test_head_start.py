"""The worker that is started on a guess is the one that the command wants, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.voices.made import put_piper
from ttsctl.cli.head_start import start_worker


@pytest.mark.parametrize(
    ("arguments", "engine"),
    [
        (["say", "hello"], "espeak"),
        (["say", "-v", "tone:sine", "hello"], "tone"),
        (["say", "-vtone:sine", "hello"], "tone"),
        (["say", "--voice=tone:sine", "hello"], "tone"),
        (["say", "hello", "-v", "de", "--voice", "tone:sine"], "tone"),
        (["say", "-l", "de", "Hallo"], "espeak"),
    ],
)
def test_the_engine_is_guessed_from_the_options(arguments: list[str], engine: str) -> None:
    worker = start_worker(arguments)
    assert worker is not None
    assert worker.engine == engine
    worker.kill()


def test_settings_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTSCTL_VOICE", "tone:sine")
    worker = start_worker(["say", "hello"])
    assert worker is not None
    assert worker.engine == "tone"
    worker.kill()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--version"],
        ["batch", "x.txt"],
        ["say", "--help"],
        ["say", "--config", "x.toml", "hello"],
        ["say", "-v"],
        ["say", "-v", "nosuch:voice", "hello"],
        ["say", "-v", "piper:en_US-lessac-medium", "hello"],
        ["say", "-l", "tlh", "hello"],
    ],
)
def test_where_nothing_will_be_spoken_nothing_is_started(arguments: list[str]) -> None:
    assert start_worker(arguments) is None


def test_a_broken_config_file_is_left_to_the_command(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("voice = ")
    answer = run("say", "hello", "-o", "a.wav", TTSCTL_CONFIG=str(tmp_path / "broken.toml"))
    assert answer.code == 2
    assert "broken.toml is not TOML" in answer.stderr


def test_a_guess_that_was_wrong_is_ended(run: Run) -> None:
    """What looks like an option may be the text."""
    answer = run("say", "-o", "a.wav", "--voice", "espeak:en-us", "--", "-vtone:sine")
    assert answer.code == 0


@pytest.mark.parametrize("record", ["[" * 100_000, '{"files": {"\\u0000": {}}}', "{}"])
def test_a_damaged_record_of_a_voice_is_no_fault_of_the_command(run: Run, record: str) -> None:
    (put_piper("en_US-tiny-low").folder / "installed.json").write_text(record)
    assert run("say", "hello", "-o", "a.wav").code == 0


def test_whatever_goes_wrong_nothing_is_started() -> None:
    """No file name may have a NUL, which is a ValueError, and none of ours."""
    assert start_worker(["say", "-v", "piper:a\0b", "hello"]) is None
    assert start_worker(["say", "-v", 7, "hello"]) is None  # type: ignore[list-item]

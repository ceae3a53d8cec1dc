"""Environment over config; a broken file is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttsctl.errors import InvalidConfigError
from ttsctl.settings import look_around, worker_environment


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_the_environment_beats_the_commands_table_beats_the_top(tmp_path: Path) -> None:
    path = write(tmp_path, 'speed = 1.1\nvoice = "a"\n[say]\nspeed = 1.2\n')
    around = look_around(path, {"TTSCTL_VOICE": "b"})
    say_speed, batch_speed = around.find("say", "speed"), around.find("batch", "speed")
    voice = around.find("say", "voice")
    assert say_speed is not None
    assert (say_speed.value, say_speed.source) == (1.2, "config.toml line 4")
    assert batch_speed is not None
    assert batch_speed.value == 1.1
    assert voice is not None
    assert (voice.value, voice.source) == ("b", "TTSCTL_VOICE")
    assert around.find("say", "format") is None


def test_names_may_have_dashes_or_underscores(tmp_path: Path) -> None:
    around = look_around(write(tmp_path, "cache_mb = 10\n"), {"TTSCTL_SAMPLE_RATE": "8000"})
    assert around.find("", "cache-mb") is not None
    assert around.find("say", "sample-rate") is not None


def test_an_empty_variable_sets_nothing(tmp_path: Path) -> None:
    assert look_around(None, {"TTSCTL_VOICE": ""}).find("say", "voice") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [("speed = = 1\n", "line 1"), ("a = 1\n[say\n", "line 2"), ("a = 1\na = 2\n", "line 2")],
)
def test_a_file_that_is_not_toml_is_named_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InvalidConfigError, match=rf"config\.toml is not TOML: .*{message}"):
        look_around(write(tmp_path, text), {})


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"a = 1\xff")
    with pytest.raises(InvalidConfigError, match="not UTF-8 at byte 5"):
        look_around(path, {})


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="does not exist"):
        look_around(tmp_path / "none.toml", {})
    with pytest.raises(InvalidConfigError, match="does not exist"):
        look_around(None, {"TTSCTL_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(InvalidConfigError, match="is a directory"):
        look_around(tmp_path, {})


def test_a_worker_gets_the_environment_without_secrets() -> None:
    environ = {"PATH": "/bin", "HF_TOKEN": "x", "OPENAI_API_KEY": "x", "DB_PASSWORD": "x"}
    kept = worker_environment(environ=environ)
    assert "/bin" in kept.values()
    assert "x" not in kept.values()


def test_libraries_in_a_worker_are_told_to_keep_to_themselves() -> None:
    """onnxruntime 1.31 would send usage data to its maker."""
    kept = worker_environment(environ={"HF_HUB_OFFLINE": "0"})
    assert kept["ORT_DISABLE_TELEMETRY"] == "1"
    assert kept["HF_HUB_OFFLINE"] == "1"

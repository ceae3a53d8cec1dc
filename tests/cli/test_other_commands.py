"""voices, doctor, config, bench, and the program as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from ttsctl import __version__

pytestmark = pytest.mark.slow


def test_lists_voices_by_engine_and_language(run: Run) -> None:
    voices = run("voices", "list", "--json").json
    names = [voice["voice"] for voice in voices["voices"]]
    assert "espeak:en-us" in names
    assert "tone:sine" not in names
    assert run("voices", "list", "--lang", "qq").code == 4
    tones = run("voices", "list", "--engine", "tone", "--json").json["voices"]
    assert [voice["voice"] for voice in tones] == ["tone:sine", "tone:faulty"]
    assert "whisper" in voices["variants"]
    german = run("voices", "list", "--lang", "de", "--engine", "espeak", "--json").json["voices"]
    assert [voice["voice"] for voice in german] == ["espeak:de"]
    assert b"espeak:en-us" in run("voices", "list").stdout
    assert run("voices", "list", "--engine", "espeek").code == 4


def test_doctor_finds_the_embedded_voice_well(run: Run) -> None:
    answer = run("doctor", "--json")
    assert answer.code == 0
    findings = {finding["name"]: finding for finding in answer.json["findings"]}
    assert findings["espeak"]["is_well"] is True
    assert "Hello" in findings["espeak"]["detail"]
    assert b"espeak" in run("doctor").stdout


def test_config_show_tells_where_each_value_comes_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("cache-mb = 100\n[say]\nspeed = 1.5\n")
    answer = run("--config", "c.toml", "config", "show", "--json", TTSCTL_VOICE="espeak:de")
    rows = {(row["command"], row["option"]): row for row in answer.json["options"]}
    assert rows["ttsctl", "cache-mb"]["value"] == 100
    assert rows["ttsctl", "cache-mb"]["source"] == "c.toml line 1"
    assert rows["say", "speed"]["source"] == "c.toml line 3"
    assert rows["batch", "speed"]["source"] == "default"
    assert rows["batch", "voice"]["source"] == "TTSCTL_VOICE"
    typed = run("--cache-mb", "7", "config", "show", "--json").json["options"]
    assert ("7", "command line") in [(str(row["value"]), row["source"]) for row in typed]


def test_global_options_come_from_the_surroundings_too(run: Run, tmp_path: Path) -> None:
    assert run("cache", "path", TTSCTL_CACHE_DIR="here").stdout == b"here/ttsctl\n"
    home = run("cache", "path", TTSCTL_CACHE_DIR="~/here").stdout.decode()
    assert home == f"{tmp_path}/home/here/ttsctl\n"
    (tmp_path / "c.toml").write_text("cache-dir = 'there'\n")
    assert run("--config", "c.toml", "cache", "path").stdout == b"there/ttsctl\n"
    answer = run("cache", "stats", TTSCTL_CACHE_MB="lots")
    assert (answer.code, "TTSCTL_CACHE_MB" in answer.stderr) == (2, True)


def test_bench_measures_every_scenario_with_its_spread(run: Run) -> None:
    report = run("bench", "--repeat", "2", "-v", "tone:sine", "--json").json
    names = {figure["scenario"] for figure in report["figures"]}
    assert names == {"hit", "cold", "first-audio", "throughput", "encode"}
    for figure in report["figures"]:
        assert figure["n"] >= 2
        assert 0 < figure["min"] <= figure["median"] <= figure["p95"] <= figure["p99"]
        assert figure["jobs"] >= 1
        assert figure["threads"] >= 1


def test_bench_refuses_a_scenario_that_is_none(run: Run) -> None:
    answer = run("bench", "--scenario", "first-audi")
    assert (answer.code, "first-audio" in answer.stderr) == (2, True)


def test_help_version_and_completion(run: Run) -> None:
    assert run("--version").stdout.decode() == f"ttsctl {__version__}\n"
    assert b"Commands:" in run("--help").stdout
    assert b"Commands:" in run().stdout
    for command in ("say", "batch", "prewarm", "cache", "bench", "voices", "doctor", "config"):
        assert run(command, "--help").code == 0
    assert b"complete" in run("--show-completion", "bash").stdout


def test_nothing_is_imported_from_the_current_folder(run: Run, tmp_path: Path) -> None:
    for name in ("typer", "json", "numpy", "diskcache", "espeakng_loader"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')")
    # `python -m` itself looks there first; the installed command does not.
    import subprocess
    import sysconfig

    command = Path(sysconfig.get_path("scripts")) / "ttsctl"
    finished = subprocess.run(
        [command, "say", "hello", "-o", "a.wav"], cwd=tmp_path, capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stderr

"""`ttsctl prewarm`, as cron runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow


def test_the_second_run_generates_nothing(run: Run) -> None:
    assert run("prewarm", "--json").json == {
        "ok": True,
        "total": 12,
        "already": 0,
        "generated": 12,
        "failed": 0,
    }
    assert run("prewarm", "--json").json["generated"] == 0
    hello = run("say", "Hello, how can I help you?", "-o", "a.wav", "--json").json
    assert hello["cache"] == "disk"


def test_phrases_of_any_length_files_and_voices(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("# greeting\nhello\n\n" + "long phrase " * 30 + "\n")
    arguments = ["prewarm", "p.txt", "-v", "tone:sine", "-v", "espeak:de", "--json"]
    assert run(*arguments).json["generated"] == 4
    assert run(*arguments).json["already"] == 4


def test_a_format_is_ready_too(run: Run) -> None:
    run("prewarm", "--format", "flac")
    report = run("say", "Goodbye, and have a nice day.", "-o", "a.flac", "--json").json
    assert (report["cache"], report["timings_ms"]["encode"]) == ("disk", 0.0)


def test_pinned_phrases_survive_a_clear(run: Run) -> None:
    run("prewarm", "--pin")
    run("say", "something else", "-o", "a.wav")
    assert run("cache", "clear", "--yes", "--json").json["removed"] == 1
    assert run("prewarm", "--json").json["already"] == 12
    assert run("cache", "clear", "--yes", "--pinned", "--json").json["removed"] == 12


def test_two_at_once_and_the_second_leaves_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("hello\n")
    first = subprocess.Popen(
        [sys.executable, "-m", "ttsctl", "prewarm", "p.txt", "--delay", "6"],
        cwd=tmp_path,
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    lock = Path(run("cache", "path").stdout.decode().strip()) / "prewarm.lock"
    while not (lock.exists() and lock.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    second = run("prewarm", "p.txt", "--json")
    assert second.code == 6
    assert second.json["error"]["code"] == "TTS_BUSY"
    assert str(first.pid) in second.json["error"]["message"]
    assert first.wait(timeout=30) == 0


def test_works_with_the_environment_of_cron(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "ttsctl", "--cache-dir", tmp_path / "c", "prewarm", "--json"],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LANG": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, b"")


def test_failures_are_counted_told_and_exit_3(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("hello\n!raise\n")
    answer = run("prewarm", "p.txt", "-v", "tone:faulty")
    assert answer.code == 3
    assert "'!raise'" in answer.stderr
    assert b"1 failed" in answer.stdout


def test_a_cache_that_cannot_be_written_is_an_output_error(run: Run) -> None:
    answer = run("--cache-dir", "/proc/nowhere", "prewarm")
    assert (answer.code, answer.stderr.count("\n")) == (5, 1)


def test_what_the_cache_did_not_keep_is_a_failure(run: Run, tmp_path: Path) -> None:
    """An entry may not be larger than a twentieth of the cache."""
    (tmp_path / "p.txt").write_text("hello\n" + "a long phrase " * 30 + "\n")
    report = run("--cache-mb", "1", "prewarm", "p.txt", "--json")
    assert report.code == 3
    assert report.json["failed"] >= 1
    assert "did not keep it" in report.stderr


def test_reads_standard_input(run: Run) -> None:
    assert run("prewarm", "-", "--json", stdin=b"hello\nworld\n").json["generated"] == 2


def test_a_delay_without_end_is_refused(run: Run) -> None:
    assert run("prewarm", "--delay", "inf").code == 2
    assert run("prewarm", "--delay", "nan").code == 2

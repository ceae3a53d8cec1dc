"""`ttsctl batch`, typed as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest
import soundfile

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

SCRIPT = "The first line.\n\nThe second line.\n😀\nThe third line.\n"


@pytest.fixture(name="script")
def _script(tmp_path: Path) -> Path:
    path = tmp_path / "script.txt"
    path.write_text(SCRIPT)
    return path


@pytest.mark.usefixtures("script")
def test_with_nothing_else_makes_a_folder_beside_the_script(run: Run, tmp_path: Path) -> None:
    answer = run("batch", "script.txt")
    assert answer.code == 0
    assert answer.stdout.startswith(b"4 items: ")
    names = sorted(path.name for path in (tmp_path / "script").glob("*.wav"))
    assert names == [
        "0001-the-first-line.wav",
        "0002-the-second-line.wav",
        "0004-the-third-line.wav",
    ]


@pytest.mark.usefixtures("script")
def test_json_counts_add_up_and_a_second_run_makes_nothing(run: Run) -> None:
    first = run("batch", "script.txt", "--json").json
    assert (first["total"], first["done"], first["empty"]) == (4, 3, 1)
    second = run("batch", "script.txt", "--json", "--verbose").json
    assert (second["skipped"], second["done"], second["cached"]) == (3, 0, 0)
    assert len(second["items"]) == 4


@pytest.mark.usefixtures("script")
def test_another_folder_is_served_from_the_cache(run: Run) -> None:
    run("batch", "script.txt")
    again = run("batch", "script.txt", "-d", "other", "--json").json
    assert (again["cached"], again["done"]) == (3, 0)


@pytest.mark.usefixtures("script")
def test_opus_and_wav_of_a_line_last_equally_long(run: Run, tmp_path: Path) -> None:
    run("batch", "script.txt", "-d", "wav")
    run("batch", "script.txt", "-d", "opus", "--format", "opus")
    for path in (tmp_path / "wav").glob("*.wav"):
        with wave.open(str(path)) as sound:
            duration_s = sound.getnframes() / sound.getframerate()
        encoded = tmp_path / "opus" / f"{path.stem}.opus"
        assert soundfile.info(path).duration == pytest.approx(duration_s)
        assert soundfile.info(encoded).duration == pytest.approx(duration_s, abs=0.02)


@pytest.mark.usefixtures("script")
def test_a_dry_run_names_the_files_and_makes_none(run: Run, tmp_path: Path) -> None:
    answer = run("batch", "script.txt", "--dry-run")
    assert answer.stdout.decode().splitlines() == [
        "script/0001-the-first-line.wav",
        "script/0002-the-second-line.wav",
        "script/0004-the-third-line.wav",
    ]
    assert "3 to make" in answer.stderr
    assert not (tmp_path / "script").exists()


@pytest.mark.usefixtures("script")
def test_names_follow_the_template(run: Run, tmp_path: Path) -> None:
    run("batch", "script.txt", "--name", "line{id}", "--format", "flac")
    assert sorted(path.name for path in (tmp_path / "script").glob("*.flac")) == [
        "line1.flac",
        "line2.flac",
        "line4.flac",
    ]


def test_reads_standard_input_into_a_named_folder(run: Run, tmp_path: Path) -> None:
    assert run("batch", "-", "-d", "out", stdin=b"hello\n").code == 0
    assert (tmp_path / "out" / "0001-hello.wav").exists()
    answer = run("batch", "-", stdin=b"hello\n")
    assert (answer.code, "--output-dir" in answer.stderr) == (2, True)


def test_a_line_that_fails_leaves_the_others_and_exits_3(run: Run, tmp_path: Path) -> None:
    (tmp_path / "script.txt").write_text("one\n!segv\nthree\n")
    answer = run("batch", "script.txt", "-v", "tone:faulty", "-j", "1", "--json")
    assert answer.code == 3
    assert (answer.json["ok"], answer.json["done"], answer.json["failed"]) == (False, 2, 1)
    results = (tmp_path / "script" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["state"] for line in results] == ["done", "failed", "done"]
    assert "line 2: " in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["batch", "none.txt"], 2, "none.txt"),
        (["batch", "script.txt", "--name", "../{index}"], 2, "output folder"),
        (["batch", "script.txt", "-j", "0"], 2, "--jobs"),
        (["batch", "script.txt", "-d", "script.txt"], 5, "script.txt"),
        (["batch", "script.txt", "-v", "espeak:xx"], 4, "not found"),
        (["batch", "empty.txt"], 2, "nothing to speak"),
        (["batch"], 2, "INPUT"),
        (["batch", "page.html"], 2, "pandoc"),
        (["batch", "script.txt", "-j", "1000000"], 2, "--jobs"),
        (["batch", "script.txt", "--name", "{index:0999999}"], 2, "four digits"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
@pytest.mark.usefixtures("script")
def test_bad_input_starts_nothing(
    run: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    answer = run(*arguments)
    assert answer.code == code
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "script").exists()


@pytest.mark.parametrize("name", ["0001-the-first-line.wav", "results.jsonl"])
@pytest.mark.usefixtures("script")
def test_a_file_of_somebody_else_is_not_replaced(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / name).write_bytes(b"mine")
    answer = run("batch", "script.txt")
    assert (answer.code, "--force" in answer.stderr) == (2, True)
    assert run("batch", "script.txt", "--force").code == 0


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_batch_ends_by_the_signal_and_is_resumed(
    run: Run, tmp_path: Path, number: signal.Signals, jobs: int
) -> None:
    lines = [f"line {index} !slow=300" for index in range(20)]
    (tmp_path / "script.txt").write_text("\n".join(lines))
    arguments = ["batch", "script.txt", "-v", "tone:faulty", "-j", str(jobs)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ttsctl", *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("script/*.wav")) and time.monotonic() < deadline:
        time.sleep(0.05)
    # A terminal sends Ctrl-C to the whole group.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    _, stderr = process.communicate(timeout=15)
    assert process.returncode == -number
    assert b"Traceback" not in stderr
    made = len(list((tmp_path / "script").glob("*.wav")))
    assert 0 < made < 20
    assert list((tmp_path / "script").glob("*.part")) == []
    again = run(*arguments, "--json").json
    # The files in hand may be there without the journal knowing yet: those are made again.
    assert made - jobs <= again["skipped"] <= made
    assert again["failed"] == 0
    assert again["skipped"] + again["done"] + again["cached"] == 20


@pytest.mark.parametrize("delay_s", [0.5, 0.8, 1.1, 1.5, 2.0])
def test_an_interrupt_while_the_pool_starts_prints_no_traceback(
    tmp_path: Path, delay_s: float
) -> None:
    lines = [f"line {index} !slow=300" for index in range(40)]
    (tmp_path / "script.txt").write_text("\n".join(lines))
    process = subprocess.Popen(
        [sys.executable, "-m", "ttsctl", "batch", "script.txt", "-v", "tone:faulty", "-j", "2"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
        start_new_session=True,
    )
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in stderr

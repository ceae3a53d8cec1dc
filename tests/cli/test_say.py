"""`ttsctl say`, typed as a user types it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest
import soundfile

from tests.cli.conftest import Run


def test_says_a_text_into_a_file_whose_suffix_is_the_format(run: Run, tmp_path: Path) -> None:
    for name in ("a.wav", "a.opus", "a.flac", "a.mp3"):
        answer = run("say", "Hello world", "-o", name)
        assert (answer.code, answer.stdout) == (0, b"")
        assert f"{name}: " in answer.stderr
        assert soundfile.info(tmp_path / name).duration == pytest.approx(0.85, abs=0.25)


def test_a_stdout_that_is_closed_is_an_output_error(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m ttsctl say Hello -v tone:sine >&-"
    finished = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False)
    assert finished.returncode == 5
    assert b"cannot write to standard output" in finished.stderr


def test_json_tells_all_that_the_contract_names(run: Run) -> None:
    report = run("say", "Hello world", "-o", "a.wav", "--json").json
    assert set(report) == {
        "ok",
        "output",
        "format",
        "sample_rate",
        "duration_s",
        "bytes",
        "engine",
        "voice",
        "fallback",
        "cache",
        "served_by",
        "chars",
        "dropped",
        "timings_ms",
        "timeline_ms",
        "words",
    }
    assert report["words"] == []
    assert report["voice"] == "espeak:en-us"
    assert report["cache"] == "miss"
    assert run("say", "Hello world", "-o", "b.wav", "--json").json["cache"] == "disk"


def test_without_a_terminal_a_wav_goes_to_stdout(run: Run, tmp_path: Path) -> None:
    answer = run("say", "Hello world")
    (tmp_path / "a.wav").write_bytes(answer.stdout)
    with wave.open(str(tmp_path / "a.wav")) as sound:
        assert sound.getnframes() * 2 + 44 == len(answer.stdout)
    assert run("say", "Hello world", "-o", "-").stdout == answer.stdout


def test_raw_pcm_goes_to_stdout_on_request(run: Run) -> None:
    pcm = run("say", "Hello world", "-o", "-", "--format", "pcm").stdout
    assert run("say", "Hello world").stdout[44:] == pcm


def test_speaks_a_file_and_a_pipe_alike(run: Run, tmp_path: Path) -> None:
    text = "This is the first sentence of the text. And this one is the second, after it.\n"
    (tmp_path / "text.txt").write_text(text)
    from_file = run("say", "-f", "text.txt", "-o", "-")
    assert from_file.code == 0
    assert run("say", "-", "-o", "-", stdin=text.encode()).stdout == from_file.stdout
    assert run("say", "-o", "-", stdin=text.encode()).stdout == from_file.stdout
    assert run("say", "-f", "-", "-o", "-", stdin=text.encode()).stdout == from_file.stdout


def test_the_text_that_killed_espeak_is_spoken(run: Run) -> None:
    for text in ("s'" * 80, "U.S.A." * 40, "a.m. p.m. " * 30):
        assert run("say", text, "-o", "a.wav", "--no-cache").code == 0


def test_speed_language_and_silence_are_heard(run: Run) -> None:
    def duration_s(*options: str) -> float:
        return float(
            run("say", "Bonjour à tous", "-o", "a.wav", "--json", *options).json["duration_s"]
        )

    normal = duration_s("-l", "fr")
    assert duration_s("-l", "fr", "-s", "2") == pytest.approx(normal / 2, rel=0.1)
    assert (
        run("say", "Bonjour", "-l", "fr", "-o", "a.wav", "--json").json["voice"] == "espeak:fr-fr"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["say", ""], 2, "nothing to speak"),
        (["say", "...!?"], 2, "nothing to speak"),
        (["say", "😀"], 2, "nothing to speak"),
        (["say", "hi", "-v", "nosuch:voice"], 4, "not installed"),
        (["say", "hi", "-v", "espeak:en-uss"], 4, "nearest: en-us"),
        (["say", "hi", "-l", "xx"], 4, "no voice speaks"),
        (["say", "hi", "-o", "a.xyz"], 2, "suffix"),
        (["say", "hi", "-o", "a"], 2, "suffix"),
        (["say", "hi", "-o", "a.wav", "--format", "opus"], 2, "opus"),
        (["say", "hi", "--format", "ogv"], 2, "format"),
        (["say", "hi", "-o", "missing/a.wav"], 5, "missing/a.wav"),
        (["say", "-f", "none.txt", "-o", "a.wav"], 2, "none.txt"),
        (["say", "none.txt", "-o", "a.wav"], 2, "use --file"),
        (["say", "hi", "-f", "none.txt"], 2, "not both"),
        (["say", "hi", "-s", "0", "-o", "a.wav"], 2, "speed"),
        (["say", "hi", "-s", "-1", "-o", "a.wav"], 2, "speed"),
        (["say", "hi", "-s", "nan", "-o", "a.wav"], 2, "speed"),
        (["say", "hi", "-s", "inf", "-o", "a.wav"], 2, "speed"),
        (["say", "hi", "-s", "fast", "-o", "a.wav"], 2, "speed"),
        (["say", "hi", "--sample-rate", "1", "-o", "a.wav"], 2, "sample rate"),
        (["say", "hi", "--bitrate", "1", "-o", "a.opus"], 2, "bit rate"),
        (["say", "hi", "--sped", "2"], 2, "--speed"),
        (["sya", "hi"], 2, "say"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_gets_one_line_a_code_and_no_file(
    run: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    answer = run(*arguments)
    assert (answer.code, answer.stdout) == (code, b"")
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1
    assert message in answer.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_a_text_over_the_limit_is_refused_while_it_arrives(run: Run, tmp_path: Path) -> None:
    answer = run("say", "-", "-v", "tone:sine", "-o", "a.wav", stdin=b"word " * 40_001)
    assert answer.code == 2
    assert "200,000 characters" in answer.stderr
    assert not (tmp_path / "a.wav").exists()


def test_with_json_an_error_is_an_object_on_stdout(run: Run) -> None:
    answer = run("say", "hi", "-v", "espeak:en-uss", "-o", "a.wav", "--json")
    assert answer.code == 4
    assert answer.stderr == ""
    assert answer.json["ok"] is False
    assert answer.json["error"]["code"] == "TTS_INVALID_VOICE"
    assert run("say", "hi", "--nonsense", "--json").json["error"]["code"] == "TTS_INVALID_REQUEST"
    assert run("say", "hi", "--json").json["error"]["message"].startswith("--json and audio")


def test_the_environment_can_ask_for_json_too(run: Run) -> None:
    assert run("say", "", "-o", "a.wav", TTSCTL_JSON="1").json["ok"] is False
    assert run("say", "hello", "-o", "a.wav", TTSCTL_JSON="1").json["ok"] is True


def test_bytes_that_are_not_utf8_are_named_by_file_and_offset(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"hello \xff world")
    answer = run("say", "-f", "bad.txt", "-o", "a.wav")
    assert answer.code == 2
    assert "bad.txt" in answer.stderr
    assert "6" in answer.stderr
    piped = run("say", "-", "-o", "a.wav", stdin=b"hello \xff world")
    assert piped.code == 2
    assert "6" in piped.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_does_no_harm(tmp_path: Path, closed: str) -> None:
    command = f"{sys.executable} -m ttsctl say hello -o a.wav {closed}"
    finished = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert soundfile.info(tmp_path / "a.wav").duration > 0.2


@pytest.mark.parametrize(
    ("output", "code"), [("/dev/full", 5), ("/dev/null", 0), ("/proc/a.wav", 5)]
)
def test_an_output_that_takes_nothing_is_an_output_error(run: Run, output: str, code: int) -> None:
    answer = run("say", "hello", "-o", output, "--format", "wav")
    assert answer.code == code
    assert answer.stderr.count("\n") == 1


def test_playing_without_a_device_says_what_to_do(run: Run) -> None:
    answer = run("say", "hello", "--play")
    assert (answer.code, "-o speech.wav" in answer.stderr) == (5, True)


def test_an_existing_file_is_replaced_only_by_success(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"old")
    assert run("say", "!raise", "-v", "tone:faulty", "-o", "a.wav").code == 4
    assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert run("say", "hello", "-v", "tone:faulty", "-o", "a.wav").code == 0
    assert (tmp_path / "a.wav").read_bytes() != b"old"


@pytest.mark.parametrize("text", ["!segv", "!abort", "!exit", "!partial"])
def test_an_engine_that_dies_is_one_line_and_exit_code_4(
    run: Run, tmp_path: Path, text: str
) -> None:
    answer = run("say", text, "-v", "tone:faulty", "-o", "a.wav")
    assert answer.code == 4
    assert answer.stderr.count("\n") == 1
    assert text in answer.stderr
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize(
    "damage", ["file", "garbage", "unwritable"], ids=lambda damage: f"cache is {damage}"
)
def test_a_cache_of_no_use_never_fails_a_request(run: Run, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "cache"
    if damage == "file":
        folder.write_bytes(b"not a folder")
    elif damage == "garbage":
        (folder / "ttsctl").mkdir(parents=True)
        (folder / "ttsctl" / "cache.db").write_bytes(b"garbage" * 1000)
    else:
        folder = Path("/proc/cache")
    answer = run("--cache-dir", folder, "say", "hello", "-o", "a.wav")
    assert answer.code == 0
    assert (tmp_path / "a.wav").stat().st_size > 1000
    assert answer.stderr.startswith("warning: ")


def test_a_folder_of_the_users_is_left_as_it_was(run: Run, tmp_path: Path) -> None:
    """The cache is one folder down: nothing of theirs is moved, deleted or made private."""
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    (theirs / "cache.db").write_bytes(b"not ours")
    assert run("--cache-dir", theirs, "say", "hello", "-o", "a.wav").code == 0
    assert (theirs / "cache.db").read_bytes() == b"not ours"
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o755


def test_the_suffix_decides_before_a_setting_does(run: Run, tmp_path: Path) -> None:
    assert run("say", "hello", "-o", "a.wav", TTSCTL_FORMAT="opus").code == 0
    assert soundfile.info(tmp_path / "a.wav").format == "WAV"
    assert run("say", "hello", TTSCTL_FORMAT="flac").stdout[:4] == b"fLaC"


@pytest.mark.parametrize("arguments", [["say", "hello"], ["cache", "stats"], ["voices", "list"]])
def test_standard_output_on_a_full_disk_is_an_output_error(
    tmp_path: Path, arguments: list[str]
) -> None:
    with open("/dev/full", "wb") as full:
        finished = subprocess.run(
            [sys.executable, "-m", "ttsctl", *arguments],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert finished.returncode == 5
    assert b"no space left" in finished.stderr
    assert finished.stderr.count(b"\n") == 1


def test_output_is_utf8_whatever_the_locale(run: Run) -> None:
    assert run("voices", "list", PYTHONIOENCODING="latin-1").code == 0
    answer = run("say", "Grüße", "-o", "Grüße.wav", "--json", LC_ALL="C")
    assert answer.json["output"] == "Grüße.wav"
    ascii_only = run("say", "Grüße", "-o", "a.wav", "--json", LC_ALL="C", PYTHONUTF8="0")
    assert (ascii_only.json["chars"], ascii_only.json["dropped"]) == (5, 0)


def test_an_argument_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ttsctl", "say", b"bad \xff text", "-o", "a.wav"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (finished.returncode, b"byte 4" in finished.stderr) == (2, True)


def test_at_a_terminal_without_a_device_a_new_file_is_written(tmp_path: Path) -> None:
    for name in ("speech.wav", "speech-2.wav"):
        command = [sys.executable, "-m", "ttsctl", "say", "hello", "--no-play"]
        leader, follower = os.openpty()
        finished = subprocess.run(command, cwd=tmp_path, stdout=follower, check=False)
        os.close(leader)
        os.close(follower)
        assert finished.returncode == 0
        assert soundfile.info(tmp_path / name).duration > 0.2


def test_settings_come_from_flag_environment_and_config_in_this_order(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text('speed = 2.0\n[say]\nvoice = "tone:sine"\n')

    def report(*options: str, **environment: str) -> dict[str, object]:
        arguments = ["--config", "c.toml", "say", "hello there", "-o", "a.wav", "--json"]
        found = run(*arguments, *options, **environment).json
        assert isinstance(found, dict)
        return found

    assert report()["voice"] == "tone:sine"
    assert report()["duration_s"] == pytest.approx(0.056)
    assert report(TTSCTL_VOICE="espeak:de")["voice"] == "espeak:de"
    assert report("-v", "espeak:fr-fr", TTSCTL_VOICE="espeak:de")["voice"] == "espeak:fr-fr"
    assert report("-s", "1")["duration_s"] == pytest.approx(0.111)


def test_a_broken_config_is_named_with_line_and_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[say]\nsped = 2\n")
    answer = run("--config", "c.toml", "say", "hello", "-o", "a.wav")
    assert answer.code == 2
    assert "line 2 sets 'say.sped'" in answer.stderr
    assert "say.speed" in answer.stderr
    answer = run("say", "hello", "-o", "a.wav", TTSCTL_SPEED="fast")
    assert answer.code == 2
    assert "TTSCTL_SPEED" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_by_that_signal_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "ttsctl", "say", "!slow=60000", "-v", "tone:faulty"]
    process = subprocess.Popen(
        [*command, "-o", "a.wav"], cwd=tmp_path, stderr=subprocess.PIPE, env=dict(os.environ)
    )
    time.sleep(1.5)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == -number
    assert b"Traceback" not in stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


TONE = ("-v", "tone:sine")


def test_a_stream_is_the_speech_in_pieces(run: Run) -> None:
    whole = run("say", *TONE, "-o", "-", "--format", "pcm", "Hello there.")
    streamed = run("say", *TONE, "-o", "-", "--stream", "--format", "pcm", "Hello there.")
    assert streamed.stdout == whole.stdout != b""
    wav = run("say", *TONE, "--stream", "Hello there.")
    assert wav.stdout[:4] == b"RIFF"
    assert wav.stdout.endswith(whole.stdout)


@pytest.mark.parametrize("options", [("-o", "a.wav"), ("--play",), ("-o", "-", "--format", "flac")])
def test_what_cannot_be_streamed_is_refused(run: Run, options: tuple[str, ...]) -> None:
    assert run("say", *TONE, "--stream", *options, "Hello.").code == 2

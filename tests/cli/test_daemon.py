"""`ttsctl say` where a daemon speaks for it: the same, only sooner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cli.services import TONE, Home, Program, wait_until

SINE = ("-v", "tone:sine")
FAULTY = ("-v", "tone:faulty")
SLOW = ("say", "!slow=60000", *FAULTY, "--no-cache")
HEAVY = ("typer", "click", "rich", "pydantic", "platformdirs", "numpy", "psutil", "soundfile")


@pytest.fixture(name="home", scope="module")
def _shared_home() -> Iterator[Home]:
    """A user whose daemon runs all the time."""
    home = Home()
    try:
        home.serve()
        yield home
    finally:
        home.end()


@pytest.fixture(autouse=True)
def _no_client_stays(home: Home) -> Iterator[None]:
    yield
    home.end_clients()
    wait_until(lambda: _in_hand(home) == 0)


@pytest.fixture(name="lone")
def _home() -> Iterator[Home]:
    """A user with no daemon."""
    home = Home()
    yield home
    home.end()


def _said(home: Home) -> int:
    """Return how many requests the daemon has had."""
    return int(home.ask("metrics")["metrics"]["requests"]["total"])


def _in_hand(home: Home) -> int:
    return int(home.ask("ping")["in_hand"])


def _busy(home: Home) -> int:
    """Return how many of the daemon's workers speak."""
    workers = home.ask("ping")["workers"]
    return sum((each["voice"], each["state"]) == ("tone:faulty", "busy") for each in workers)


@contextmanager
def _config(home: Home, text: str) -> Iterator[None]:
    """Have a configuration file for the length of the block."""
    path = home.folder / "config" / "ttsctl" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    yield
    path.unlink()


def test_a_file_is_written_by_the_client(home: Home) -> None:
    report = home.run("say", "Hello there", *SINE, "-o", "a.wav", "--json").json
    assert report["served_by"] == "daemon"
    assert report["bytes"] == (home.work / "a.wav").stat().st_size
    own = home.run("say", "Hello there", *SINE, "-o", "b.wav", "--json", "--no-daemon").json
    assert own["served_by"] == "process"
    assert set(own) == set(report)
    assert (home.work / "a.wav").read_bytes() == (home.work / "b.wav").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-o", "-", "--format", "pcm"),
        ("-o", "-", "--format", "flac"),
        ("-o", "-", "--stream"),
        ("-o", "-", "--stream", "--format", "ulaw"),
        ("-s", "2", "--sample-rate", "8000"),
    ],
    ids=" ".join,
)
def test_stdout_has_the_same_bytes(home: Home, options: tuple[str, ...]) -> None:
    command = ("say", "This is one. And here is another.", *SINE, *options)
    before = _said(home)
    answer = home.run(*command)
    assert _said(home) == before + 1
    assert (answer.code, answer.stderr) == (0, "")
    assert answer.stdout == home.run(*command, "--no-daemon").stdout != b""


def test_a_summary_is_told_as_ever(home: Home) -> None:
    answer = home.run("say", "Hello", *SINE, "-o", "a.wav")
    assert answer.stdout == b""
    assert answer.stderr.startswith("a.wav: 0.05 s of speech, tone:sine, ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("say", "hi", "--sped", "2"), 2),
        (("say", "hi", "-s", "0"), 2),
        (("say", "hi", "-v", "nosuch:voice"), 4),
        (("say", "...!?", *SINE), 2),
        (("say", "-", *SINE), 2),
        (("say", "hi", *SINE, "-o", "missing/a.wav"), 5),
        (("say", "hi", *SINE, "-o", "/proc/a.wav"), 5),
        (("say", "-f", "none.txt", "-o", "a.wav"), 2),
        (("say", "hi", "-o", "a.xyz"), 2),
        (("say", "!segv", *FAULTY, "-o", "a.wav"), 4),
        (("say", "!raise", *FAULTY, "-o", "a.wav"), 4),
        (("say", "Well. !partial", *FAULTY, "-o", "a.wav"), 4),
        (("say", "!raise", *FAULTY, "-o", "a.wav", "--json"), 4),
        (("say", "hi", *SINE, "-o", "missing/a.wav", "--json"), 5),
        (("say", "hi", "--help"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_said_is_told_in_the_same_words(
    home: Home, arguments: tuple[str, ...], code: int
) -> None:
    (home.work / "a.wav").unlink(missing_ok=True)
    files = home.files()
    answer = home.run(*arguments)
    assert answer == home.run(*arguments, "--no-daemon")
    assert answer.code == code
    assert home.files() == files


def test_a_crash_of_the_engine_happens_in_the_daemon(home: Home) -> None:
    before = home.ask("metrics")["metrics"]["worker_restarts"]
    answer = home.run("say", "!segv here", *FAULTY, "-o", "a.wav", "--no-cache", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "TTS_ENGINE_CRASHED"
    assert "SIGSEGV" in answer.json["error"]["message"]
    assert home.ask("metrics")["metrics"]["worker_restarts"] > before


def test_names_of_files_lead_from_where_the_client_stands(home: Home, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "text.txt").write_text("Read this.")
    command = ("say", "-f", "text.txt", *SINE, "-o", "sub/a.wav", "--json")
    report = home.run(*command, folder=tmp_path).json
    assert (report["served_by"], report["output"]) == ("daemon", "sub/a.wav")
    assert (tmp_path / "sub" / "a.wav").stat().st_size == report["bytes"]
    refused = home.run("say", "text.txt", *SINE, folder=tmp_path)
    assert (refused.code, "--file text.txt" in refused.stderr) == (2, True)


def test_stdin_is_spoken_as_it_arrives(home: Home) -> None:
    reader, writer = os.pipe()
    pcm = ("-o", "-", "--stream", "--format", "pcm")
    client = home.start("say", "-", *SINE, *pcm, stdout=writer)
    os.close(writer)
    with open(reader, "rb", buffering=0) as sound:
        client.write(b"The first sentence is h")
        client.write("ere, in Köln. And th".encode())
        client.write(b"is is the second of them. And")
        heard = sound.read(1 << 16)
        assert heard, client.stderr
        client.write(b" a third.\n")
        client.close_stdin()
        while block := sound.read(1 << 16):
            heard += block
    assert client.wait() == 0
    text = "The first sentence is here, in Köln. And this is the second of them. And a third.\n"
    assert heard == home.run("say", text, *SINE, *pcm, "--no-daemon").stdout


def test_a_text_that_comes_in_one_piece_by_stdin(home: Home) -> None:
    text = b"One sentence of many. " * 300
    command = ("say", *SINE, "-o", "a.wav", "--json")
    report = home.run(*command, stdin=text).json
    sound = (home.work / "a.wav").read_bytes()
    own = home.run(*command, "--no-daemon", stdin=text).json
    assert (report["served_by"], report["chars"]) == ("daemon", own["chars"])
    assert sound == (home.work / "a.wav").read_bytes()


@pytest.mark.parametrize(
    ("text", "said"), [(b"word " * 40_001, "200,000 characters"), (b"hello \xff world", "byte")]
)
def test_a_stdin_that_cannot_be_spoken_leaves_no_file(home: Home, text: bytes, said: str) -> None:
    before = _said(home)
    answer = home.run("say", "-", *SINE, "-o", "never.wav", stdin=text)
    assert (answer.code, said in answer.stderr, answer.stderr.count("\n")) == (2, True, 1)
    assert _said(home) == before + 1
    assert "never.wav" not in home.files()


def test_what_only_the_client_can_read_is_read_by_the_client(home: Home) -> None:
    """Its own descriptors, and pipes, which whoever reads them first leaves empty."""
    pipe = home.work / "pipe"
    os.mkfifo(pipe)
    for name, stdin in (("/dev/stdin", b"Hello there."), ("pipe", b"")):
        client = home.start("say", "-f", name, *SINE, "-o", "c.wav", "--json")
        if name == "pipe":
            pipe.write_bytes(b"Hello there.")
        client.write(stdin)
        client.close_stdin()
        report = client.reply()
        assert (report["served_by"], report["chars"]) == ("process", 12)
    pipe.unlink()


def test_it_can_be_told_to_leave_the_daemon_alone(home: Home) -> None:
    command = ("say", "Hello", *SINE, "-o", "a.wav", "--json")
    assert home.run(*command, "--no-daemon").json["served_by"] == "process"
    assert home.run(*command, environment={"TTSCTL_NO_DAEMON": "1"}).json["served_by"] == "process"
    with _config(home, "no-daemon = true\n"):
        assert home.run(*command).json["served_by"] == "process"
    assert home.run(*command).json["served_by"] == "daemon"


def test_a_client_with_other_surroundings_speaks_for_itself(home: Home) -> None:
    command = ("say", "Hello", *SINE, "-o", "a.wav", "--json")
    for name in ("TTSCTL_VOICES_DIR", "XDG_DATA_HOME", "HOME"):
        answer = home.run(*command, environment={name: str(home.folder / "other")})
        assert answer.json["served_by"] == "process", name
    other_cache = home.run("--cache-dir", home.folder / "other", *command)
    assert other_cache.json["served_by"] == "process"
    assert (
        home.run(*command, environment={"NO_COLOR": "1", "XDG_DATA_DIRS": "/x:/y"}).json[
            "served_by"
        ]
        == "daemon"
    )


def test_a_path_in_the_environment_is_the_clients_own(home: Home) -> None:
    """The daemon stands in another folder, where the same words lead somewhere else."""
    other = home.folder / "elsewhere"
    other.mkdir()
    (other / "my.toml").write_text('voice = "tone:sine"\n')
    answer = home.run(
        "say",
        "Hello",
        "-o",
        "a.wav",
        "--json",
        folder=other,
        environment={"TTSCTL_CONFIG": "my.toml"},
    )
    assert (answer.json["served_by"], answer.json["voice"]) == ("process", "tone:sine")


def test_what_is_cleared_is_gone_from_the_daemon_too(home: Home) -> None:
    command = ("say", "My secret words", *SINE, "-o", "a.wav", "--json")
    home.run(*command)
    assert home.run(*command).json["cache"] == "memory"
    home.run("cache", "clear", "--yes")
    assert home.run(*command).json["cache"] == "miss"


def test_settings_of_the_configuration_file_count_as_soon_as_they_are_written(home: Home) -> None:
    command = ("say", "Hello there", "-o", "a.wav")
    with _config(home, '[say]\nvoice = "tone:sine"\njson = true\n'):
        report = home.run(*command).json
        assert (report["served_by"], report["voice"]) == ("daemon", "tone:sine")
        refused = home.run("say", "Hello there", "-o", "missing/a.wav")
        assert refused.json["error"]["code"] == "TTS_OUTPUT_FAILED"
        failed = home.run("say", "!raise", *FAULTY, "-o", "a.wav")
        assert failed.json["error"]["code"] == "TTS_ENGINE_FAILED"
    with _config(home, "[say]\nsped = 2\n"):
        broken = home.run(*command)
        assert (broken.code, "say.sped" in broken.stderr) == (2, True)


@pytest.mark.parametrize("options", [(), ("-o", "a.wav", "--json")], ids=["audio", "json"])
def test_a_stdout_that_takes_nothing_is_an_output_error(
    home: Home, options: tuple[str, ...]
) -> None:
    before, said = _said(home), []
    for own in ((), ("--no-daemon",)):
        with open("/dev/full", "wb") as full:
            client = home.start("say", "Hello", *SINE, *options, *own, stdout=full)
        assert client.wait() == 5
        said.append(client.last_words())
    assert said[0] == said[1]
    assert options or "no space left" in said[0]
    assert _said(home) == before + 1


def test_a_reader_that_leaves_ends_it_by_sigpipe(home: Home) -> None:
    reader, writer = os.pipe()
    command = ("say", "Hello. " * 2000, *SINE, "--stream", "--format", "pcm", "--no-cache")
    client = home.start(*command, stdout=writer)
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    assert client.wait() == -signal.SIGPIPE
    assert client.last_words() == ""
    wait_until(lambda: _in_hand(home) == 0)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "0>/dev/null"])
def test_a_closed_stream_does_no_harm(home: Home, closed: str) -> None:
    for text, code in (("hello", 0), ("-", 2)):
        command = f"{sys.executable} -m ttsctl say {text} -v tone:sine -o a.wav {closed}"
        finished = subprocess.run(
            ["sh", "-c", command],
            cwd=home.work,
            env=home.environment,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert finished.returncode == code, finished.stderr


def test_the_client_imports_next_to_nothing(home: Home) -> None:
    before = _said(home)
    for options in (("-o", "a.wav"), ("-o", "-"), ("-o", "a.wav", "--json")):
        command = ["-m", "ttsctl", "say", "Hello", *SINE, *options]
        finished = subprocess.run(
            [sys.executable, "-X", "importtime", *command],
            cwd=home.work,
            env=home.environment,
            capture_output=True,
            check=True,
        )
        lines = finished.stderr.decode(errors="replace").splitlines()
        names = {line.rpartition("|")[2].strip() for line in lines if "import time:" in line}
        assert "ttsctl.cli.daemon_client" in names
        assert {name.partition(".")[0] for name in names}.isdisjoint(HEAVY)
        ours = {name for name in names if name.startswith("ttsctl.") and "workflows" in name}
        assert not ours
    assert _said(home) == before + 3


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGINT, ("-o", "a.wav")), (signal.SIGTERM, ("-o", "a.wav")), (signal.SIGINT, ())],
)
def test_a_signal_ends_the_client_and_its_request(
    home: Home, number: signal.Signals, options: tuple[str, ...]
) -> None:
    (home.work / "a.wav").unlink(missing_ok=True)
    files = home.files()
    client = home.start(*SLOW, *options)
    wait_until(lambda: _in_hand(home) == 1, client)
    client.process.send_signal(number)
    assert client.wait(10) == -number
    assert client.last_words() == ""
    wait_until(lambda: _in_hand(home) == 0)
    assert home.files() == files


def test_a_client_that_disappears_has_its_request_cancelled(home: Home) -> None:
    with home.connected() as client:
        fields = {"text": "!endless", "voice": "tone:faulty", "stream": True, "noCache": True}
        client.send(action="synthesize", **fields)
        assert client.reply()["event"] == "audio"
        assert _in_hand(home) == 1
    wait_until(lambda: _in_hand(home) == 0)
    client_program = home.start(*SLOW, "-o", "a.wav")
    wait_until(lambda: _in_hand(home) == 1, client_program)
    client_program.process.kill()
    wait_until(lambda: _in_hand(home) == 0)


def test_a_daemon_that_is_killed_in_the_middle_is_one_line_and_no_file(lone: Home) -> None:
    daemon = lone.serve(*TONE, "--workers", "3")
    clients = [lone.start(*SLOW, *options) for options in ((), ("-o", "a.wav"))]
    json_client = lone.start(*SLOW, "-o", "b.wav", "--json")
    wait_until(lambda: _busy(lone) == 3)  # who was not accepted yet would do it on its own
    daemon.process.kill()
    for client in clients:
        assert client.wait() == 4
        said = client.last_words()
        assert said.count("\n") == 1
        assert said.startswith("error: the daemon ended in the middle")
    assert json_client.reply()["ok"] is False
    assert json_client.wait() == 4
    assert lone.files() == []


def _serve_nonsense(home: Home, answer: Callable[[socket.socket], None]) -> socket.socket:
    """Listen where the daemon would, and answer one client."""
    home.socket.parent.mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home.socket))
    listener.listen()

    def attend() -> None:
        client, _ = listener.accept()
        with closing(client):
            answer(client)

    threading.Thread(target=attend, daemon=True).start()
    return listener


def _say(data: bytes) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.recv(1 << 16)
        client.sendall(data)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        _say(b'{"event":"declined"}\n'),
        _say(b'{"success":false,"error":{"code":"TTS_BUSY","message":"full"}}\n'),
        _say(b'{"success":false,"error":{"code":"TTS_INVALID_REQUEST","message":"say?"}}\n'),
        _say(b"220 mail.example.org ESMTP\r\n"),
        _say(b"[]\n"),
        _say(b"5\n"),
        _say(b'"accepted"\n'),
        _say(b"\xff\xfe\n"),
        _say(b"[" * 50_000 + b"\n"),
        _say(b'{"event":"acc'),
        _say(b"\n"),
        lambda client: None,
    ],
    ids=[
        "declines",
        "is full",
        "knows no commands",
        "is a mail server",
        "sends an array",
        "sends a number",
        "sends a text",
        "sends no UTF-8",
        "sends a nest",
        "stops in its line",
        "sends an empty line",
        "closes at once",
    ],
)
def test_where_no_daemon_does_it_the_process_does(
    lone: Home, answer: Callable[[socket.socket], None]
) -> None:
    with closing(_serve_nonsense(lone, answer)):
        finished = lone.run("say", "-", *SINE, "-o", "a.wav", "--json", stdin=b"Hello there.")
    report = finished.json
    assert (finished.code, finished.stderr) == (0, "")
    assert (report["served_by"], report["chars"]) == ("process", 12)


@pytest.mark.slow
def test_a_daemon_that_says_nothing_is_waited_for_five_seconds(lone: Home) -> None:
    def say_nothing(client: socket.socket) -> None:
        while client.recv(1 << 16):
            pass

    asked_at = time.monotonic()
    with closing(_serve_nonsense(lone, say_nothing)):
        report = lone.run("say", "Hello", *SINE, "-o", "a.wav", "--json").json
    assert report["served_by"] == "process"
    assert 5 <= time.monotonic() - asked_at < 20


@pytest.mark.slow
def test_a_daemon_that_is_stopped_does_not_stop_its_clients(lone: Home) -> None:
    daemon = lone.serve()
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        report = lone.run("say", "Hello", *SINE, "-o", "a.wav", "--json").json
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert report["served_by"] == "process"
    wait_until(lambda: _in_hand(lone) == 0)


def test_what_breaks_off_after_it_was_accepted_is_an_error(lone: Home) -> None:
    accepted = b'{"event":"accepted","is_json":false}\n'
    for broken in (
        b'{"success":false,"error":{"code":"TTS_SERVICE_ERROR","message":"a bug"}}\n',
        b'{"event":"file","path":"a.wav"}\n{"event":"audio","data":"AAAA"}\n',
        b"garbage\n",
        b"7\n",
    ):
        with closing(_serve_nonsense(lone, _say(accepted + broken))):
            answer = lone.run("say", "Hello", *SINE, "-o", "a.wav")
        assert (answer.code, answer.stdout) == (4, b"")
        assert answer.stderr.startswith("error: the daemon ended in the middle")
        assert lone.files() == []
        lone.socket.unlink()
        lone.socket.parent.rmdir()


def test_twenty_clients_at_once_get_each_their_own(home: Home) -> None:
    texts = [f"This is what number {number} has to say." for number in range(20)]
    pcm = ("-o", "-", "--format", "pcm")
    clients: list[Program] = []
    files = []
    for number, text in enumerate(texts):
        files.append(home.work / f"{number}.pcm")
        with files[-1].open("wb") as stdout:
            clients.append(home.start("say", text, *SINE, *pcm, stdout=stdout))
    assert [client.wait() for client in clients] == [0] * 20
    sounds = [file.read_bytes() for file in files]
    assert len(set(sounds)) == 20
    one = home.run("say", texts[7], *SINE, *pcm, "--no-daemon", "--no-cache").stdout
    assert sounds[7] == one
    for file in files:
        file.unlink()


def test_the_daemon_keeps_nothing_of_its_clients_open(home: Home) -> None:
    daemon = psutil.Process(int(home.socket.with_name("ttsctl.sock.lock").read_text()))
    home.run("say", "Hello", *SINE, "-o", "a.wav")
    wait_until(lambda: _in_hand(home) == 0)
    before = daemon.num_fds()
    for number in range(5):
        assert home.run("say", f"Hello {number}", *SINE, "-o", "a.wav").code == 0
    wait_until(lambda: daemon.num_fds() <= before)

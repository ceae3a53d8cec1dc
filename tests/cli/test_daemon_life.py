"""`ttsctl serve`, `status` and `stop`: how a daemon begins, who may talk to it, how it ends."""

from __future__ import annotations

import configparser
import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.built import TINY
from tests.cli.services import TONE, Home, wait_ended, wait_until

SINE = ("-v", "tone:sine")
NOBODY = 65534  # the uid that has nothing, on Linux as on macOS
MAX_CONNECTIONS = 64

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    home = Home()
    yield home
    home.end()


def test_without_a_daemon_status_and_stop_say_so(home: Home) -> None:
    answer = home.run("status")
    assert (answer.code, answer.stderr) == (0, "")
    assert f"no daemon listens at {home.socket}" in answer.stdout.decode()
    assert home.run("status", "--json").json == {
        "ok": True,
        "running": False,
        "socket": str(home.socket),
    }
    answer = home.run("stop")
    assert (answer.code, f"no daemon listens at {home.socket}" in answer.stdout.decode()) == (
        0,
        True,
    )
    assert home.run("stop", "--json").json == {"ok": True, "was_running": False}


def test_status_tells_how_the_daemon_is_and_stop_ends_it(home: Home) -> None:
    daemon = home.serve()
    assert str(home.socket) in daemon.stderr
    assert home.run("say", "Hello", *SINE, "-o", "a.wav").code == 0
    report = home.run("status", "--json").json
    assert (report["ok"], report["running"], report["status"]) == (True, True, "healthy")
    assert report["metrics"]["requests"]["total"] == 1
    assert report["workers"][0]["voice"] == "tone:sine"
    said = home.run("status").stdout.decode()
    assert said.startswith("healthy, ")
    assert "requests: 1 (0 failed)" in said
    assert "worker: tone:sine, " in said

    workers = daemon.workers()
    answer = home.run("stop")
    assert not home.socket.exists()
    assert (answer.code, answer.stdout) == (0, b"the daemon has ended\n")
    assert daemon.wait() == 0
    assert "Traceback" not in daemon.last_words()
    wait_ended(workers)


def test_stop_lets_what_is_in_hand_end(home: Home) -> None:
    daemon = home.serve()
    client = home.start("say", "!slow=1000 x", "-v", "tone:faulty", "-o", "a.wav", "--json")
    wait_until(lambda: home.ask("ping")["in_hand"] == 1)
    with home.connected() as idle:
        assert home.run("stop", "--json").json == {"ok": True, "was_running": True}
        assert idle.connection.recv(1) == b""
    assert not home.socket.exists()
    assert client.reply()["served_by"] == "daemon"
    assert (client.wait(), daemon.wait()) == (0, 0)
    assert home.files() == ["a.wav"]


def test_status_is_answered_while_the_daemon_is_busy(home: Home) -> None:
    home.serve()
    client = home.start("say", "!slow=60000", "-v", "tone:faulty", "-o", "a.wav")
    wait_until(lambda: home.ask("ping")["in_hand"] == 1)
    asked_at = time.monotonic()
    assert home.ask("ping")["status"] == "healthy"
    assert time.monotonic() - asked_at < 2
    wait_until(
        lambda: (
            ("tone:faulty", "busy")
            in [(worker["voice"], worker["state"]) for worker in home.ask("ping")["workers"]]
        )
    )
    client.process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon_by_that_signal_however_many_listen(
    home: Home, number: signal.Signals
) -> None:
    daemon = home.serve()
    client = home.start("say", "!slow=500 x", "-v", "tone:faulty", "-o", "a.wav")
    wait_until(lambda: home.ask("ping")["in_hand"] == 1)
    workers = daemon.workers()
    with home.connected() as idle:
        assert idle.ask("ping")["success"]
        sent_at = time.monotonic()
        daemon.process.send_signal(number)
        assert daemon.wait() == -number
        assert time.monotonic() - sent_at < 8
    assert client.wait() == 0
    assert home.files() == ["a.wav"]
    assert not home.socket.exists()
    assert "Traceback" not in daemon.last_words()
    wait_ended(workers)


def test_of_two_that_start_at_once_one_runs(home: Home) -> None:
    both = [home.start("serve", *TONE) for _ in range(2)]
    wait_until(lambda: any(each.process.poll() is not None for each in both))
    loser = next(each for each in both if each.process.poll() is not None)
    winner = next(each for each in both if each is not loser)
    assert loser.process.returncode == 6
    assert loser.last_words().count("\n") == 1
    assert f"(process {winner.process.pid})" in loser.stderr
    winner.wait_ready()
    assert home.ask("ping")["success"]
    third = home.run("serve", *TONE)
    assert (third.code, f"(process {winner.process.pid})" in third.stderr) == (6, True)
    assert home.ask("ping")["success"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_daemon_that_was_killed_is_in_nobodys_way(home: Home, number: signal.Signals) -> None:
    daemon = home.serve()
    workers = daemon.workers()
    daemon.process.send_signal(number)
    daemon.wait()
    wait_ended(workers)
    assert home.socket.exists()
    home.serve()
    report = home.run("say", "Hello", *SINE, "-o", "a.wav", "--json").json
    assert report["served_by"] == "daemon"


def test_a_socket_that_was_left_behind_is_no_daemon(home: Home) -> None:
    home.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.socket))
    assert home.run("status", "--json").json["running"] is False
    assert home.run("stop", "--json").json["was_running"] is False
    report = home.run("say", "Hello", *SINE, "-o", "a.wav", "--json").json
    assert report["served_by"] == "process"


def test_nobody_else_can_reach_the_socket(home: Home) -> None:
    before = os.umask(0)
    try:
        home.serve()
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.socket.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.socket.parent.iterdir()} == {0o600}


def _open_to_the_group(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


def _open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o1777)


def _link(folder: Path) -> None:
    target = folder.with_name("target")
    target.mkdir(mode=0o700)
    folder.symlink_to(target)


def _of_another(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)


@pytest.mark.parametrize(
    "make",
    [_open_to_the_group, _open_to_all, _link, pytest.param(_of_another, marks=as_root)],
    ids=["of a group", "of all", "a link", "of another"],
)
def test_a_folder_that_others_can_write_to_is_refused(home: Home, make: object) -> None:
    assert callable(make)
    make(home.socket.parent)
    answer = home.run("serve", *TONE)
    assert answer.code == 5
    assert answer.stderr.count("\n") == 1
    assert str(home.socket.parent) in answer.stderr
    assert not home.socket.exists()


def test_what_is_no_socket_is_left_alone(home: Home) -> None:
    letter = home.work / "letter.txt"
    letter.write_text("Dear Sir")
    (home.work / "folder").mkdir()
    for name in ("letter.txt", "folder"):
        answer = home.run("serve", *TONE, "--socket", name)
        assert (answer.code, answer.stderr.count("\n")) == (5, 1)
    assert letter.read_text() == "Dear Sir"
    assert home.files() == ["folder", "letter.txt"]


def test_a_path_too_long_for_a_socket_is_refused(home: Home) -> None:
    answer = home.run("serve", *TONE, "--socket", home.folder / ("x" * 100))
    assert (answer.code, "too long" in answer.stderr) == (5, True)


def test_the_socket_may_be_elsewhere(home: Home) -> None:
    path = home.folder / "run" / "s"
    home.serve(*TONE, "--socket", path)
    report = home.run(
        "say", "Hi", *SINE, "-o", "a.wav", "--json", environment={"TTSCTL_SOCKET": str(path)}
    ).json
    assert report["served_by"] == "daemon"
    assert home.run("stop", "--socket", path, "--json").json["was_running"]


def test_a_voice_that_does_not_exist_is_told_before_anything_listens(home: Home) -> None:
    answer = home.run("serve", "--preload", "tone:sine,nosuch:voice")
    assert (answer.code, answer.stdout) == (4, b"")
    assert answer.stderr.count("\n") == 1
    assert not home.socket.parent.exists()


@pytest.fixture(name="damaged")
def _damaged(home: Home, piper_models: Path) -> str:
    """A voice that is installed and cannot be loaded."""
    assert home.run("voices", "add", piper_models / f"{TINY}.onnx").code == 0
    model = home.folder / "data" / "ttsctl" / "voices" / "piper" / TINY / f"{TINY}.onnx"
    state = model.stat()
    model.write_bytes(b"\0" * state.st_size)
    os.utime(model, ns=(state.st_atime_ns, state.st_mtime_ns))
    shutil.rmtree(home.folder / "cache", ignore_errors=True)
    return f"piper:{TINY}"


@pytest.mark.slow
def test_a_voice_that_fails_is_a_warning_at_the_start_and_to_each_client(
    home: Home, damaged: str
) -> None:
    daemon = home.serve("--preload", damaged)
    assert f"warning: voice '{damaged}' could not be loaded ahead" in daemon.stderr
    answer = home.run("say", "Hello there.", "-v", damaged, "-o", "a.wav", "--json")
    assert (answer.json["served_by"], answer.json["engine"]) == ("daemon", "espeak")
    assert answer.stderr.startswith(f"warning: {damaged} failed, so espeak:en-us speaks: ")
    own = home.run("say", "Hello there.", "-v", damaged, "-o", "a.wav", "--json", "--no-daemon")
    assert answer.stderr == own.stderr


@pytest.mark.slow
def test_a_daemon_that_nobody_asks_ends_by_itself(home: Home) -> None:
    """Somebody who is connected and asks nothing does not keep it."""
    daemon = home.serve(*TONE, "--idle-timeout", "2")
    with home.connected():
        client = home.start("say", "!slow=3500 x", "-v", "tone:faulty", "-o", "a.wav")
        assert client.wait() == 0
        assert daemon.process.poll() is None, "it was at work"
        assert daemon.wait(12) == 0
    assert not home.socket.exists()


def test_the_sixty_fifth_client_is_told_to_come_again(home: Home) -> None:
    home.serve()
    with ExitStack() as stack:
        clients = [stack.enter_context(home.connected()) for _ in range(MAX_CONNECTIONS)]
        for client in clients:
            assert client.ask("ping")["success"]
        with home.connected() as late:
            assert late.reply()["error"]["code"] == "TTS_BUSY"
            assert late.connection.recv(1) == b""
        status = home.run("status")
        assert (status.code, "64 clients" in status.stderr) == (6, True)
        report = home.run("say", "Hello", *SINE, "-o", "a.wav", "--json").json
        assert report["served_by"] == "process"
        assert clients[0].ask("ping")["success"]
    wait_until(lambda: home.run("status").code == 0)


_CONNECT_AS = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    try:
        connection.sendall(b'{"action":"shutdown"}\\n')
        print(connection.recv(1000))
    except OSError:
        print(b"")
"""


@as_root
def test_another_user_is_refused_even_where_the_folder_lets_them_in(home: Home) -> None:
    daemon = home.serve()
    command = [sys.executable, "-c", _CONNECT_AS, str(home.socket), str(NOBODY)]
    kept_out = subprocess.run(command, capture_output=True, check=False)
    assert b"PermissionError" in kept_out.stderr
    for folder in (home.folder, home.folder / "run", home.socket.parent):
        folder.chmod(0o755)
    home.socket.chmod(0o666)
    for _ in range(10):
        refused = subprocess.run(command, capture_output=True, check=True)
        assert refused.stdout.strip() == b"b''"
    assert home.ask("ping")["success"]
    assert "another user was refused" in daemon.stderr


_LISTEN_AS = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); listener.listen()
print("listens", flush=True)
client, _ = listener.accept()
client.settimeout(10)
print(len(client.recv(1000)))
"""


@as_root
def test_a_daemon_of_another_user_is_told_nothing(home: Home) -> None:
    """It could have the client write any file."""
    public = home.folder / "public"
    public.mkdir()
    public.chmod(0o777)
    home.folder.chmod(0o755)
    path = public / "s"
    command = [sys.executable, "-c", _LISTEN_AS, str(path), str(NOBODY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stranger:
        try:
            assert stranger.stdout is not None
            assert stranger.stdout.readline() == b"listens\n"
            say = ("say", "A secret", *SINE, "-o", "a.wav", "--json")
            report = home.run(*say, environment={"TTSCTL_SOCKET": str(path)}).json
            assert report["served_by"] == "process"
            assert stranger.stdout.readline() == b"0\n"
        finally:
            stranger.kill()


def test_a_daemon_frees_what_a_client_has_left(home: Home) -> None:
    daemon = psutil.Process(home.serve().process.pid)
    home.run("say", "Hello", *SINE, "-o", "a.wav")
    before = (daemon.num_fds(), daemon.num_threads())
    for _ in range(20):
        with home.connected() as client:
            client.send(action="voices")
    wait_until(lambda: home.ask("ping")["in_hand"] == 0)
    wait_until(lambda: daemon.num_fds() <= before[0])
    wait_until(lambda: daemon.num_threads() <= before[1])


@pytest.mark.slow
def test_a_client_that_never_reads_is_dropped_and_others_are_served(home: Home) -> None:
    """Memory stays bounded while it is waited for, which takes 10 s."""
    daemon = psutil.Process(home.serve().process.pid)
    asked_at = time.monotonic()
    with home.connected(timeout_s=0.2) as client, contextlib.suppress(ConnectionError):
        while time.monotonic() - asked_at < 60:
            try:
                client.send(id="x" * 500_000, action="ping")
            except TimeoutError:
                report = home.run("say", "Hello", *SINE, "-o", "a.wav", "--json").json
                assert report["served_by"] == "daemon"
            assert daemon.memory_info().rss < 300 << 20
    assert 8 < time.monotonic() - asked_at < 40


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_start_and_stop_and_kill_and_start_again(home: Home) -> None:
    for turn in range(10):
        daemon = home.serve("--preload", "none")
        report = home.run("say", f"Turn {turn}", *SINE, "-o", "a.wav", "--json").json
        assert report["served_by"] == "daemon"
        if turn % 2:
            daemon.process.kill()
        else:
            assert home.run("stop").code == 0
            assert not home.socket.exists()


def test_the_unit_of_systemd_starts_the_daemon_and_starts_it_again() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names as they are
    folder = Path(__file__).parents[2] / "examples"
    assert unit.read(folder / "ttsctl.service")
    assert unit["Service"]["ExecStart"] == "%h/.local/bin/ttsctl serve"
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["UMask"] == "0077"
    assert unit["Install"]["WantedBy"] == "default.target"

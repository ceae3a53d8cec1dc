"""`ttsctl serve --stdio`, as the program that keeps it as a child process meets it."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import time
import wave
from collections.abc import Iterator

import psutil
import pytest

from tests.cli.services import TONE, Home, Program, wait_ended, wait_until

FAULTY = {"action": "synthesize", "voice": "tone:faulty", "noCache": True}


@pytest.fixture(name="home")
def _home() -> Iterator[Home]:
    home = Home()
    yield home
    home.end()


@pytest.fixture(name="service")
def _service(home: Home) -> Program:
    return home.stdio()


def test_the_lines_of_the_contract_are_answered_as_it_says(home: Home, service: Program) -> None:
    first = service.ask(
        "synthesize",
        id="1",
        text="Hello",
        voice="espeak:en-us",
        outputPath="a.wav",
        format="wav",
        speed=1.0,
    )
    assert (first["id"], first["success"]) == ("1", True)
    assert (first["engine"], first["voice"]) == ("espeak", "espeak:en-us")
    assert first["cache"] == "miss"
    assert set(first["timings_ms"]) >= {"queue", "load", "synthesis", "encode", "total"}
    assert first["filePath"] == str(home.work / "a.wav")
    assert first["fileSize"] == (home.work / "a.wav").stat().st_size
    with wave.open(first["filePath"]) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(
            first["duration"], abs=1e-3
        )

    fields = {"text": "One sentence. And another one.", "stream": True, "format": "pcm"}
    service.send({"id": "2", "action": "synthesize", "voiceId": "espeak:en-us", **fields})
    replies = [service.reply()]
    while "event" in replies[-1]:
        replies.append(service.reply())
    *events, last = replies
    assert {reply["id"] for reply in replies} == {"2"}
    assert [event["seq"] for event in events] == list(range(len(events)))
    sound_bytes = b"".join(base64.b64decode(event["data"]) for event in events)
    assert last["success"]
    assert len(sound_bytes) / 2 / events[0]["sample_rate"] == pytest.approx(
        last["duration"], abs=1e-3
    )

    ping = service.ask("ping", id="3")
    assert (ping["id"], ping["status"], ping["queue"]) == ("3", "healthy", 0)
    assert ping["uptime"] > 0
    assert {worker["engine"] for worker in ping["workers"]} == {"tone", "espeak"}
    assert service.ask("cancel", id="4", target="2") == {"id": "4", "success": True, "cancelled": 0}
    assert len(service.ask("voices")["voices"]) > 100
    assert service.ask("metrics")["metrics"]["requests"]["total"] == 2
    error = service.ask("synthesize", id="5", text="x", voice="xyz")["error"]
    assert error["code"] == "TTS_INVALID_VOICE"
    assert "'xyz'" in error["message"]


def test_replies_come_as_they_finish(service: Program) -> None:
    service.send(
        {"id": "slow", **FAULTY, "text": "!slow=1500 late"},
        {"id": "quick", "action": "synthesize", "voice": "tone:sine", "text": "at once"},
        {"id": "ping", "action": "ping"},
    )
    assert [service.reply()["id"] for _ in range(3)] == ["ping", "quick", "slow"]


def test_what_an_engine_prints_is_not_among_the_replies(home: Home, service: Program) -> None:
    service.send({"id": 1, **FAULTY, "text": "!stdout loud"}, {"id": 2, "action": "ping"})
    service.close_stdin()
    assert {reply["id"] for reply in service.replies_left()} == {1, 2}
    assert service.last_words().splitlines() == ['{"status": "loading"}', '{"status": "ready"}']


def test_an_engine_that_dies_costs_one_request(service: Program) -> None:
    crash = service.ask("synthesize", text="!segv", voice="tone:faulty")
    assert crash["error"]["code"] == "TTS_ENGINE_CRASHED"
    assert "SIGSEGV" in crash["error"]["message"]
    assert service.ask("synthesize", text="and on", voice="tone:faulty")["success"]
    assert service.ask("ping")["restarts"] >= 1


def test_without_a_file_and_a_stream_the_sound_is_in_the_reply(service: Program) -> None:
    reply = service.ask("synthesize", text="Hello there", voice="tone:sine")
    data = base64.b64decode(reply["data"])
    assert reply["fileSize"] == len(data)
    with wave.open(io.BytesIO(data)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)


def test_a_request_is_cancelled_while_it_is_worked_on(service: Program) -> None:
    service.send({"id": "long", **FAULTY, "text": "!slow=60000"})
    wait_until(lambda: bool(service.ask("ping")["in_hand"]))
    service.send({"id": 2, "action": "cancel", "target": "long"})
    replies = {reply["id"]: reply for reply in (service.reply(), service.reply())}
    assert replies[2]["cancelled"] == 1
    assert replies["long"]["error"]["code"] == "TTS_CANCELLED"


def test_a_file_outside_of_the_output_root_is_refused(home: Home) -> None:
    root = home.folder / "root"
    root.mkdir()
    (root / "out").symlink_to(home.folder)
    (root / "link.wav").symlink_to(home.folder / "linked.wav")
    service = home.stdio(*TONE, "--output-root", root)
    before = sorted(home.folder.iterdir())
    for path in (
        "../a.wav",
        "sub/../../a.wav",
        str(home.folder / "a.wav"),
        f"{root}x.wav",
        "out/a.wav",
        "link.wav",
        ".",
        "/etc/a.wav",
    ):
        reply = service.ask("synthesize", text="Hi", voice="tone:sine", outputPath=path)
        assert reply["error"]["code"] == "TTS_INVALID_REQUEST", path
    assert sorted(home.folder.iterdir()) == before
    assert home.files() == []
    inside = service.ask("synthesize", text="Hi", voice="tone:sine", outputPath="a.wav")
    assert inside["filePath"] == str((root / "a.wav").resolve())
    missing = service.ask("synthesize", text="Hi", voice="tone:sine", outputPath="no/a.wav")
    assert missing["error"]["code"] == "TTS_OUTPUT_FAILED"


def test_a_text_over_the_limit_of_the_service_is_refused(home: Home) -> None:
    service = home.stdio(*TONE, "--max-chars", 20)
    reply = service.ask("synthesize", text="x" * 21, voice="tone:sine")
    assert reply["error"]["code"] == "TTS_TEXT_TOO_LONG"
    assert service.ask("synthesize", text="x" * 20, voice="tone:sine")["success"]


def test_a_request_that_takes_too_long_is_given_up(home: Home) -> None:
    service = home.stdio(*TONE, "--request-timeout", 0.5)
    asked_at = time.monotonic()
    reply = service.ask("synthesize", text="!slow=60000", voice="tone:faulty")
    assert reply["error"]["code"] == "TTS_TIMEOUT"
    assert time.monotonic() - asked_at < 10


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--preload", "nosuch:voice"), 4, "nosuch"),
        (("--socket", "x.sock"), 2, "exclude each other"),
        (("--workers", "0"), 2, "--workers"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_starts(
    home: Home, arguments: tuple[str, ...], code: int, said: str
) -> None:
    answer = home.run("serve", "--stdio", *arguments)
    assert (answer.code, answer.stdout) == (code, b"")
    assert said in answer.stderr
    assert "status" not in answer.stderr


def test_the_end_of_input_ends_it_once_all_is_answered(home: Home, service: Program) -> None:
    workers = service.workers()
    service.send({"id": "last", **FAULTY, "text": "!slow=800 x", "outputPath": "a.wav"})
    service.close_stdin()
    assert service.wait() == 0
    (reply,) = service.replies_left()
    assert reply["success"]
    assert home.files() == ["a.wav"]
    wait_ended(workers)


def test_a_last_line_needs_no_newline(service: Program) -> None:
    service.write(b'{"id":1,"action":"ping"}')
    service.close_stdin()
    assert [reply["id"] for reply in service.replies_left()] == [1]


def test_shutdown_is_answered_and_ends_it(service: Program) -> None:
    service.send({"id": "slow", **FAULTY, "text": "!slow=500 x"}, {"id": 2, "action": "shutdown"})
    assert service.wait() == 0
    replies = {reply["id"]: reply for reply in service.replies_left()}
    assert replies[2] == {"id": 2, "success": True}
    assert replies["slow"]["success"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_by_that_signal_after_what_is_in_hand(
    home: Home, service: Program, number: signal.Signals
) -> None:
    service.send({"id": "slow", **FAULTY, "text": "!slow=800 x", "outputPath": "a.wav"})
    wait_until(lambda: bool(service.ask("ping")["in_hand"]))
    workers = service.workers()
    service.process.send_signal(number)
    assert service.wait() == -number
    (reply,) = service.replies_left()
    assert reply["success"]
    assert home.files() == ["a.wav"]
    assert "Traceback" not in service.stderr
    wait_ended(workers)


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
def test_it_ends_when_nobody_is_left_to_read(home: Home, is_busy: bool) -> None:
    service = home.stdio()
    workers = service.workers()
    if is_busy:
        service.send({**FAULTY, "text": "!slow=60000"})
        wait_until(lambda: bool(service.ask("ping")["in_hand"]))
        workers = service.workers()
    service.close_stdout()
    service.wait(15)
    wait_ended(workers)
    assert "Traceback" not in service.last_words()


@pytest.mark.slow
def test_a_socket_in_the_environment_is_for_the_daemon(home: Home) -> None:
    home.environment["TTSCTL_SOCKET"] = str(home.folder / "d.sock")
    assert home.stdio().ask("ping")["success"]


def test_the_output_root_is_made(home: Home) -> None:
    service = home.stdio("--output-root", home.folder / "new" / "out", "--preload", "none")
    reply = service.ask("synthesize", text="Hello", voice="tone:sine", outputPath="a.wav")
    assert (home.folder / "new" / "out" / "a.wav").stat().st_size == reply["fileSize"]


@pytest.mark.timeout(8)
def test_a_closed_stderr_does_not_stop_it(home: Home, service: Program) -> None:
    """Many a parent reads `ready`, and no further."""
    service.close_stderr()
    assert "error" in service.ask("synthesize", text="!segv", voice="tone:faulty")
    assert service.ask("synthesize", text="!warn", voice="tone:faulty")["success"]
    assert service.ask("ping")["success"]


def _kill_and_look(home: Home) -> None:
    """Two at work, so that each could hold on to the pipes of the other."""
    service = home.stdio("--preload", "none", "--workers", "2")
    service.send(*({**FAULTY, "text": f"!slow=6000{number}"} for number in range(2)))
    wait_until(lambda: len(service.workers()) == 2)
    workers = service.workers()
    service.process.kill()
    wait_ended(workers, 15)


def test_no_worker_outlives_a_service_that_was_killed(home: Home) -> None:
    for _ in range(3):
        _kill_and_look(home)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_worker_outlives_any_of_fifty_services_that_were_killed(home: Home) -> None:
    for _ in range(50):
        _kill_and_look(home)


@pytest.mark.slow
def test_a_hundred_thousand_pings_in_one_write_get_as_many_replies(service: Program) -> None:
    count = 100_000
    service.send(*({"id": number, "action": "ping"} for number in range(count)))
    for number in range(count):
        reply = service.reply()
        assert (reply["id"], reply["status"]) == (number, "healthy")


@pytest.mark.slow
def test_a_client_that_never_reads_is_given_up(home: Home) -> None:
    """After 10 s in which it has read nothing; memory stays bounded until then."""
    reader, writer = os.pipe()
    service = home.start("serve", "--stdio", *TONE, stdout=writer).wait_ready()
    os.close(writer)
    workers = service.workers()
    line = json.dumps({"id": "x" * 500_000, "action": "ping"}).encode() + b"\n"
    asked_at = time.monotonic()
    with contextlib.suppress(BrokenPipeError):
        while time.monotonic() < asked_at + 60:
            service.write(line)
            assert psutil.Process(service.process.pid).memory_info().rss < 300 << 20
    assert 8 < time.monotonic() - asked_at < 30
    service.wait(15)
    os.close(reader)
    wait_ended(workers)
    assert "Traceback" not in service.last_words()


@pytest.mark.slow
def test_a_shutdown_waits_ten_seconds_for_what_is_in_hand(home: Home) -> None:
    service = home.stdio(*TONE, "--workers", "2")
    fields = {**FAULTY, "text": "!slow=3000 x"}
    service.send(*({"id": number, **fields, "speed": 1 + number / 100} for number in range(20)))
    service.send({"id": "end", "action": "shutdown"})
    asked_at = time.monotonic()
    assert service.wait() == 0
    assert time.monotonic() - asked_at < 20
    replies = {reply["id"]: reply for reply in service.replies_left()}
    assert set(replies) == {*range(20), "end"}
    assert 4 <= sum(reply["success"] for reply in replies.values()) < 12

"""A service and its clients: each gets its own answer, whatever the others do."""

from __future__ import annotations

import io
import threading
import wave
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.service.clients import FAULTY, Client, error_code, is_own, sound
from tests.service.conftest import MakeService
from tests.timing import LONG_S, run_threads, wait_until
from ttsctl.cache.eviction import CacheLimits
from ttsctl.errors import BusyError
from ttsctl.service.assembly import ServiceConfig, make_service
from ttsctl.service.service import Service, ServiceLimits
from ttsctl.service.upkeep import Upkeep

IDS: list[Any] = ["1", 1, 1.5, True, None, "", [1, ["2"]], {"a": {"b": None}}, "é"]
LONG_TEXT = " ".join(f"Sentence {n} is long enough to stand on its own." for n in range(6))


def idle(service: Service) -> bool:
    """Tell whether nothing at all is in hand."""
    workers = service.supervisor.workers()
    return service.turns.inside == 0 and all(each["state"] == "idle" for each in workers)


def occupy(service: Service, client: Client, count: int, milliseconds: int) -> list[str]:
    """Have `count` requests at work or waiting that take long; return their ids."""
    ids = [f"slow {number}" for number in range(count)]
    for number, identity in enumerate(ids):
        text = f"Slowly, number {number} !slow={milliseconds}"
        client.send(text=text, voice="tone:faulty", format="pcm", id=identity)
    wait_until(lambda: service.turns.inside >= count)
    working = min(count, service.limits.at_once)
    wait_until(lambda: service.turns.waiting == count - working)
    return ids


# --- answers ---


def test_each_request_is_answered_with_its_own_sound(client: Client) -> None:
    texts = [f"Text number {number}" for number in range(30)]
    for text in texts:
        client.send(text=text, voice="tone:faulty", format="pcm", id=text)
    for text in texts:
        reply = client.answer(text)
        assert is_own(sound(reply), text)
        assert reply["voice"] == FAULTY.id
        assert reply["chars"] == len(text)
        assert reply["sampleRate"] == 16_000
        assert reply["duration"] == pytest.approx(len(sound(reply)) / 32_000, abs=1e-3)
        assert reply["fileSize"] == len(sound(reply))


@pytest.mark.parametrize("identity", IDS, ids=str)
def test_the_id_comes_back_as_it_was_sent(client: Client, identity: object) -> None:
    reply = client.speak("Hello", id=identity)
    assert (reply["success"], reply["id"], type(reply["id"])) == (True, identity, type(identity))


def test_a_wav_says_how_long_it_is(client: Client) -> None:
    reply = client.speak(LONG_TEXT, format="wav")
    with wave.open(io.BytesIO(sound(reply))) as file:
        assert file.getframerate() == 16_000
        assert file.getnframes() / 16_000 == pytest.approx(reply["duration"], abs=1e-3)


@pytest.mark.parametrize("format", ["opus", "mp3", "flac", "ulaw", "alaw"])
def test_every_format_is_answered(client: Client, format: str) -> None:
    reply = client.speak("Hello there", format=format)
    assert reply["format"] == format
    assert len(sound(reply)) == reply["fileSize"] > 100
    assert client.speak("Hello there", format=format)["cache"] == "memory"


def test_a_stream_is_the_same_sound_in_pieces_that_are_numbered(client: Client) -> None:
    whole = sound(client.speak(LONG_TEXT, noCache=True))
    reply = client.speak(LONG_TEXT, stream=True, id="stream", noCache=True)
    events = client.events("stream")
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert reply["events"] == len(events) > 1
    assert {event["sample_rate"] for event in events} == {16_000}
    assert b"".join(map(sound, events)) == whole
    assert client.lines.index(reply) > client.lines.index(events[-1])
    assert "data" not in reply


def test_a_stream_comes_while_it_is_being_made(service: Service, client: Client) -> None:
    text = "The first sentence is quick and it is long enough. The second one !slow=60000 is not."
    client.send(text=text, voice="tone:faulty", stream=True, id="stream")
    wait_until(lambda: bool(client.events("stream")))
    client.ask("cancel", target="stream")
    assert error_code(client.answer("stream")) == "TTS_CANCELLED"
    wait_until(lambda: idle(service))


def test_what_was_said_is_not_said_again(service: Service, client: Client) -> None:
    first, second = client.speak(LONG_TEXT), client.speak(LONG_TEXT)
    assert (first["cache"], second["cache"]) == ("miss", "memory")
    assert sound(first) == sound(second)
    assert client.speak(LONG_TEXT, noCache=True)["cache"] == "miss"
    assert client.speak(LONG_TEXT, refresh=True)["cache"] == "miss"


def test_a_text_that_fifty_want_at_once_is_made_once(service: Service, client: Client) -> None:
    text = "Everybody wants this !slow=200"
    for number in range(50):
        client.send(text=text, voice="tone:faulty", format="pcm", id=number)
    replies = [client.answer(number) for number in range(50)]
    assert Counter(reply["cache"] for reply in replies) == {"miss": 1, "memory": 49}
    assert all(is_own(sound(reply), text) for reply in replies)
    assert len({sound(reply) for reply in replies}) == 1
    assert client.ask("metrics")["metrics"]["by_tier"]["miss"]["requests"] == 1


# --- mistakes ---


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"voice": "tone:nobody"}, "TTS_INVALID_VOICE"),
        ({"voice": "nobody at all"}, "TTS_INVALID_VOICE"),
        ({"voice": "acme:anna"}, "TTS_NOT_INSTALLED"),
        ({"voice": "espeak:en-us", "lang": "de"}, "TTS_INVALID_REQUEST"),
        ({"text": "x" * 101}, "TTS_TEXT_TOO_LONG"),
        ({"text": ""}, "TTS_INVALID_REQUEST"),
        ({"text": " \U0001f600 ..."}, "TTS_INVALID_REQUEST"),
        ({"speed": 0.2}, "TTS_INVALID_REQUEST"),
        ({"speed": 4.1}, "TTS_INVALID_REQUEST"),
        ({"speed": "fast"}, "TTS_INVALID_REQUEST"),
        ({"sentenceSilence": 61}, "TTS_INVALID_REQUEST"),
        ({"format": "aac"}, "TTS_INVALID_REQUEST"),
        ({"format": "flac", "stream": True}, "TTS_INVALID_REQUEST"),
        ({"format": "wav", "bitrate": 32_000}, "TTS_INVALID_REQUEST"),
        ({"sampleRate": 1}, "TTS_INVALID_REQUEST"),
        ({"outputPath": "a.wav"}, "TTS_INVALID_REQUEST"),
        ({"text": "!raise"}, "TTS_ENGINE_FAILED"),
        ({"text": "!empty"}, "TTS_ENGINE_FAILED"),
    ],
    ids=str,
)
def test_a_mistake_is_told_by_its_code_and_the_next_request_works(
    make_service: MakeService, fields: dict[str, Any], code: str
) -> None:
    client = Client(make_service(max_chars=100))
    reply = client.ask(**{"text": "Hello", "voice": "tone:faulty", **fields})
    assert error_code(reply) == code
    assert reply["error"]["message"][0] != " "
    assert "Traceback" not in reply["error"]["message"]
    assert client.speak("x" * 100)["success"]


def test_a_line_that_is_no_request_is_refused_and_the_next_one_is_answered(client: Client) -> None:
    client.connection.feed(b'{"id": "bad", "action": "sing"}\nnot json\n')
    assert error_code(client.answer("bad")) == "TTS_INVALID_REQUEST"
    assert client.speak("Hello")["success"]
    assert sum("id" not in line for line in client.lines) == 1


# --- files ---


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    return root


@pytest.fixture(name="writer")
def _writer(make_service: MakeService, root: Path) -> Client:
    """A client of a service that writes below `root`."""
    return Client(make_service(output_root=root))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["a.wav", "sub/a.flac", "./sub/../b.pcm", "ü ñ.wav"])
def test_a_file_below_the_root_is_written_whole(writer: Client, root: Path, name: str) -> None:
    reply = writer.ask(text=LONG_TEXT, voice="tone:faulty", outputPath=name)
    path = Path(reply["filePath"])
    assert path == (root / name).resolve()
    assert path.stat().st_size == reply["fileSize"]
    assert files(root) == [str(path.relative_to(root))]
    assert "data" not in reply
    again = writer.ask(text="Something else", voice="tone:faulty", outputPath=str(path))
    assert path.stat().st_size == again["fileSize"] < reply["fileSize"]


@pytest.mark.parametrize(
    "name",
    [
        "../a.wav",
        "sub/../../a.wav",
        "/tmp/a.wav",
        "{root}2/a.wav",
        ".",
        "sub/..",
        "{root}",
        "{root}/",
        "out/a.wav",
        "link.wav",
        "out/../../a.wav",
    ],
)
def test_a_path_that_leads_out_of_the_root_is_refused(
    writer: Client, root: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "root2").mkdir()
    (root / "out").symlink_to(outside)
    (root / "link.wav").symlink_to(outside / "a.wav")
    before = files(tmp_path)
    path = name.format(root=root)
    reply = writer.ask(text="Hello", voice="tone:faulty", format="wav", outputPath=path)
    assert error_code(reply) == "TTS_INVALID_REQUEST"
    assert "outside of the output folder" in reply["error"]["message"]
    assert files(tmp_path) == before


def test_a_link_that_stays_below_the_root_may_be_used(writer: Client, root: Path) -> None:
    (root / "link").symlink_to(root / "sub")
    reply = writer.ask(text="Hello", voice="tone:faulty", outputPath="link/a.wav")
    assert reply["filePath"] == str(root / "sub" / "a.wav")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"outputPath": "missing/a.wav"}, "TTS_OUTPUT_FAILED"),
        ({"outputPath": "sub", "format": "wav"}, "TTS_OUTPUT_FAILED"),
        ({"outputPath": "a.xyz"}, "TTS_INVALID_REQUEST"),
        ({"outputPath": "a.wav", "stream": True}, "TTS_INVALID_REQUEST"),
        ({"outputPath": "a.wav", "text": "hello !raise"}, "TTS_ENGINE_FAILED"),
        ({"outputPath": "a.wav", "text": "hello !partial"}, "TTS_ENGINE_CRASHED"),
    ],
    ids=str,
)
def test_a_file_that_fails_is_not_there(
    writer: Client, root: Path, fields: dict[str, Any], code: str
) -> None:
    reply = writer.ask(**{"text": "Hello", "voice": "tone:faulty", **fields})
    assert error_code(reply) == code
    assert files(root) == []


def test_a_full_disk_costs_one_request(make_service: MakeService) -> None:
    service = make_service(output_root=Path("/dev"), at_once=1, is_cached=False)
    client = Client(service)
    for _ in range(3):
        reply = client.speak(LONG_TEXT, outputPath="full")
        assert error_code(reply) == "TTS_OUTPUT_FAILED"
        assert "no space left" in reply["error"]["message"]
    wait_until(lambda: idle(service))
    assert client.speak("Hello")["success"]


# --- many ---


def test_where_the_queue_is_full_a_request_is_turned_away(make_service: MakeService) -> None:
    service = make_service(at_once=1, max_waiting=2)
    client = Client(service)
    ids = occupy(service, client, 3, 500)
    for _ in range(3):
        reply = client.speak("One too many")
        assert error_code(reply) == "TTS_BUSY"
        assert "2 requests wait already" in reply["error"]["message"]
    assert [error_code(client.answer(identity)) for identity in ids] == [None] * 3
    wait_until(lambda: idle(service))
    assert client.speak("Now there is room")["success"]


def test_what_is_known_does_not_wait_for_its_turn(make_service: MakeService) -> None:
    service = make_service(at_once=2, max_waiting=4)
    client = Client(service)
    client.speak(LONG_TEXT)
    occupy(service, client, 5, 60_000)
    for format in ("pcm", "wav"):
        reply = client.speak(LONG_TEXT, format=format)
        assert (error_code(reply), reply["cache"]) == (None, "memory")
    wait_until(lambda: service.turns.inside == 5)
    assert service.turns.waiting == 3


def test_to_ask_how_it_is_does_not_wait_either(make_service: MakeService) -> None:
    service = make_service(at_once=1, max_waiting=2)
    client = Client(service)
    client.speak("Warm up")
    occupy(service, client, 3, 60_000)
    status = client.ask("ping")
    assert (status["status"], status["queue"], status["in_hand"]) == ("healthy", 2, 3)
    assert [worker["state"] for worker in status["workers"]] == ["busy"]
    assert status["model"] == FAULTY.id
    assert client.ask("metrics")["metrics"]["queue"] == 2
    assert service.turns.inside == 3


@pytest.mark.slow
def test_3200_requests_of_16_threads_are_each_answered_with_their_own_sound(
    make_service: MakeService,
) -> None:
    service = make_service(at_once=2)
    texts = [f"Text number {number}, one of eight." for number in range(8)]
    wrong: list[tuple[str, object]] = []

    def ask(thread: int) -> None:
        client = Client(service)
        for number in range(200):
            text = texts[(thread + number) % 8]
            reply = client.speak(text, noCache=bool(number % 4 == 0))
            if error_code(reply) or not is_own(sound(reply), text):
                wrong.append((text, error_code(reply)))

    run_threads([partial(ask, thread) for thread in range(16)])
    assert wrong == []
    requests = service.metrics()["requests"]
    assert (requests["total"], requests["ok"]) == (3200, 3200)
    wait_until(lambda: idle(service))


# --- giving up ---


def test_a_request_at_work_can_be_cancelled(service: Service, client: Client) -> None:
    client.send(text="Slowly !slow=60000", voice="tone:faulty", id="slow")
    wait_until(lambda: bool(service.supervisor.workers()))
    assert client.ask("cancel", target="slow", id="the cancel")["cancelled"] == 1
    assert error_code(client.answer("slow")) == "TTS_CANCELLED"
    wait_until(lambda: idle(service))
    assert is_own(sound(client.speak("Next")), "Next")


def test_requests_of_any_id_can_be_cancelled_while_they_wait(make_service: MakeService) -> None:
    service = make_service(at_once=1)
    client = Client(service)
    occupy(service, client, 1, 60_000)
    for identity in IDS:
        client.send(text="In vain", voice="tone:faulty", id=identity)
    wait_until(lambda: service.turns.waiting == len(IDS))
    for count, identity in enumerate(IDS, 1):
        reply = client.ask("cancel", target=identity, id=f"cancel {count}")
        assert reply["cancelled"] == 1
        assert error_code(client.answer(identity)) == "TTS_CANCELLED"
    wait_until(lambda: service.turns.waiting == 0)
    wait_until(lambda: service.turns.inside == 1)


def test_only_the_one_that_is_meant_is_cancelled(service: Service, client: Client) -> None:
    for identity in (1, True, "1"):
        text = f"Slowly {type(identity).__name__} !slow=300"
        client.send(text=text, voice="tone:faulty", format="pcm", id=identity)
    wait_until(lambda: service.turns.inside == 3)
    assert client.ask("cancel", target=True)["cancelled"] == 1
    assert error_code(client.answer(True)) == "TTS_CANCELLED"
    for identity in (1, "1"):
        text = f"Slowly {type(identity).__name__} !slow=300"
        assert is_own(sound(client.answer(identity)), text)


def test_to_cancel_what_is_not_there_is_no_mistake(service: Service, client: Client) -> None:
    client.speak("Hello", id="done")
    wait_until(lambda: idle(service))
    assert client.ask("cancel", target="done")["cancelled"] == 0
    assert client.ask("cancel", target={"nobody": []})["cancelled"] == 0


def test_a_request_that_waits_can_be_cancelled(make_service: MakeService) -> None:
    service = make_service(at_once=1)
    client = Client(service)
    first, second, third = occupy(service, client, 3, 700)
    client.send("cancel", target=second)
    assert error_code(client.answer(second)) == "TTS_CANCELLED"
    assert service.turns.waiting == 1
    for identity in (first, third):
        assert error_code(client.answer(identity)) is None


def test_clients_cannot_cancel_one_another(service: Service) -> None:
    one, other = Client(service), Client(service)
    one.send(text="Slowly !slow=300", voice="tone:faulty", id=1)
    wait_until(lambda: service.turns.inside == 1)
    assert other.ask("cancel", target=1)["cancelled"] == 0
    assert error_code(one.answer(1)) is None


def test_a_request_that_takes_too_long_is_given_up_and_the_next_one_works(
    make_service: MakeService,
) -> None:
    service = make_service(request_timeout_s=0.5)
    client = Client(service)
    client.speak("Warm up")
    reply = client.speak("It hangs !hang")
    assert error_code(reply) == "TTS_TIMEOUT"
    assert "longer than 0.5 s" in reply["error"]["message"]
    assert "--request-timeout" in reply["error"]["message"]
    wait_until(lambda: idle(service))
    assert is_own(sound(client.speak("Next")), "Next")
    assert client.ask("metrics")["metrics"]["errors"] == {"TTS_TIMEOUT": 1}


def test_the_time_of_waiting_does_not_count(make_service: MakeService) -> None:
    service = make_service(request_timeout_s=1.5, at_once=1)
    client = Client(service)
    client.speak("Warm up")
    replies = [client.answer(identity) for identity in occupy(service, client, 5, 350)]
    assert [error_code(reply) for reply in replies] == [None] * 5
    longest = max(replies, key=lambda reply: float(reply["timings_ms"]["queue"]))["timings_ms"]
    assert longest["queue"] >= 4 * 350
    assert longest["total"] >= 5 * 350  # the time of waiting is part of what it took


def test_a_client_that_is_gone_is_not_worked_for(service: Service) -> None:
    gone, there = Client(service), Client(service)
    occupy(service, gone, 6, 60_000)
    gone.hang_up()
    gone.send("ping")  # its answer finds nobody
    wait_until(lambda: idle(service))
    assert is_own(sound(there.speak("Still here")), "Still here")
    assert gone.lines == []


def test_a_client_that_leaves_in_the_middle_of_a_stream_is_not_worked_for(
    service: Service,
) -> None:
    client = Client(service)
    text = " ".join(f"Sentence {n} takes its time !slow=50 or so, alas." for n in range(60))
    client.send(text=text, voice="tone:faulty", stream=True, id=1, noCache=True)
    wait_until(lambda: bool(client.events(1)))
    client.hang_up()
    wait_until(lambda: idle(service))
    there = Client(service)
    assert there.speak("Still here")["success"]


def test_at_the_end_of_the_input_all_is_answered(client: Client) -> None:
    for number in range(5):
        client.send(text=f"Number {number} !slow=50", voice="tone:faulty", id=number)
    client.connection.feed(b'{"action": "ping", "id": "last"}')
    client.connection.end(lambda: False)
    assert client.outbox.close(LONG_S)
    assert {line["id"] for line in client.lines} == {0, 1, 2, 3, 4, "last"}
    assert all(line["success"] for line in client.lines)


def test_at_the_end_of_the_input_a_listener_that_is_gone_ends_it_too(
    service: Service, client: Client
) -> None:
    occupy(service, client, 3, 60_000)
    client.connection.end(lambda: True)
    wait_until(lambda: idle(service))


# --- crashes ---


@pytest.mark.parametrize("text", ["It dies !segv", "It dies !exit", "It dies !abort"])
def test_a_text_that_kills_its_engine_costs_that_text(
    service: Service, client: Client, text: str
) -> None:
    client.send(text=text, voice="tone:faulty", id="poison")
    for number in range(10):
        client.send(text=f"Number {number}", voice="tone:faulty", format="pcm", id=number)
    assert error_code(client.answer("poison")) == "TTS_ENGINE_CRASHED"
    for number in range(10):
        assert is_own(sound(client.answer(number)), f"Number {number}")
    assert client.speak("After that")["success"]
    assert service.supervisor.restarts == 2  # after each of two attempts


def test_a_model_that_keeps_dying_is_told_and_left_alone(service: Service, client: Client) -> None:
    codes = [error_code(client.speak(f"It dies {n} !exit", id=n)) for n in range(5)]
    assert codes[0] == "TTS_ENGINE_CRASHED"
    assert codes[-1] == "TTS_ENGINE_FAILED"
    assert client.ask("ping")["status"] == "degraded"
    assert client.ask(text="Hello", voice="espeak:en-us")["success"]


# --- figures ---


def test_the_figures_add_up(service: Service, client: Client) -> None:
    texts = [f"Text number {number}" for number in range(4)]
    sounds = [client.speak(text) for text in texts + texts[:2]]
    client.speak("!raise")
    client.speak("!raise")
    client.speak("!partial")
    client.ask(text="Hello", voice="espeak:en-us")
    metrics = client.ask("metrics")["metrics"]
    requests = metrics["requests"]
    assert (requests["total"], requests["ok"], requests["failed"]) == (10, 7, 3)
    assert requests["cold"] + requests["warm"] == 10
    assert metrics["errors"] == {"TTS_ENGINE_CRASHED": 1, "TTS_ENGINE_FAILED": 2}
    tiers = {name: tier["requests"] for name, tier in metrics["by_tier"].items()}
    assert tiers == {"miss": 5, "memory": 2, "disk": 0}
    assert metrics["hit_rate"] == pytest.approx(2 / 7, abs=1e-3)
    assert sum(engine["requests"] for engine in metrics["by_engine"].values()) >= 7
    assert metrics["chars"] == sum(map(len, texts + texts[:2])) + len("Hello")
    assert metrics["audio_s"] >= sum(reply["duration"] for reply in sounds)
    assert metrics["queue"] == 0
    assert metrics["workers_memory_bytes"] > 1 << 20
    assert metrics["stages_ms"]["total"]["n"] == 7


def test_the_first_request_of_a_voice_is_a_cold_one(client: Client) -> None:
    client.speak("Hello")
    for number in range(3):
        client.speak(f"Again {number}")
    requests = client.ask("metrics")["metrics"]["requests"]
    assert (requests["cold"], requests["warm"]) == (1, 3)


def test_voices_are_listed(client: Client) -> None:
    voices = [entry["voice"] for entry in client.ask("voices")["voices"]]
    assert "espeak:en-us" in voices
    assert "tone:sine" not in voices  # it is for tests


# --- the end ---


def test_what_is_in_hand_is_finished_and_nothing_new_is_taken(
    service: Service, client: Client
) -> None:
    ids = occupy(service, client, 4, 300)
    stopping = threading.Thread(target=service.stop)
    stopping.start()
    wait_until(lambda: service.status()["status"] == "stopping")
    assert error_code(client.speak("Too late")) == "TTS_BUSY"
    assert client.ask("ping")["status"] == "stopping"
    with pytest.raises(BusyError, match="shutting down"):
        service.check_open()
    for identity in ids:
        assert error_code(client.answer(identity)) is None
    stopping.join(LONG_S)
    assert not stopping.is_alive()
    assert service.supervisor.worker_process_ids() == []
    service.stop()


def test_what_is_not_finished_in_time_is_ended(service: Service, client: Client) -> None:
    ids = occupy(service, client, 4, 60_000)
    service.stop(0.1)
    for identity in ids:
        assert error_code(client.answer(identity)) == "TTS_ENGINE_FAILED"
    wait_until(lambda: service.turns.inside == 0)


def test_what_was_said_before_the_end_is_on_disk(make_service: MakeService) -> None:
    first = make_service()
    Client(first).speak("Hello")
    first.stop()
    assert Client(make_service()).speak("Hello")["cache"] == "disk"


def test_a_shutdown_is_answered_and_handed_on(client: Client) -> None:
    assert client.ask("shutdown")["success"]
    assert client.is_shut_down.is_set()


# --- upkeep ---


def test_upkeep_ends_the_workers_that_nobody_uses(tmp_path: Path) -> None:
    config = ServiceConfig(ServiceLimits(), tmp_path / "cache", CacheLimits(), unload_after_s=0.1)
    service = make_service(config)
    upkeep = Upkeep(service, None, every_s=0.02)
    client = Client(service)
    assert client.speak("Hello")["success"]
    wait_until(lambda: service.supervisor.worker_process_ids() == [])
    assert client.speak("Hello again")["success"]
    upkeep.close()
    service.stop()

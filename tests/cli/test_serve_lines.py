"""Whatever a line holds, `ttsctl serve --stdio` answers it once and lives on.

One service for all of the cases: what one of them breaks, the next one meets.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.services import Home, Program

MAX_LINE_BYTES = 1 << 20

BAD_LINES = {
    "no JSON": b"hello",
    "half an object": b'{"id":1,"action":"ping"',
    "two objects": b'{"action":"ping"}{"action":"ping"}',
    "an array": b'[{"action":"ping"}]',
    "a number": b"5",
    "null": b"null",
    "a number beyond all bounds": b"9" * 5000,
    "a string": b'"ping"',
    "NaN": b'{"action":"ping","x":NaN}',
    "Infinity": b'{"action":"ping","x":-Infinity}',
    "UTF-16": '{"action":"ping"}'.encode("utf-16"),
    "Latin-1": '{"action":"pïng"}'.encode("latin-1"),
    "half a character": b'{"action":"ping","x":"\xe2\x82"}',
    "binary": bytes(set(range(256)) - {10}),
    "NUL": b"\0",
    "duplicate keys": b'{"action":"ping","action":"shutdown"}',
    "nested arrays": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "nested and closed": b'{"action":"ping","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "an id nested too deeply": b'{"action":"ping","id":' + b"[" * 200 + b"]" * 200 + b"}",
    "no action": b'{"id":1}',
    "no fields": b"{}",
    "an unknown action": b'{"action":"pong"}',
    "an action of another type": b'{"action":["ping"]}',
    "an action in capitals": b'{"action":"PING"}',
    "an empty action": b'{"action":""}',
    "a command line": b'{"action":"say","arguments":["say","x"],"environment":{}}',
    "cancel without a target": b'{"action":"cancel"}',
    "no text": b'{"action":"synthesize"}',
    "a text of another type": b'{"action":"synthesize","text":["a"]}',
    "a speed of another type": b'{"action":"synthesize","text":"a","speed":"fast"}',
    "a speed of no meaning": b'{"action":"synthesize","text":"a","speed":-1}',
    "a speed beyond all bounds": b'{"action":"synthesize","text":"a","speed":1e999}',
    "a sample rate and a half": b'{"action":"synthesize","text":"a","sampleRate":8000.5}',
    "a voice of another type": b'{"action":"synthesize","text":"a","voice":7}',
    "an unknown voice": b'{"action":"synthesize","text":"a","voice":"x:y"}',
    "an unknown format": b'{"action":"synthesize","text":"a","format":"ogv"}',
    "a format that does not stream": (
        b'{"action":"synthesize","text":"a","stream":true,"format":"flac"}'
    ),
    "a stream into a file": (
        b'{"action":"synthesize","text":"a","stream":true,"outputPath":"a.wav"}'
    ),
    "two voices": b'{"action":"synthesize","text":"a","voice":"en-us","voiceId":"de"}',
    "no name for the file": b'{"action":"synthesize","text":"a","outputPath":""}',
    "a NUL in a name": b'{"action":"synthesize","text":"a","outputPath":"a\\u0000.wav"}',
    "half a surrogate pair": b'{"action":"synthesize","text":"a","outputPath":"\\ud800.wav"}',
    "nothing to speak": b'{"action":"synthesize","text":" ...\\u200b"}',
    "a text that is too long": b'{"action":"synthesize","text":"' + b"x" * 5001 + b'"}',
    "options of another type": b'{"action":"synthesize","text":"a","options":[1]}',
}


@pytest.fixture(name="home", scope="module")
def _home() -> Iterator[Home]:
    home = Home()
    yield home
    home.end()


@pytest.fixture(name="service", scope="module")
def _service(home: Home) -> Program:
    return home.stdio()


@pytest.fixture(autouse=True)
def _still_alive(service: Program) -> Iterator[None]:
    """After each case the next request is answered, and nothing came before that answer."""
    yield
    assert service.ask("ping", id="alive")["id"] == "alive"
    assert "Traceback" not in service.stderr


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_that_is_no_request_is_refused_with_the_reason(
    service: Program, line: bytes
) -> None:
    service.write(line + b"\n")
    reply = service.reply()
    assert reply["success"] is False
    assert reply["error"]["code"].startswith("TTS_")
    message = reply["error"]["message"]
    assert 10 < len(message) < 600
    assert "\n" not in message


@pytest.mark.parametrize(
    "identity",
    [
        "text",
        "",
        "\u2028 \ud800 \0",
        0,
        -1,
        1.5,
        1.0,
        2**63,
        10**299,
        True,
        False,
        None,
        [],
        ["a", {"b": [1]}],
        {},
        {"a": None},
    ],
    ids=repr,
)
def test_an_id_comes_back_as_it_was(service: Program, identity: Any) -> None:
    for action in ("ping", "nonsense"):
        reply = service.ask(action, id=identity)
        assert json.dumps(reply["id"]) == json.dumps(identity)
    assert "id" not in service.ask("ping")


@pytest.mark.parametrize(
    "end",
    [b"\n", b"\r\n", b" \t\r\n", b"\n\n\r\n  \n"],
    ids=["LF", "CRLF", "blanks", "blank lines"],
)
def test_lines_end_as_anybody_ends_them(service: Program, end: bytes) -> None:
    service.write((b'{"id":1,"action":"ping"}' + end) * 2)
    assert [service.reply()["id"] for _ in range(2)] == [1, 1]


def test_a_line_may_come_byte_by_byte(service: Program) -> None:
    for byte in '{"id":"é€😀","action":"ping"}\r\n'.encode():
        service.write(bytes([byte]))
    assert service.reply()["id"] == "é€😀"


def test_many_lines_may_come_in_one_write(service: Program) -> None:
    service.send(*({"id": number, "action": "ping"} for number in range(500)))
    assert [service.reply()["id"] for _ in range(500)] == list(range(500))


def test_a_line_of_a_mebibyte_is_read_and_one_byte_more_is_not(service: Program) -> None:
    before, after = b'{"id":1,"action":"ping","pad":"', b'"}'
    fits = before + b"x" * (MAX_LINE_BYTES - len(before) - len(after)) + after
    service.write(fits + b"\n" + fits.replace(b"x", b"xx", 1) + b"\n" + fits + b"\n")
    assert service.reply()["success"]
    refused = service.reply()
    assert refused["error"]["code"] == "TTS_TEXT_TOO_LONG"
    assert "1,048,576" in refused["error"]["message"]
    assert service.reply()["success"]


def test_after_ten_mebibytes_without_a_newline_the_next_line_counts(service: Program) -> None:
    for _ in range(10):
        service.write(b'{"action":"shutdown"} ' * (MAX_LINE_BYTES // 22))
    assert service.reply()["error"]["code"] == "TTS_TEXT_TOO_LONG"
    service.write(b'\n{"id":"next","action":"ping"}\n')
    assert service.reply()["id"] == "next"


def test_fields_that_nobody_knows_are_ignored(service: Program) -> None:
    assert service.ask("ping", x=1, colour={"of": "the sky"})["status"] == "healthy"


def test_a_block_for_a_command_that_there_is_not_is_refused(service: Program) -> None:
    service.send({"id": 1, "action": "stdin", "data": ""}, {"id": 2, "action": "ping"})
    assert service.reply()["id"] == 1
    assert service.reply()["id"] == 2


def test_a_byte_order_mark_may_come_first(home: Home) -> None:
    service = home.stdio()
    service.write(b'\xef\xbb\xbf{"id":1,"action":"ping"}\r\n\xef\xbb\xbf{"action":"ping"}\n')
    assert service.reply()["id"] == 1
    assert service.reply()["error"]["code"] == "TTS_INVALID_REQUEST"


def test_two_thousand_lines_of_noise_get_as_many_replies(home: Home) -> None:
    """Each non-blank line one reply, apart from the events of those that happen to be streamed."""
    chance = random.Random(20_260_731)
    lines = [b'{"id":"first","action":"ping"}', *(_noise(chance) for _ in range(2_000))]
    service = home.stdio()
    data = b"\n".join(lines)
    while data:
        cut = chance.choice((1, 7, 100, 5_000))
        service.write(data[:cut])
        data = data[cut:]
    service.close_stdin()
    replies = [reply for reply in service.replies_left() if "event" not in reply]
    assert service.process.returncode == 0
    assert len(replies) == sum(bool(line.strip()) for line in lines)
    assert all(isinstance(reply["success"], bool) for reply in replies)
    assert sum(reply["success"] for reply in replies) > 20
    assert "Traceback" not in service.stderr


_REQUESTS = [
    {"id": 1, "action": "ping"},
    {"id": "m", "action": "metrics"},
    {"action": "cancel", "target": 1},
    {"id": [], "action": "synthesize", "text": "Hi", "voice": "tone:sine", "speed": 1.0},
    {"action": "synthesize", "text": "Hi.", "voice": "tone:sine", "stream": True},
    {"action": "synthesize", "text": "Hi", "voiceId": "tone:sine", "outputPath": "a.wav"},
]
_TOKENS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u", b"1e9", b"null", b"-", b"\xff", b"\0"]


def _noise(chance: random.Random) -> bytes:
    """Return a line that is a request, was one before it was damaged, or never was one."""
    line = bytearray(json.dumps(chance.choice(_REQUESTS)).encode())
    kind = chance.randrange(5)
    if kind == 0:
        line = bytearray(chance.randbytes(chance.randrange(200)))
    elif kind == 1:
        line = bytearray(b"".join(chance.choices(_TOKENS, k=chance.randrange(60))))
    elif kind == 2:
        del line[chance.randrange(len(line)) :]
    elif kind == 3:
        for _ in range(chance.randrange(1, 4)):
            line[chance.randrange(len(line))] = chance.randrange(256)
    return bytes(line).replace(b"\n", b" ")

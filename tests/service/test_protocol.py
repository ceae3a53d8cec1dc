"""Every line is a request or refused with a reason, and every id comes back as it was sent."""

from __future__ import annotations

import base64
import json
import math
import sys
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.errors import EngineError, InvalidRequestError, TextTooLongError
from ttsctl.service import protocol
from ttsctl.service.lines import MAX_LINE_BYTES, LineDecoder, Overlong
from ttsctl.service.protocol import (
    Absent,
    Cancel,
    Metrics,
    Ping,
    Refused,
    Request,
    Shutdown,
    Synthesize,
    Voices,
    parse,
)

any_text = st.text(st.characters())  # lone surrogates too
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
field_names = st.sampled_from(
    [
        *("id", "action", "text", "voice", "voiceId", "lang", "speed", "format", "target"),
        *("sampleRate", "bitrate", "outputPath", "stream", "sentenceSilence", "options", "noCache"),
    ]
)


def line_of(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def speech(**fields: Any) -> bytes:
    return line_of(action="synthesize", text="Hello", **fields)


def request_of(line: bytes) -> Request:
    request = parse(line)
    assert not isinstance(request, Refused), request.error.message
    return request


def synthesis_of(**fields: Any) -> Synthesize:
    request = request_of(speech(**fields))
    assert isinstance(request, Synthesize)
    return request


def refusal_of(line: bytes | Overlong) -> Refused:
    refused = parse(line)
    assert isinstance(refused, Refused)
    message = refused.error.message
    assert message
    assert not message.endswith(".")
    assert len(message) < 400
    return refused


def message_of(line: bytes) -> str:
    return refusal_of(line).error.message


def lines_of(
    pieces: Iterable[bytes], limit_bytes: int = MAX_LINE_BYTES, *, is_ended: bool = True
) -> list[bytes | Overlong]:
    decoder = LineDecoder(limit_bytes)
    lines = [line for piece in pieces for line in decoder.feed(piece)]
    return [*lines, *decoder.end()] if is_ended else lines


def cut(data: bytes, sizes: list[int]) -> Iterable[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


# --- lines ---


@given(
    data=st.lists(
        st.sampled_from([b"\n", b"\r", b"\r\n", b" ", b"a", b"{}", b"\xef\xbb\xbf", b"0123456789"])
        | st.binary(max_size=12),
        max_size=20,
    ).map(b"".join),
    sizes=st.lists(st.integers(0, 12), max_size=30),
)
def test_the_lines_do_not_depend_on_the_pieces_that_they_come_in(
    data: bytes, sizes: list[int]
) -> None:
    assert lines_of(cut(data, sizes), 8) == lines_of([data], 8)


@given(
    texts=st.lists(st.text(min_size=1).filter(str.strip), max_size=6),
    sizes=st.lists(st.integers(0, 40), max_size=30),
)
def test_what_is_encoded_is_decoded_again(texts: list[str], sizes: list[int]) -> None:
    sent = [{"id": number, "text": text} for number, text in enumerate(texts)]
    data = b"".join(map(protocol.encode, sent))
    received = lines_of(cut(data, sizes), is_ended=False)
    assert [json.loads(line) for line in received if isinstance(line, bytes)] == sent


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\r\nb\n", [b"a", b"b"]),
        (b"a\n\n \t\n\r\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [b"a", b"\xef\xbb\xbfb"]),
        (b"\xef\xbb\xbf\n\xef\xbb\xbf", [b"\xef\xbb\xbf"]),
        (b"", []),
    ],
)
def test_lines_end_as_they_do_on_any_system(data: bytes, lines: list[bytes]) -> None:
    assert lines_of([data]) == lines
    assert lines_of(data[at : at + 1] for at in range(len(data))) == lines


def test_a_line_over_the_limit_is_told_of_once_and_those_around_it_are_kept() -> None:
    data = b"first\n" + b"x" * 100 + b"\nlast\n"
    assert lines_of([data], 10) == [b"first", Overlong(0), b"last"]


def test_a_line_of_exactly_the_limit_is_let_through() -> None:
    assert lines_of([b"0123456789\n"], 10) == [b"0123456789"]
    assert lines_of([b"0123456789"], 9) == [Overlong(0)]


def test_a_line_over_the_limit_is_told_of_before_it_has_ended() -> None:
    decoder = LineDecoder(10)
    assert list(decoder.feed(b"0123456")) == []
    (marker,) = decoder.feed(b"0123456")
    assert isinstance(marker, Overlong)
    assert marker.size_bytes == 14
    assert [line for _ in range(1000) for line in decoder.feed(b"x" * 100)] == []
    assert list(decoder.feed(b"x\nnext\n")) == [b"next"]


def test_a_line_over_the_limit_is_not_held_in_memory() -> None:
    decoder = LineDecoder(1000)
    assert len([line for _ in range(100) for line in decoder.feed(b"x" * 999)]) == 1
    held_bytes = sum(
        sys.getsizeof(part) for part in vars(decoder).values() if isinstance(part, bytearray)
    )
    assert held_bytes <= 2000


@pytest.mark.parametrize("piece_bytes", [64, 4096, 65_536])
def test_the_work_grows_with_the_length_of_a_line_and_not_faster(piece_bytes: int) -> None:
    """Quadratic work would take minutes here."""
    data = b"x" * (10 << 20) + b"\n"
    pieces = (data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes))
    started_at = time.process_time()
    (line,) = lines_of(pieces, 16 << 20)
    assert time.process_time() - started_at < 10
    assert line == data[:-1]


def test_many_lines_in_one_piece_are_cut_in_linear_time() -> None:
    started_at = time.process_time()
    assert len(lines_of([b"{}\n" * 300_000])) == 300_000
    assert time.process_time() - started_at < 10


# --- requests ---


def test_a_request_for_speech_needs_no_more_than_a_text() -> None:
    assert request_of(line_of(action="synthesize", text="Hello")) == Synthesize(
        Absent.ABSENT, "Hello"
    )


def test_all_that_can_be_asked_of_speech_is_read() -> None:
    request = synthesis_of(
        id="1",
        voice="piper:a",
        lang="de",
        speed=2,
        format="opus",
        sampleRate=48_000,
        bitrate=24_000.0,
        outputPath="a/b.opus",
        sentenceSilence=0,
        options={"b": 0.5, "a": 3, "d": True, "c": "x"},
        noCache=True,
        refresh=True,
        noFallback=True,
    )
    assert request == Synthesize(
        "1",
        "Hello",
        voice="piper:a",
        language="de",
        speed=2.0,
        format="opus",
        sample_rate=48_000,
        bitrate_bps=24_000,
        output_path="a/b.opus",
        sentence_silence_s=0.0,
        options=(("a", "3"), ("b", "0.5"), ("c", "x"), ("d", "on")),
        is_cached=False,
        is_refreshing=True,
        has_fallback=False,
    )


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ("voice", "voiceId", "espeak:de"),
        ("lang", "language", "de"),
        ("sampleRate", "sample_rate", 8000),
        ("outputPath", "output_path", "a.wav"),
        ("sentenceSilence", "sentence_silence", 1.5),
        ("noCache", "no_cache", True),
        ("noFallback", "no_fallback", True),
    ],
)
def test_fields_of_two_names_go_by_either(one: str, other: str, value: Any) -> None:
    assert synthesis_of(**{one: value}) == synthesis_of(**{other: value}) != synthesis_of()
    assert synthesis_of(**{one: value, other: value}) == synthesis_of(**{one: value})


def test_two_names_of_a_field_with_values_that_differ_are_refused() -> None:
    message = message_of(speech(voice="a", voiceId="b"))
    assert message == "fields voice and voiceId disagree; leave one out"


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({"action": "ping"}, Ping(7)),
        ({"action": "voices"}, Voices(7)),
        ({"action": "metrics"}, Metrics(7)),
        ({"action": "shutdown"}, Shutdown(7)),
        ({"action": "cancel", "target": "a"}, Cancel(7, "a")),
        ({"action": "cancel", "target": None}, Cancel(7, None)),
        ({"action": "cancel", "target": [1, {}]}, Cancel(7, [1, {}])),
    ],
)
def test_the_other_actions_are_read(fields: dict[str, Any], request_: Request) -> None:
    assert request_of(line_of(id=7, **fields)) == request_


def test_fields_unknown_are_ignored_whatever_is_in_them() -> None:
    line = b'{"action":"ping","x":1e999,"y":[{"z":' + b"9" * 5000 + b"}]}"
    assert request_of(line) == Ping(Absent.ABSENT)


def test_null_counts_as_left_out() -> None:
    assert synthesis_of(voice=None, speed=None, options=None, stream=None) == synthesis_of()


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\U0001f600", "", "\u0905"])
def test_any_text_is_passed_on(text: str) -> None:
    request = request_of(line_of(action="synthesize", text=text))
    assert isinstance(request, Synthesize)
    assert request.text == text
    assert json.loads(protocol.encode({"text": text})) == {"text": text}


# --- refusals ---


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"id": "\xff"}', "not UTF-8: byte 9 is 0xff"),
        (b'{"id": 1, "action"', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"action":"ping"} {"action":"ping"}', "not JSON: extra data (character 19)"),
        (b"[1]", "a list"),
        (b"null", "null"),
        (b"1e999", "a number"),
        (b"{}", "'action' is missing"),
        (b'{"action":null}', "'action' is missing"),
        (b'{"action":["ping"]}', "'action' must be a string, not a list"),
        (b'{"action":"pong"}', "unknown action 'pong'; nearest: ping"),
        (b'{"action":"synthesize"}', "'text' is missing"),
        (b'{"action":"synthesize","text":null}', "'text' is missing"),
        (b'{"action":"synthesize","text":5}', "'text' must be a string, not a number"),
        (b'{"action":"cancel"}', "'target' is missing"),
        (b'{"action":"cancel","target":1e999}', "'target' cannot be an id"),
        (
            b'{"action":"synthesize","text":"a","speed":' + b"9" * 5000 + b"}",
            "'speed' is a number too",
        ),
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_is_no_request_is_refused_in_words(line: bytes, words: str) -> None:
    assert words in message_of(line)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("voice", 5, "must be a string"),
        ("voice", "a\0", "NUL"),
        ("outputPath", "\ud800.wav", "surrogate"),
        ("outputPath", "", "is empty"),
        ("speed", True, "must be a number, not true or false"),
        ("speed", "1.5", "must be a number, not a string"),
        ("speed", {}, "must be a number, not an object"),
        ("speed", 10**400, "too large"),
        ("sampleRate", 8000.5, "must be a whole number, not 8000.5"),
        ("sampleRate", False, "must be a number"),
        ("bitrate", -(10**400), "too large"),
        ("stream", 1, "must be true or false, not a number"),
        ("noCache", "yes", "must be true or false"),
        ("options", [["a", "b"]], "must be an object, not a list"),
        ("options", {"a": None}, "'a' must be a string, a number, or true or false, not null"),
        ("options", {"a": {}}, "not an object"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_its_name(field: str, value: Any, words: str) -> None:
    refused = refusal_of(speech(id=["x"], **{field: value}))
    assert words in refused.error.message
    assert refused.id == ["x"]
    assert isinstance(refused.error, InvalidRequestError)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("template", ['{"id":3,"unknown":[%s]}', '{"speed":%s,"id":3}'])
def test_numbers_that_are_not_json_are_refused_wherever_they_stand(
    word: str, template: str
) -> None:
    refused = refusal_of((template % word).encode())
    assert word in refused.error.message
    assert refused.id == 3


def test_a_field_that_appears_twice_is_refused() -> None:
    refused = refusal_of(b'{"id":3,"action":"ping","x":1,"action":"shutdown"}')
    assert refused.error.message == "field 'action' appears twice; leave one out"
    assert refused.id == 3


@pytest.mark.parametrize("line", [b'{"id":1,"id":2}', b'{"id":{"a":1,"a":2},"action":"ping"}'])
def test_an_id_that_is_not_clear_is_not_sent_back(line: bytes) -> None:
    refused = refusal_of(line)
    assert "appears twice" in refused.error.message
    assert refused.id is Absent.ABSENT


@pytest.mark.parametrize(
    "identity",
    [b"9" * 5000, b"[1e999]", b"[" * 500 + b"]" * 500, b'{"a":' * 101 + b"1" + b"}" * 101],
    ids=["digits", "number", "list", "object"],
)
def test_an_id_that_cannot_be_sent_back_is_refused(identity: bytes) -> None:
    refused = refusal_of(b'{"action":"ping","id":' + identity + b"}")
    assert "'id' cannot be an id" in refused.error.message
    assert refused.id is Absent.ABSENT


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=["lists", "objects", "id"],
)
def test_a_line_nested_too_deeply_is_refused_at_once(line: bytes) -> None:
    started_at = time.process_time()
    assert "nested too deeply" in message_of(line)
    assert time.process_time() - started_at < 1


def test_a_file_and_a_stream_at_once_are_refused() -> None:
    assert "exclude each other" in message_of(speech(outputPath="a.wav", stream=True))


def test_a_line_over_the_limit_is_refused() -> None:
    refused = refusal_of(Overlong(2_000_000))
    assert isinstance(refused.error, TextTooLongError)
    assert refused.id is Absent.ABSENT


def test_a_message_shows_no_more_of_a_name_than_a_message_should() -> None:
    started_at = time.process_time()
    refusal_of(line_of(action="p" * 900_000))
    refusal_of(b'{"' + b"x" * 400_000 + b'":1,"' + b"x" * 400_000 + b'":1}')
    assert time.process_time() - started_at < 2


@given(noise=st.binary(max_size=200))
def test_noise_is_refused_and_never_raises(noise: bytes) -> None:
    answers = [parse(line) for line in lines_of([noise])]
    assert all(isinstance(answer, Refused) for answer in answers)


@given(
    fields=st.dictionaries(field_names | any_text, json_values, max_size=8),
    action=st.sampled_from(["synthesize", "ping", "cancel", "metrics", "shutdown", "sing"]),
)
def test_every_object_is_a_request_or_refused_with_its_id(
    fields: dict[str, Any], action: str
) -> None:
    fields = {"action": action, **fields}
    answer = parse(line_of(**fields))
    reply = protocol.success(answer.id)
    if isinstance(answer, Refused):
        reply = protocol.failure(answer.id, answer.error)
    sent_back = json.loads(protocol.encode(reply))
    assert ("id" in sent_back) == ("id" in fields)
    assert sent_back.get("id") == fields.get("id")


# --- replies ---


@given(identity=json_values)
def test_an_id_of_any_type_is_sent_back_as_it_came(identity: Any) -> None:
    sent = json.dumps(identity, separators=(",", ":"))
    request = request_of(b'{"action":"ping","id":' + sent.encode() + b"}")
    reply = protocol.encode(protocol.success(request.id))
    assert reply == b'{"id":' + sent.encode() + b',"success":true}\n'


def test_a_request_without_an_id_is_answered_without_one() -> None:
    assert protocol.success(Absent.ABSENT, duration=0.5) == {"success": True, "duration": 0.5}
    assert protocol.success(None) == {"id": None, "success": True}


def test_a_failure_tells_code_and_message() -> None:
    assert protocol.failure("5", EngineError("no sound")) == {
        "id": "5",
        "success": False,
        "error": {"code": "TTS_ENGINE_FAILED", "message": "no sound"},
    }


@given(data=st.binary(max_size=200))
def test_sound_survives_the_journey(data: bytes) -> None:
    event = json.loads(protocol.encode(protocol.audio_event("2", 3, 22_050, data)))
    assert base64.b64decode(event.pop("data"), validate=True) == data
    assert event == {"id": "2", "event": "audio", "seq": 3, "sample_rate": 22_050}


@given(reply=st.dictionaries(any_text, json_values, max_size=4))
def test_a_reply_is_one_line_of_ascii(reply: dict[str, Any]) -> None:
    line = protocol.encode(reply)
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    assert json.loads(line) == reply


def test_a_number_that_json_has_no_word_for_is_sent_as_null() -> None:
    reply = {"a": [math.nan, (math.inf, 1.0)], "b": {"c": -math.inf}}
    assert json.loads(protocol.encode(reply)) == {"a": [None, [None, 1.0]], "b": {"c": None}}

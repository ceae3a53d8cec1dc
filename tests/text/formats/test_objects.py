"""JSON lines: what was written is read, piper's too, and no trap of JSON is walked into."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.formats.inputs import rows_of, texts_of
from ttsctl.text.rows import Row, RowError

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(st.tuples(TEXTS, st.integers(0, 10**17), st.floats(0.25, 4)), max_size=6),
    st.booleans(),
)
def test_what_was_written_is_read(rows: list[tuple[str, int, float]], is_ascii: bool) -> None:
    data = "".join(
        json.dumps({"text": text, "id": id, "speed": speed}, ensure_ascii=is_ascii) + "\n"
        for text, id, speed in rows
    )
    assert rows_of(data, "jsonl") == [
        Row(line, text, str(id), speed=speed) for line, (text, id, speed) in enumerate(rows, 1)
    ]


def test_every_field_is_read() -> None:
    fields = {
        "text": " Hi ", "id": "x1", "voice": "piper:amy", "speed": 2, "language": "en",
        "format": "mp3", "output_file": "a/b.mp3", "speaker": "amy",
    }  # fmt: skip
    assert rows_of(json.dumps(fields), "jsonl") == [
        Row(1, " Hi ", "x1", "piper:amy", 2.0, "en", "mp3", "a/b.mp3", "amy")
    ]


def test_what_piper_reads_is_read() -> None:
    data = (
        '{ "text": "First.", "speaker_id": 0, "output_file": "/tmp/speaker_0.wav" }\n'
        '{ "text": "Second.", "speaker": "name" }\n'
        '{ "text": "Third.", "speaker": "name", "speaker_id": 1 }\n'
    )
    assert rows_of(data, "jsonl") == [
        Row(1, "First.", output_file="/tmp/speaker_0.wav", speaker="0"),
        Row(2, "Second.", speaker="name"),
        Row(3, "Third.", speaker="1"),
    ]


def test_null_and_nothing_leave_a_field_open() -> None:
    data = '{"text": "a", "voice": null, "speed": null, "id": "", "format": " "}'
    assert rows_of(data, "jsonl") == [Row(1, "a")]


def test_blank_lines_are_none_and_lines_are_counted() -> None:
    assert texts_of('\n{"text": "a"}\r\n \t\r\n{"text": "b\u2028c"}', "jsonl") == [
        (2, "a"), (4, "b\u2028c")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON: expecting property name"),
        ('{"text": "a"} x', "not JSON: extra data at column 15"),
        ('["text"]', 'not an object; a line is {"text": "...", ...}'),
        ("null", "not an object"),
        ("{}", "text is missing"),
        ('{"text": null}', "text is null, not a string"),
        ('{"text": 1}', "text is a number, not a string"),
        ('{"text": "a", "text": "b"}', "text is given twice"),
        ('{"text": "a", "lang": "en", "language": "de"}', "language is given twice"),
        ('{"text": "a", "vioce": "b"}', "unknown field 'vioce'; nearest: voice"),
        ('{"text": "a", "voice": {"text": "b"}}', "voice is a list or an object, not a string"),
        ('{"text": "a", "voice": 1}', "voice is a number"),
        ('{"text": "a", "id": true}', "id is true or false"),
        ('{"text": "a", "id": 1.5}', "id is a number, not a string"),
        ('{"text": "a", "speed": "1"}', "speed '1' is a string, not a number"),
        ('{"text": "a", "speed": true}', "speed is true or false"),
        ('{"text": "a", "speed": 0.2}', "speed 0.2 is outside 0.25 to 4; 1 is normal"),
        ('{"text": "a", "speed": NaN}', "NaN is not JSON"),
        ('{"text": "a", "speed": -Infinity}', "-Infinity is not JSON"),
        ('{"text": "a", "speed": 1e999}', "speed inf is outside"),
        ('{"text": "a", "id": ' + "1" * 5000 + "}", "a number of 5,000 digits"),
        ('{"text": ' + "[" * 100_000, "nested too deep"),
        ('{"text": ' * 100_000, "nested too deep"),
        ('{"text": "\\ud800"}', "text has U+D800 in it"),
        ('{"text": "a", "id": "\\u0000"}', "id has U+0000 in it"),
        ('{"' + "x" * 5000 + '": 1}', "unknown field '" + "x" * 40 + "...'"),
        ('{"a": 1, "b": 2, "c": 3, "d": 4}', "unknown field 'c'"),
        ('{"text": "' + "a" * (1 << 20) + '"}', "longer than 1,048,576 characters"),
    ],
)
def test_a_bad_line_is_told_and_the_next_is_read(line: str, message: str) -> None:
    first, bad, last = rows_of(f'{{"text": "x"}}\n{line}\n{{"text": "y"}}\n', "jsonl")
    assert (first, last) == (Row(1, "x"), Row(3, "y"))
    assert isinstance(bad, RowError)
    assert bad.line == 2
    assert message in bad.message
    assert len(bad.message) < 300

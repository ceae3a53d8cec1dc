"""Subtitles: what players take is taken; what would be spoken at the wrong time is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.formats.inputs import rows_of, texts_of
from ttsctl.errors import InvalidRequestError
from ttsctl.text.inputs import Kind
from ttsctl.text.rows import Row, RowError


def srt_time(moment_ms: int) -> str:
    seconds, milliseconds = divmod(moment_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{milliseconds:03}"


WORDS = st.from_regex(r"[a-zé]{1,8}( [a-z]{1,8}){0,3}", fullmatch=True)


@given(
    st.lists(st.integers(0, 359_999_999), unique=True, max_size=12).map(sorted),
    st.lists(WORDS, min_size=6, max_size=6),
    st.sampled_from(["srt", "vtt"]),
)
def test_what_was_written_is_read(moments: list[int], texts: list[str], kind: Kind) -> None:
    cues = list(zip(moments[::2], moments[1::2], texts, strict=False))
    data = "WEBVTT\n\n" if kind == "vtt" else ""
    for number, (start, end, text) in enumerate(cues, 1):
        times = f"{srt_time(start)} --> {srt_time(end)}"
        data += f"{number}\n{times.replace(',', '.') if kind == 'vtt' else times}\n{text}\n\n"
    head = 2 if kind == "vtt" else 0
    assert rows_of(data, kind) == [
        Row(head + 4 * index + 2, text, start_s=start / 1000, end_s=end / 1000)
        for index, (start, end, text) in enumerate(cues)
    ]


TOLERATED = """1
00:00:01,000 --> 00:00:02,000 X1:100 Y1:50
<i>One</i> <font color="#fff">and</font> {\\an8}two &amp; <sighs>
-- more

behind a blank line
2
00:00:02.000 --> 00:00:03.5
no blank line above

0:04 --> 0:05
no index, no hours

00:00:06,000 --> 00:00:07,000
1999

5

00:00:08,000 --> 00:00:09,000
six
6
00:00:10,000 --> 00:00:11,000"""


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_subrip_as_players_take_it(end: str) -> None:
    assert texts_of(TOLERATED.replace("\n", end), "srt") == [
        (2, "One and two & <sighs> -- more behind a blank line"),
        (8, "no blank line above"),
        (11, "no index, no hours"),
        (14, "1999"),
        (19, "six"),
        (22, ""),
    ]


def test_webvtt_as_its_specification_has_it() -> None:
    data = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

REGION
id:x

NOTE what
comes to mind

intro
00:01.000 --> 00:02.500 align:start line:0
<v.loud Mary Jane>One <c.red>two</c> <00:01.500>three</v> <ruby>漢<rt>kan</rt></ruby>&nbsp;&lt;i&gt;
- four

NOTE

100:00.000 --> 100:01.000
NOTE is text here
01:40:01.000 --> 01:40:02.000
five"""
    assert rows_of(data, "vtt") == [
        Row(14, "One two three 漢 <i> - four", start_s=1.0, end_s=2.5),
        RowError(20, "no times that can be read; they are 00:00:01,000 --> 00:00:02,500"),
        Row(22, "five", start_s=6001.0, end_s=6002.0),
    ]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ("00:00:01,500 --> 00:00:03,000", "the cue starts before the one above it ends"),
        ("00:00:00,000 --> 00:00:00,500", "the cue starts before the one above it ends"),
        ("00:00:05,000 --> 00:00:04,000", "the cue ends before it starts"),
        ("00:00:05,000 --> 00:00:05,000", "the cue lasts no time"),
        ("-00:00:05,000 --> 00:00:06,000", "a time that cannot be"),
        ("00:00:61,000 --> 00:01:02,000", "a time that cannot be"),
        ("00:60:01,000 --> 01:01:02,000", "a time that cannot be"),
        ("99:59:59,000 --> 100:00:00,001", "the cue is beyond 100 hours"),
        ("999999999:00:00,000 --> 999999999:00:01,000", "the cue is beyond 100 hours"),
        ("00:00:05,000 --> ", "no times that can be read"),
        ("soon --> later", "no times that can be read"),
        ("٠٠:٠١ --> ٠٠:٠٢", "no times that can be read"),
        ("1" * 50_000 + ":00 --> 00:01", "no times that can be read"),
    ],
)
@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_a_bad_cue_is_told_and_the_next_is_read(times: str, message: str, kind: Kind) -> None:
    head = "WEBVTT\n\n" if kind == "vtt" else ""
    data = (
        f"{head}00:00:01,000 --> 00:00:02,000\na\n\n"
        f"{times}\nb\nc\n\n00:00:02,000 --> 00:00:03,000\nd\n"
    )
    first, bad, last = rows_of(data, kind)
    start = head.count("\n") + 1
    assert (first.line, bad.line, last.line) == (start, start + 3, start + 7)
    assert isinstance(bad, RowError)
    assert message in bad.message
    assert isinstance(last, Row)
    assert last.text == "d"


@pytest.mark.parametrize(
    ("data", "kind", "line"),
    [
        ("Once upon\na time\n\n1\n00:01,000 --> 00:02,000\na\n", "srt", 1),
        ("WEBVTT\n\nOnce upon\na time\n\nx\n00:01.000 --> 00:02.000\na\n", "vtt", 3),
    ],
)
def test_text_without_a_time_is_told(data: str, kind: Kind, line: int) -> None:
    assert texts_of(data, kind) == [(line, "! text without a time"), (line + 4, "a")]


@pytest.mark.parametrize("data", ["", "\n", "1\n00:01.000 --> 00:02.000\na\n", "WEBVTTX\n"])
def test_webvtt_has_its_signature(data: str) -> None:
    with pytest.raises(InvalidRequestError, match="input line 1: no header; WebVTT begins with"):
        rows_of(data, "vtt")


def test_a_cue_that_is_too_long_is_told_and_the_next_is_read() -> None:
    data = "00:01 --> 00:02\n" + "x" * 600_000 + "\n" + "y" * 600_000 + "\n00:03 --> 00:04\na"
    assert texts_of(data, "srt") == [
        (1, "! the text of the cue is longer than 1,048,576 characters"), (4, "a")
    ]  # fmt: skip


def test_no_reference_is_too_long() -> None:
    assert texts_of(f"00:01 --> 00:02\na &#{'1' * 5000}; b", "srt") == [(1, "a \ufffd b")]

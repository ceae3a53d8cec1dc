"""Whatever the format: streamed, in order, the same however it is cut, and never a crash."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.text.formats.inputs import book, outcome, page, rows_of, texts_of
from ttsctl.errors import InvalidRequestError
from ttsctl.text.inputs import KINDS, Kind, kind_of, read_rows
from ttsctl.text.rows import Row, RowError

SAMPLES: dict[Kind, bytes] = {
    "txt": "One.\r\n\r\nÄnd two.\rThree\u2028four\n".encode(),
    "csv": '\ufefftext,id,speed\r\n"a ""b""\r\nc",1,1.5\r\nü,2,\r\n"x"y,3,\r\n'.encode(),
    "tsv": b"text\tvoice\none, two\tespeak:de\n\ttone:sine\n",
    "jsonl": '{"text": "grün", "speed": 2}\n\n{"text": 1}\r\n{"txt": "b"}\n[1'.encode(),
    "srt": b"1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Hi</i>\r\n\r\n2\r\n0:03,5 --> 0:04\r\n",
    "vtt": b"WEBVTT\n\nNOTE no\n\nx\n00:01.000 --> 00:02.000\n<v A>Hi &amp; you\n\nstray\n",
    "md": "---\na: b\n---\n# Über\n\n* x\n* [y](z)\n\n|a|b|\n|-|-|\n|1|2|\n".encode(),
    "epub": book({"a.xhtml": page("<h1>One</h1><p>Two &amp; t&uuml;r</p>")}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_how_the_bytes_are_cut_does_not_matter(kind: Kind) -> None:
    whole = outcome(SAMPLES[kind], kind, len(SAMPLES[kind]))
    assert whole[0]
    for size in (1, 2, 3, 7, 64):
        assert outcome(SAMPLES[kind], kind, size) == whole


TEXT_KINDS = st.sampled_from([kind for kind in KINDS if kind != "epub"])
PIECES = st.sampled_from(
    ["\r", "\n", "\r\n", '"', ",", "\t", "text", "{", "}", '"text":', "-->", "00:01.000", "#"]
) | st.sampled_from(["WEBVTT", "NOTE", "---", "<v x>", "> ", "* ", "`", "](", "|", "1", "é", "\0"])


@given(st.lists(PIECES, max_size=25).map("".join), TEXT_KINDS, st.integers(1, 5))
@example("text\n\r", "csv", 1)
def test_any_cut_of_any_text_gives_the_same(text: str, kind: Kind, size: int) -> None:
    data = text.encode()
    assert outcome(data, kind, size) == outcome(data, kind, len(data) or 1)


@given(st.binary(max_size=200), st.sampled_from(KINDS))
def test_any_bytes_are_read_or_refused(data: bytes, kind: Kind) -> None:
    outcome(data, kind, 64)


@settings(max_examples=300)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0), st.binary(max_size=4), st.integers(0, 4)), max_size=6),
)
def test_any_damage_is_read_or_refused(kind: Kind, damages: list[tuple[int, bytes, int]]) -> None:
    data = SAMPLES[kind]
    for place, inserted, removed in damages:
        place %= len(data) + 1
        data = data[:place] + inserted + data[place + removed :]
    outcome(data, kind, 64)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "epub"])
def test_what_is_not_utf8_ends_the_reading_with_its_offset(kind: Kind) -> None:
    head = SAMPLES[kind]
    with pytest.raises(InvalidRequestError, match=rf"input is not UTF-8: .* offset {len(head)};"):
        rows_of(head + b"\xff", kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "epub"])
def test_a_byte_order_mark_is_tolerated(kind: Kind) -> None:
    data = SAMPLES[kind].removeprefix(b"\xef\xbb\xbf")
    assert rows_of(b"\xef\xbb\xbf" + data, kind) == rows_of(data, kind)


def test_rows_come_before_the_input_ends() -> None:
    taken: list[bytes] = []

    def blocks() -> Iterator[bytes]:
        for block in (b'{"text": "one"}\n{"te', b'xt": "two"}\n', b"\xff"):
            taken.append(block)
            yield block

    rows = read_rows("input", blocks(), "jsonl")
    assert next(rows) == Row(1, "one")
    assert len(taken) == 1
    assert next(rows) == Row(2, "two")
    with pytest.raises(InvalidRequestError):
        next(rows)


def many(kind: Kind, rows: int) -> Iterator[bytes]:
    """Yield an input of so many rows, of some 100 bytes each, a hundred at a time."""
    text = "All work and no play makes Jack a dull boy, as everybody who has tried it knows."
    row = {
        "csv": f'"{text}",{{n}}\n',
        "jsonl": f'{{{{"text": "{text}", "id": {{n}}}}}}\n',
        "txt": f"{text}\n",
    }.get(kind, f"{{h}}:{{m:02}}:{{s:02}},000 --> {{h}}:{{m:02}}:{{s:02}},900\n{text}\n\n")
    yield {"csv": b"text,id\n", "vtt": b"WEBVTT\n\n"}.get(kind, b"")
    for start in range(0, rows, 100):
        numbers = range(start, start + 100)
        yield "".join(
            row.format(n=n, h=n // 3600, m=n // 60 % 60, s=n % 60) for n in numbers
        ).encode()


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl", "srt", "vtt"])
def test_a_hundred_thousand_rows_are_not_held(kind: Kind) -> None:
    """All are counted, and the last measured, which would take 1.7 MB if they were held."""
    reading = read_rows("x", many(kind, 100_000), kind)
    assert sum(isinstance(row, Row) for row in itertools.islice(reading, 95_000)) == 95_000
    tracemalloc.start()
    try:
        assert sum(isinstance(row, Row) for row in reading) == 5_000
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 300_000


ENDLESS = {
    "txt": (b"", "the line is longer than 1,048,576 characters"),
    "jsonl": (b"", "the line is longer than 1,048,576 characters"),
    "srt": (b"00:01,000 --> 00:02,000\n", "the text of the cue is longer than"),
    "vtt": (b"WEBVTT\n\n00:01.000 --> 00:02.000\n", "the text of the cue is longer than"),
}


@pytest.mark.parametrize("kind", list(ENDLESS))
def test_a_line_without_an_end_is_not_held(kind: Kind) -> None:
    head, message = ENDLESS[kind]
    tracemalloc.start()
    try:
        rows = list(read_rows("x", [head, *[b"abcdefgh" * 8192] * 300], kind))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rows) == 1
    assert isinstance(rows[0], RowError)
    assert message in rows[0].message
    assert peak_bytes < 6_000_000


def test_a_line_is_a_row_and_blank_lines_are_none() -> None:
    text = "one\r\n\r\n  three \rfour\u2028five\n\u00a0\nform\x0cfeed\x85next"
    assert texts_of(text, "txt") == [
        (1, "one"), (3, "three"), (4, "four"), (5, "five"), (7, "form\x0cfeed\x85next")
    ]  # fmt: skip


def test_the_line_behind_one_that_is_too_long_is_read() -> None:
    rows = texts_of("a" * (1 << 20) + "a\n" + "b" * (1 << 20) + "\nc", "txt")
    assert rows[0] == (1, "! the line is longer than 1,048,576 characters")
    assert [line for line, _ in rows] == [1, 2, 3]
    assert rows[2] == (3, "c")


def test_a_paragraph_is_a_row_when_asked_for() -> None:
    text = "\n\nOne goes\n  on.\r\n \t\r\nTwo.\n\n\nThree\nends"
    assert rows_of(text, "txt", is_paragraphs=True) == [
        Row(3, "One goes on."), Row(6, "Two."), Row(9, "Three ends")
    ]  # fmt: skip


def test_a_paragraph_that_is_too_long_is_an_error() -> None:
    text = "a" * 700_000 + "\n" + "b" * 700_000 + "\n\nc\n"
    assert rows_of(text, "txt", is_paragraphs=True) == [
        RowError(1, "the paragraph is longer than 1,048,576 characters"), Row(4, "c")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.txt", "txt"), ("A.CSV", "csv"), ("dir.epub/a.tsv", "tsv"), ("a.b.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"), ("a.srt", "srt"), ("a.vtt", "vtt"), ("README.md", "md"),
        ("a.markdown", "md"), ("a.epub", "epub"), ("-", "txt"), ("/dev/fd/63", "txt"),
    ],
)  # fmt: skip
def test_the_suffix_tells_the_format(path: str, kind: Kind) -> None:
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a.xyz", "'a.xyz' is in no format that batch reads (.txt .csv .tsv .jsonl .srt .vtt .md"),
        ("b/a.html", "convert it first: pandoc -t gfm-raw_html a.html -o a.md"),
        ("a.pdf", "pdftotext a.pdf a.txt"),
        ("a.docx", "pandoc -t gfm a.docx -o a.md"),
        ("a.mobi", "ebook-convert a.mobi a.epub"),
        ("a.json", "jq -c '.[]' a.json > a.jsonl"),
    ],
)
def test_an_unknown_suffix_is_refused_with_what_to_do(path: str, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        kind_of(path)
    assert message in caught.value.message

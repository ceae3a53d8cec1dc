"""Tables: what was written is read, and what is wrong is told with its line."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.formats.inputs import rows_of, texts_of
from ttsctl.errors import InvalidRequestError
from ttsctl.text.inputs import Kind
from ttsctl.text.rows import Row, RowError

CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NAMES = st.one_of(st.none(), st.from_regex(r"[a-zé:,\t\"-]{1,10}", fullmatch=True).map(str.strip))
SPEEDS = st.one_of(st.none(), st.floats(0.25, 4))


@given(
    st.lists(st.tuples(CELLS, NAMES, NAMES, SPEEDS), max_size=6),
    st.sampled_from([("csv", ","), ("tsv", "\t")]),
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
)
def test_what_was_written_is_read(
    rows: list[tuple[str, str | None, str | None, float | None]],
    form: tuple[Kind, str],
    dialect: tuple[str, Literal[0, 1]],
) -> None:
    kind, delimiter = form
    buffer = io.StringIO()
    line_end, quoting = dialect
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(["text", "voice", "id", "speed"])
    writer.writerows((*row[:3], None if row[3] is None else format(row[3], ".20f")) for row in rows)
    read = rows_of(buffer.getvalue(), kind)
    assert [(row.text, row.voice, row.id, row.speed) for row in read if isinstance(row, Row)] == [
        (text, voice or None, id or None, speed) for text, voice, id, speed in rows
    ]
    assert len(read) == len(rows)


def test_what_strips_off_does_not_matter() -> None:
    assert rows_of("text,speed\na, 1.5\x1d\u00a0\n", "csv") == [Row(2, "a", speed=1.5)]


def test_every_field_is_read() -> None:
    data = (
        "text,id,voice,speed,lang,format,output_file,speaker_id\n"
        "Hi, x1 ,piper:amy,1.25,en-gb,mp3,a/b.mp3,7\n"
    )
    assert rows_of(data, "csv") == [
        Row(2, "Hi", "x1", "piper:amy", 1.25, "en-gb", "mp3", "a/b.mp3", "7")
    ]


def test_an_empty_text_is_a_row() -> None:
    data = 'text,id\n,1\n"",2\n" ",3\n'
    assert texts_of(data, "csv") == [(2, ""), (3, ""), (4, " ")]


def test_a_row_has_the_line_that_it_begins_on() -> None:
    data = '\ntext,id\n"a\nb\r\nc",1\n\nd,2\r"e\n",3\nf,4'
    assert texts_of(data, "csv") == [(3, "a\nb\r\nc"), (7, "d"), (8, "e\n"), (10, "f")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a", "1 cells, but the header has 3 columns"),
        ("a,b,1,2", "4 cells, but the header has 3 columns"),
        ('"a"b,c,1', "something follows the end of a quoted cell"),
        ("a\0b,c,1", "a NUL is in it"),
        ("a,b,fast", "speed 'fast' is a string, not a number"),
        ("a,b,nan", "speed 'nan' is a string"),
        ("a,b,1_0", "speed '1_0' is a string"),
        ("a,b,-1", "speed '-1' is a string"),
        ("a,b,1.\x1d2", "speed '1.\x1d2' is a string"),
        ("a,b,5", "speed 5 is outside 0.25 to 4; 1 is normal"),
        ("a,b," + "9" * 5000, "speed inf is outside 0.25 to 4"),
    ],
)
def test_a_bad_row_is_told_and_the_next_is_read(row: str, message: str) -> None:
    first, bad, last = rows_of(f"text,id,speed\nx,1,1\n{row}\ny,2,\n", "csv")
    assert (first, last) == (Row(2, "x", "1", speed=1.0), Row(4, "y", "2"))
    assert isinstance(bad, RowError)
    assert bad.line == 3
    assert message in bad.message


def test_an_unclosed_quote_names_the_lines_that_it_takes_along() -> None:
    assert texts_of('text,id\nx,1\n"a,2\nb,3\n', "csv") == [
        (2, "x"),
        (3, "! a quote is opened and not closed; lines 3 to 4 are left out"),
    ]


def test_a_bad_row_of_several_lines_names_them() -> None:
    found = texts_of('text\n"a\0\nb"\nc\n', "csv")
    assert found == [(2, "! a NUL is in it, which is no text; lines 2 to 3 are left out"), (4, "c")]


def test_a_quote_that_takes_the_rest_of_a_large_file_along_ends_the_reading() -> None:
    with pytest.raises(InvalidRequestError, match="input line 3: a quote is opened and not closed"):
        rows_of('text\nok\n"a\n' + "some more\n" * 200_000, "csv")


def test_a_cell_may_be_as_long_as_a_text() -> None:
    text = "word " * 100_000
    assert rows_of(f"text\n{text}x\n", "csv") == [Row(2, text + "x")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "input line 1: no header; the first line names the columns"),
        ("\n\n", "no header"),
        ("txt,id\n", "input line 1: unknown column 'txt'; nearest: text; the first line names"),
        ("\ntext,vioce\n", "input line 2: unknown column 'vioce'; nearest: voice"),
        ("Hello there.\nAnd more.\n", "unknown column 'Hello there.'"),
        ("text,text\n", "column 'text' is given twice"),
        ("text,lang,Language\n", "column 'language' is given twice"),
        ("id,voice\n", "no column is named text"),
        ('text,"id\n', "a quote is opened and not closed"),
        ("text,\n", "unknown column ''"),
    ],
)
def test_a_bad_header_ends_the_reading(header: str, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        rows_of(header, "csv")
    assert message in caught.value.message


def test_the_header_may_be_written_with_capitals_and_spaces() -> None:
    assert rows_of(" Text , ID\na,b\n", "csv") == [Row(2, "a", "b")]

"""Tables with a header: comma-separated values (RFC 4180), and the same with tabs.

Invariant: a row that cannot be read takes no other along, except the lines that its quotes span,
and those are named.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

from ttsctl.errors import InvalidRequestError
from ttsctl.text.formats.fields import FIELDS, row_of, unknown
from ttsctl.text.formats.lines import MAX_LINE_CHARS, TOO_LONG, read_lines
from ttsctl.text.rows import Row, RowError, Rows

_NUMBER = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


def table_rows(pieces: Iterable[str], name: str, delimiter: str) -> Rows:
    """Yield a row for every record behind the header; `name` is the source, for messages.

    Raises:
        InvalidRequestError: The header is missing or wrong, or a quote is opened whose end does
            not come within the length of a line, so that what is a cell cannot be told any more.
    """
    # The limit is the process's, 128 Ki as Python starts; no cell can be longer than its record.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_CHARS))
    source = _Source(pieces, name)
    records = _records(source, csv.reader(source, delimiter=delimiter, strict=True))
    line, header = next(records, (1, None))
    if isinstance(header, str):
        raise InvalidRequestError(f"{name} line {line}: {header}")
    columns = _columns(header, f"{name} line {line}")
    for line, cells in records:
        if isinstance(cells, str):
            yield RowError(line, cells)
        else:
            yield _row(line, columns, cells)


class _Source:
    """The lines of a table, told to the csv reader one by one; it counts and limits a record's."""

    def __init__(self, pieces: Iterable[str], name: str) -> None:
        self._lines = read_lines(pieces)
        self._name = name
        self.line = 0
        self._start_new()

    def _start_new(self) -> None:
        self.start, self.length, self.problem = self.line + 1, 0, ""

    def finish(self) -> tuple[int, int, str]:
        """Return first and last line of the record that was read, and what was wrong with them."""
        record = self.start, self.line, self.problem
        self._start_new()
        return record

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.line, line = next(self._lines)
        if line is None:
            self.problem, line = f"the line is {TOO_LONG}", "\n"
        if "\0" in line:  # refused by the reader of Python 3.10 only
            self.problem, line = "a NUL is in it, which is no text", line.replace("\0", " ")
        self.length += len(line)
        if self.length > MAX_LINE_CHARS:
            raise InvalidRequestError(
                f"{self._name} line {self.start}: a quote is opened and not closed within"
                f" {MAX_LINE_CHARS:,} characters; a quote inside a quoted cell is written twice"
            )
        return line


def _records(source: _Source, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the first line of every record and its cells, or what is wrong with it."""
    while True:
        failure = ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells, failure = [], _plain(error)
        start, end, problem = source.finish()
        if problem or failure:
            lost = f"; lines {start} to {end} are left out" if end > start else ""
            yield start, (problem or failure) + lost
        elif cells:
            yield start, cells


def _plain(error: csv.Error) -> str:
    if "end of data" in str(error):
        return "a quote is opened and not closed"
    if "expected after" in str(error):
        return "something follows the end of a quoted cell; a quote inside one is written twice"
    return f"not a table: {error}"


def _columns(header: list[str] | None, place: str) -> list[str]:
    """Return the name of every column, checked."""
    if header is None:
        raise InvalidRequestError(f"{place}: no header; the first line names the columns: text,id")
    columns = [cell.strip().lower() for cell in header]
    for number, column in enumerate(columns):
        if column not in FIELDS:
            hint = "" if "text" in columns else "; the first line names the columns, one is text"
            raise InvalidRequestError(f"{place}: {unknown(header[number].strip(), 'column')}{hint}")
        if FIELDS[column] in (FIELDS[other] for other in columns[:number]):
            raise InvalidRequestError(f"{place}: column '{column}' is given twice")
    if "text" not in columns:
        raise InvalidRequestError(f"{place}: no column is named text")
    return columns


def _row(line: int, columns: list[str], cells: list[str]) -> Row | RowError:
    if len(cells) != len(columns):
        return RowError(line, f"{len(cells)} cells, but the header has {len(columns)} columns")
    return row_of(line, zip(columns, map(_value, columns, cells), strict=True))


def _value(column: str, cell: str) -> object:
    """Return what JSON would have in the cell's place."""
    if column == "text":
        return cell
    stripped = cell.strip()
    if column == "speed" and _NUMBER.fullmatch(stripped):
        return float(stripped)
    return stripped or None

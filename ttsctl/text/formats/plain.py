"""Plain text: a line is a row, or a paragraph is; blank lines are none."""

from __future__ import annotations

from collections.abc import Iterable

from ttsctl.text.formats.lines import MAX_LINE_CHARS, TEXT_END, TOO_LONG, read_lines
from ttsctl.text.rows import Row, RowError, Rows


def line_rows(pieces: Iterable[str]) -> Rows:
    """Yield a row for every line that holds text, stripped."""
    for number, line in read_lines(pieces, TEXT_END):
        if line is None:
            yield RowError(number, f"the line is {TOO_LONG}")
        elif text := line.strip():
            yield Row(number, text)


def paragraph_rows(pieces: Iterable[str]) -> Rows:
    """Yield a row for every run of lines that hold text, joined by spaces."""
    start, lines, length = 0, list[str](), 0
    for number, line in read_lines(pieces, TEXT_END):
        text = "" if line is None else line.strip()
        if line is not None and not text:
            if length:
                yield _paragraph(start, lines, length)
            lines, length = [], 0
            continue
        start = start if length else number
        length += len(text) + 1 if line is not None else MAX_LINE_CHARS + 1
        if length <= MAX_LINE_CHARS:
            lines.append(text)
    if length:
        yield _paragraph(start, lines, length)


def _paragraph(start: int, lines: list[str], length: int) -> Row | RowError:
    if length > MAX_LINE_CHARS:
        return RowError(start, f"the paragraph is {TOO_LONG}")
    return Row(start, " ".join(lines))

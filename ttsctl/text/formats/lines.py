"""Text cut into numbered lines as it comes, none held for longer than it takes to end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_LINE_CHARS = 1 << 20  # a line over this is damage, or not a file of lines; it is not held
TOO_LONG = f"longer than {MAX_LINE_CHARS:,} characters"

LINE_END = re.compile("\r\n|[\n\r]")
TEXT_END = re.compile("\r\n|[\n\r\u2028\u2029]")  # where no format says what ends a line


def read_lines(
    pieces: Iterable[str], end: re.Pattern[str] = LINE_END
) -> Iterator[tuple[int, str | None]]:
    """Yield each line with its number, from 1, and with its end; None for one that is too long.

    The lines are the same however the text is cut into pieces.
    """
    number, parts, length = 1, list[str](), 0
    for part, is_end in _parts(pieces, end):
        length += len(part)
        if length <= MAX_LINE_CHARS:
            parts.append(part)
        else:
            parts.clear()
        if is_end:
            yield number, "".join(parts) if length <= MAX_LINE_CHARS else None
            number, parts, length = number + 1, [], 0
    if length:
        yield number, "".join(parts) if length <= MAX_LINE_CHARS else None


def _parts(pieces: Iterable[str], end: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """Yield the text in parts that hold at most one line end, which is last, and whether it is."""
    held = ""  # a carriage return whose line feed may come with the next piece
    for piece in pieces:
        piece = held + piece
        held = "\r" if piece.endswith("\r") else ""
        start, stop = 0, len(piece) - len(held)
        for match in end.finditer(piece, 0, stop):
            yield piece[start : match.end()], True
            start = match.end()
        if start < stop:
            yield piece[start:stop], False
    if held:
        yield held, True

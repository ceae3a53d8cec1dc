"""A byte stream, arriving in any pieces, cut into lines of bounded length. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_LINE_BYTES = 1 << 20  # what a client can make the service hold before it is understood

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Overlong:
    """Stands for a line that was over the limit and has been skipped."""

    size_bytes: int = field(compare=False)
    """Its length as far as it had come; depends on the pieces that it came in."""


class LineDecoder:
    """Cuts a byte stream, arriving in any pieces, into lines; holds no more than one of them.

    Lines end with a newline, or a carriage return and a newline; blank ones are left out, and so is
    a byte order mark at the very start.

    Args:
        limit_bytes: Length of the longest line that is let through, its newline not counted.
    """

    def __init__(self, limit_bytes: int = MAX_LINE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held = bytearray()
        self._is_skipping = False
        self._is_first = True

    def feed(self, data: bytes) -> Iterator[bytes | Overlong]:
        """Yield the lines that `data` completes; to be read to its end before the next call."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            yield from self._take(data, start, end)
            yield from self._finish()
            start = end + 1
        yield from self._take(data, start, len(data))

    def end(self) -> Iterator[bytes | Overlong]:
        """Yield the last line where the stream has ended without a newline."""
        yield from self._finish()

    def _take(self, data: bytes, start: int, end: int) -> Iterator[Overlong]:
        """Hold a part of a line, or tell that the line has become too long to be held."""
        if self._is_skipping:
            return
        size_bytes = len(self._held) + end - start
        if size_bytes <= self._limit_bytes:
            self._held += data[start:end]
            return
        self._is_skipping = True
        self._held.clear()
        yield Overlong(size_bytes)

    def _finish(self) -> Iterator[bytes]:
        line = bytes(self._held)
        if self._is_first:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        self._held.clear()
        self._is_skipping = self._is_first = False
        if line.strip():
            yield line.removesuffix(b"\r")

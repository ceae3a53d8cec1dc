"""Text read from files and streams: strict UTF-8, and exact about what is wrong where.

A guessed encoding is a book of wrong words that nobody notices until it is spoken, so nothing is
guessed: bytes that are not UTF-8 are an error that names the source and the offset. A byte order
mark is tolerated.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ttsctl.errors import InvalidRequestError

# The byte order marks of other encodings. None is UTF-8, so a decoder stops inside them.
_FOREIGN_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_LONGEST_MARK_BYTES = 4


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file.

    Raises:
        InvalidRequestError: The file is missing, unreadable, a folder, or not UTF-8.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL or a lone surrogate
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidRequestError(f"cannot read {path}: {(reason or 'unknown').lower()}") from error
    return decode(data, str(path))


def decode(data: bytes, name: str) -> str:
    """Return `data` as text; `name` is the source, for the message.

    Raises:
        InvalidRequestError: It is not UTF-8.
    """
    return "".join(decode_stream([data], name))


def decode_stream(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield the text of `chunks` as they come, each as far as its characters are whole.

    Raises:
        InvalidRequestError: It is not UTF-8. The message is the same however the bytes are cut.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    stream = _with_end(chunks)
    head, offset, is_first = b"", 0, True
    for chunk in stream:
        head += chunk[: _LONGEST_MARK_BYTES - len(head)]
        unfinished = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            place = _Place(name, offset - unfinished + error.start, error.object[error.start])
            raise _not_utf8(place, _filled(head, stream)) from error
        offset += len(chunk)
        if text:
            yield text.removeprefix("\ufeff") if is_first else text
            is_first = False


@dataclass(frozen=True)
class _Place:
    """The first byte that is not UTF-8."""

    name: str
    offset: int
    byte: int


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks that hold something, and behind them an empty one, which is the end."""
    yield from filter(None, chunks)
    yield b""


def _filled(head: bytes, stream: Iterator[bytes]) -> bytes:
    """Return the first bytes of the stream, reading on where it came in very small chunks."""
    while len(head) < _LONGEST_MARK_BYTES and (chunk := next(stream, b"")):
        head += chunk
    return head


def _not_utf8(place: _Place, head: bytes) -> InvalidRequestError:
    looks = next((name for mark, name in _FOREIGN_MARKS if head.startswith(mark)), None)
    source = f"iconv -f {looks or 'ISO-8859-1'} -t UTF-8"
    return InvalidRequestError(
        f"{place.name} {f'looks like {looks}' if looks else 'is not UTF-8'}: "
        f"byte 0x{place.byte:02X} at offset {place.offset}; save it as UTF-8 ({source})"
    )

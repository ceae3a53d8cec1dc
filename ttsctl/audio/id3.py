"""The tag before the sound of an MP3 file: ID3v2.3, with chapters.

After "ID3 tag version 2.3.0" (M. Nilsson, 1999) and its addendum "ID3v2 Chapter Frame" 1.0
(C. Newell, 2005), both at id3.org. Version 2.3, because more players know it than 2.4.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_UTF_16 = b"\x01\xff\xfe"  # the encoding, and a mark of its byte order
_UNKNOWN = 0xFFFF_FFFF  # a place in bytes that is not told; the time serves
_TOP_LEVEL_ORDERED = 0x03
_MAX_LISTED = 255  # the table of contents counts its entries in one byte


def chapter_tag(title: str, chapters: Sequence[tuple[str, int, int]]) -> bytes:
    """Return the tag that tells a title and chapters, each by title, start and end in ms.

    The table of contents names the first 255; the chapters themselves are all there. Empty where
    there is nothing to tell.
    """
    frames = [_title(title)] if title else []
    if chapters:
        names = [f"chp{number}".encode() + b"\0" for number in range(len(chapters))]
        frames.append(_contents(names[:_MAX_LISTED]))
        frames += [
            _frame(b"CHAP", name + struct.pack(">4I", *times, _UNKNOWN, _UNKNOWN) + _title(heading))
            for name, (heading, *times) in zip(names, chapters, strict=True)
        ]
    body = b"".join(frames)
    return b"ID3\x03\0\0" + _synchsafe(len(body)) + body if body else b""


def _contents(names: Sequence[bytes]) -> bytes:
    return _frame(b"CTOC", b"toc\0" + bytes([_TOP_LEVEL_ORDERED, len(names)]) + b"".join(names))


def _title(text: str) -> bytes:
    return _frame(b"TIT2", _UTF_16 + text.encode("utf-16-le"))


def _frame(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">IH", len(content), 0) + content


def _synchsafe(size: int) -> bytes:
    """Return a number in four bytes of seven bits: no byte looks like the start of MP3 sound."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))

"""The comments of a FLAC file, which libsndfile writes only under names of its own.

A file is the four letters fLaC, blocks of metadata and the sound; a block of metadata begins with
its type, a bit that marks the last one, and its size in 24 bits (RFC 9639, section 8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

_MARK = b"fLaC"
_VORBIS_COMMENT = 4
_LAST = 0x80


def with_comments(file: bytes, comments: Iterable[tuple[str, str]]) -> bytes:
    """Return the FLAC file with these comments, by name and value, in place of those it has.

    The sound and the name of its encoder stay as they are.
    """
    blocks = list(_blocks(file))
    sound = file[len(_MARK) + sum(4 + len(content) for _, content in blocks) :]
    vendor = next((content for kind, content in blocks if kind == _VORBIS_COMMENT), bytes(4))
    kept = [block for block in blocks if block[0] != _VORBIS_COMMENT]
    kept.append((_VORBIS_COMMENT, _comment_block(vendor, comments)))
    return _MARK + b"".join(_written(kept)) + sound


def _blocks(file: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the content of each block of metadata."""
    position, kind = len(_MARK), 0
    while not kind & _LAST:
        kind, size = file[position], int.from_bytes(file[position + 1 : position + 4], "big")
        position += 4
        yield kind & ~_LAST, file[position : position + size]
        position += size


def _written(blocks: list[tuple[int, bytes]]) -> Iterator[bytes]:
    for number, (kind, content) in enumerate(blocks, start=1):
        last = _LAST if number == len(blocks) else 0
        yield bytes([kind | last]) + len(content).to_bytes(3, "big") + content


def _comment_block(old: bytes, comments: Iterable[tuple[str, str]]) -> bytes:
    """Return the comments as in RFC 9639, section 8.6: after the vendor of the `old` block."""
    vendor_bytes = 4 + int.from_bytes(old[:4], "little")
    fields = [f"{name}={value}".encode() for name, value in comments]
    listed = b"".join(struct.pack("<I", len(field)) + field for field in fields)
    return old[:vendor_bytes] + struct.pack("<I", len(fields)) + listed

"""A zip archive that is not trusted: every size is bounded, and nothing is written anywhere.

A few KiB of zip can promise gigabytes, and its directory alone can fill the memory of whoever lists
it. So the directory is measured before it is read, a member before it is unpacked, and all that
is unpacked has one bound together.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO

from ttsctl.errors import InvalidRequestError

MAX_UNPACKED_BYTES = 512 << 20  # of all members read, together
MAX_MEMBER_BYTES = 64 << 20
MAX_RATIO = 200  # books unpack to some 3 to 20 times the size
_MIN_BOMB_BYTES = 1 << 20  # a small file may well be all blanks

_MAX_DIRECTORY_BYTES = 8 << 20  # about a hundred thousand members
_END_RECORD = struct.Struct("<4s4H2LH")  # APPNOTE 4.3.16
_END_MARK, _ZIP64_MARK = b"PK\x05\x06", b"PK\x06\x07"
_MAX_COMMENT_BYTES = 0xFFFF

_KNOWN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that EPUB allows
# What zipfile lets through of a damaged archive, besides its own error.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


class UnreadableError(Exception):
    """One member cannot be read; others may be. The message says which and why."""


class Archive:
    """The members of a zip archive, by their names."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        """Open the archive in `file`, which can seek; `name` is the source, for messages.

        Raises:
            InvalidRequestError: It is no zip archive, or one with too many members.
        """
        self._name = name
        self._left_bytes = MAX_UNPACKED_BYTES
        if _directory_bytes(file) > _MAX_DIRECTORY_BYTES:
            raise InvalidRequestError(f"{name} has too many files in it for a book")
        try:
            self._zip = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise InvalidRequestError(
                f"{name} is not an EPUB: it is no zip archive, or a damaged one"
            ) from error

    def __contains__(self, member: str) -> bool:
        return member in self._zip.NameToInfo

    def read(self, member: str, max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
        """Return what the member holds.

        Raises:
            UnreadableError: It is missing, damaged, encrypted or too large.
            InvalidRequestError: All that was read together is too large.
        """
        try:
            info = self._zip.getinfo(member)
        except KeyError:
            raise UnreadableError(f"{member} is missing") from None
        self._check(info, max_bytes)
        try:
            with self._zip.open(info) as stream:
                return stream.read(max_bytes)
        except _DAMAGE as error:
            raise UnreadableError(f"{member} is damaged: {str(error).lower()}") from error

    def _check(self, info: zipfile.ZipInfo, max_bytes: int) -> None:
        """Refuse what should not be unpacked. zipfile unpacks no more than a member declares."""
        if info.flag_bits & 0x1:
            raise UnreadableError(f"{info.filename} is encrypted")
        if info.compress_type not in _KNOWN_METHODS:
            raise UnreadableError(f"{info.filename} is compressed in a way that EPUB does not know")
        if info.file_size > max_bytes:
            raise UnreadableError(f"{info.filename} unpacks to more than {max_bytes >> 20} MiB")
        if info.file_size > max(_MIN_BOMB_BYTES, info.compress_size * MAX_RATIO):
            raise UnreadableError(
                f"{info.filename} unpacks to more than {MAX_RATIO} times its size"
            )
        self._left_bytes -= info.file_size
        if self._left_bytes < 0:
            raise InvalidRequestError(
                f"{self._name} unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB"
            )


def _directory_bytes(file: IO[bytes]) -> int:
    """Return the length of the directory; 0 where there is none, and zipfile may say so."""
    size_bytes = file.seek(0, 2)
    file.seek(max(0, size_bytes - _END_RECORD.size - _MAX_COMMENT_BYTES))
    tail = file.read()
    place = tail.rfind(_END_MARK, 0, len(tail) - _END_RECORD.size + len(_END_MARK))
    if place < 0:
        return 0
    if _ZIP64_MARK in tail[:place]:
        return 0xFFFFFFFF  # of four gigabytes or 65,536 members: no book
    length: int = _END_RECORD.unpack_from(tail, place)[5]
    return length

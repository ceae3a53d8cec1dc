"""EPUB: the documents in reading order, a row for every block of text, with its chapter.

The archive has to be there as a whole before its directory, which is last, can be read: it is
kept in a temporary file. Of its text one document at a time is in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

from ttsctl.errors import InvalidRequestError
from ttsctl.text.formats.archive import Archive, UnreadableError
from ttsctl.text.formats.package import read_package, read_titles
from ttsctl.text.formats.xhtml import Block, read_blocks
from ttsctl.text.readers import decode
from ttsctl.text.rows import Row, RowError, Rows

MAX_BYTES = 512 << 20

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def book_rows(blocks: Iterable[bytes], name: str) -> Rows:
    """Yield the rows of the book in `blocks`; `name` is the source, for messages.

    A chapter's title is that of the table of contents, else its document's first heading; a
    document that has neither belongs to the chapter before it.

    Raises:
        InvalidRequestError: It is no EPUB, is encrypted, or is far larger than a book.
    """
    with tempfile.TemporaryFile() as copy:
        _keep(blocks, copy, name)
        archive = Archive(copy, name)
        package = read_package(archive, name)
        titles = read_titles(archive, package)
        chapter = None
        for member in package.documents:
            try:
                found, unclosed = read_blocks(_document(archive, member))
            except UnreadableError as error:
                yield RowError(0, str(error))
                continue
            for row in _rows(found, titles.get(member, {}), chapter):
                chapter = row.chapter
                yield row
            if unclosed:
                yield RowError(0, f"{member}: what follows an unclosed <{unclosed}> is lost")


def _keep(blocks: Iterable[bytes], copy: IO[bytes], name: str) -> None:
    size_bytes = 0
    for block in blocks:
        size_bytes += len(block)
        if size_bytes > MAX_BYTES:
            raise InvalidRequestError(f"{name} is larger than {MAX_BYTES >> 20} MiB")
        try:
            copy.write(block)
        except OSError as error:
            raise InvalidRequestError(
                f"cannot unpack {name} in {tempfile.gettempdir()}: {error.strerror}"
            ) from error


def _document(archive: Archive, member: str) -> str:
    """Return the text of a document, which is UTF-8 or UTF-16 (EPUB 3.3, section 3.3)."""
    data = archive.read(member)
    try:
        return data.decode("utf-16") if data.startswith(_UTF16_MARKS) else decode(data, member)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{member} is not UTF-16 at offset {error.start}") from error
    except InvalidRequestError as error:
        raise UnreadableError(error.message) from error


def _rows(blocks: Sequence[Block], titles: Mapping[str, str], chapter: str | None) -> list[Row]:
    """Return the rows of a document; `chapter` is that of the document before."""
    if not titles:
        chapter = next((block.text for block in blocks if block.is_heading), chapter)
    chapter = titles.get("", chapter)
    rows = []
    for block in blocks:
        chapter = next((titles[anchor] for anchor in block.anchors if anchor in titles), chapter)
        rows.append(Row(0, block.text, chapter=chapter))
    return rows

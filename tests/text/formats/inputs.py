"""Inputs made for tests: bytes cut into blocks, what becomes of them, and small books."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping

from ttsctl.errors import InvalidRequestError
from ttsctl.text.inputs import Kind, read_rows
from ttsctl.text.rows import Row, RowError

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>"""


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    """Yield `data` in blocks of `size` bytes."""
    return (data[start : start + size] for start in range(0, len(data), size))


def rows_of(data: str | bytes, kind: Kind, *, is_paragraphs: bool = False) -> list[Row | RowError]:
    data = data.encode() if isinstance(data, str) else data
    return list(read_rows("input", [data], kind, is_paragraphs=is_paragraphs))


def texts_of(data: str | bytes, kind: Kind) -> list[tuple[int, str]]:
    """Return line and text of the rows, and line and message of the errors."""
    return [
        (row.line, row.text if isinstance(row, Row) else f"! {row.message}")
        for row in rows_of(data, kind)
    ]


def outcome(data: bytes, kind: Kind, size: int) -> tuple[list[Row | RowError], str]:
    """Return what is read of `data` in blocks of `size`, and the message of what ended it."""
    found: list[Row | RowError] = []
    try:
        found.extend(read_rows("input", blocks_of(data, size), kind))
    except InvalidRequestError as error:
        return [], error.message
    return found, ""


def zipped(members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title>Not read</title></head><body>{body}</body></html>"
    )


def package(documents: Mapping[str, str], *, manifest: str = "", spine: str = "") -> str:
    """Return a package document whose spine has the documents in order."""
    items = "".join(
        f'<item id="i{number}" href="{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(documents)
    )
    order = "".join(f'<itemref idref="i{number}"/>' for number in range(len(documents)))
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<manifest>{items}{manifest}</manifest><spine toc="ncx">{order}{spine}</spine></package>'
    )


def book(
    documents: Mapping[str, str],
    *,
    manifest: str = "",
    spine: str = "",
    members: Mapping[str, str | bytes] | None = None,
) -> bytes:
    """Return an EPUB of the documents, which lie in OEBPS and are named as in its manifest."""
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "OEBPS/book.opf": package(documents, manifest=manifest, spine=spine),
            **{f"OEBPS/{name}": text for name, text in documents.items()},
            **(members or {}),
        }
    )

"""The inputs of `ttsctl batch`: which format a file is in, and its rows.

    txt   a line, or a paragraph        md    a heading, paragraph, list item, table row
    csv   a record under a header       srt   a cue
    tsv   the same, with tabs           vtt   a cue
    jsonl an object                     epub  a paragraph, heading, list item, table cell

Rows come while the input is read: of a manifest no more than one row is held, of Markdown the
document, of a book a chapter.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal, get_args

from ttsctl.errors import InvalidRequestError
from ttsctl.text.formats.book import book_rows
from ttsctl.text.formats.cues import cue_rows
from ttsctl.text.formats.markdown import markdown_rows
from ttsctl.text.formats.objects import object_rows
from ttsctl.text.formats.plain import line_rows, paragraph_rows
from ttsctl.text.formats.tables import table_rows
from ttsctl.text.readers import decode_stream
from ttsctl.text.rows import Rows

Kind = Literal["txt", "csv", "tsv", "jsonl", "srt", "vtt", "md", "epub"]

KINDS: tuple[Kind, ...] = get_args(Kind)
STDIN = "-"

_OTHER_SUFFIXES: dict[str, Kind] = {
    "markdown": "md",
    "ndjson": "jsonl",
    "tab": "tsv",
    "text": "txt",
}

_CONVERTERS = {
    **dict.fromkeys(("htm", "html", "xhtml"), "pandoc -t gfm-raw_html {} -o {}.md"),
    **dict.fromkeys(("docx", "odt", "rtf", "tex", "rst", "org"), "pandoc -t gfm {} -o {}.md"),
    **dict.fromkeys(("azw3", "doc", "fb2", "mobi"), "ebook-convert {} {}.epub"),
    **dict.fromkeys(("ass", "ssa", "ttml"), "ffmpeg -i {} {}.srt"),
    **dict.fromkeys(("ods", "xls", "xlsx"), "ssconvert {} {}.csv"),
    "json": "jq -c '.[]' {} > {}.jsonl",
    "pdf": "pdftotext {} {}.txt",
}


def kind_of(path: str | PurePath) -> Kind:
    """Return the format that the name's suffix stands for; without one, and for "-", plain text.

    Raises:
        InvalidRequestError: It stands for none of them.
    """
    path = PurePath(path)
    suffix = path.suffix.lower().removeprefix(".")
    if not suffix:
        return "txt"
    for kind in KINDS:
        if kind == suffix:
            return kind
    if suffix in _OTHER_SUFFIXES:
        return _OTHER_SUFFIXES[suffix]
    known = " ".join(f".{kind}" for kind in KINDS)
    if suffix in _CONVERTERS:
        known = f"convert it first: {_CONVERTERS[suffix].format(path.name, path.stem)}"
    raise InvalidRequestError(f"'{path}' is in no format that batch reads ({known})")


def read_rows(
    source: str, blocks: Iterable[bytes], kind: Kind, *, is_paragraphs: bool = False
) -> Rows:
    """Yield the rows of an input in order, and between them what is wrong with others.

    `source` names the input in messages; `blocks` is what it holds, cut anywhere. With
    `is_paragraphs` plain text is cut at blank lines; it means nothing to the other formats.

    Raises:
        InvalidRequestError: What follows cannot be read either: it is not UTF-8, has no header, is
            no archive. Rows that came before it are as they should be.
    """
    if kind == "epub":
        return book_rows(blocks, source)
    text = decode_stream(blocks, source)
    if kind == "txt":
        return paragraph_rows(text) if is_paragraphs else line_rows(text)
    if kind == "jsonl":
        return object_rows(text)
    if kind == "md":
        return markdown_rows(text, source)
    if kind == "srt" or kind == "vtt":
        return cue_rows(text, source, kind)
    return table_rows(text, source, "\t" if kind == "tsv" else ",")

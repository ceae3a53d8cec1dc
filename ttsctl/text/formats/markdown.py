"""Markdown (CommonMark with tables and strike-through), as somebody would read it aloud.

Headings, paragraphs, list items, quotes and the rows of tables are rows. Links are spoken by their
text and images by their description; emphasis and HTML tags are gone, inline code is text.

Left out and not counted, as nobody would want to hear them: code blocks, HTML blocks, the
addresses of links, and the YAML between two lines of "---" at the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ttsctl.errors import InvalidRequestError
from ttsctl.text.rows import Row, Rows

MAX_CHARS = 16 << 20  # it is parsed as a whole; "War and Peace" has 3 Mi

_MAX_NESTING = 100  # of lists and quotes; the parser loses what is deeper, and more, without a word
_CHAPTER_TAGS = ("h1", "h2")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?=[ \t]*\S)(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|$)")
_LINE_BREAK_TAG = re.compile(r"<br\s*/?>", re.I)


def markdown_rows(pieces: Iterable[str], name: str) -> Rows:
    """Yield the rows of the document; `name` is the source, for messages.

    Raises:
        InvalidRequestError: It is too long to be held, or nested too deep to be parsed.
    """
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
    tokens = parser.enable(["table", "strikethrough"]).parse(_document(pieces, name))
    chapter = None
    for position, token in enumerate(tokens):
        line = token.map[0] + 1 if token.map else 0
        if token.level >= _MAX_NESTING - 1 and token.nesting == 1:
            raise InvalidRequestError(
                f"{name} line {line}: lists and quotes nested deeper than {_MAX_NESTING} levels"
            )
        text = _text(tokens, position)
        if token.type == "inline" and tokens[position - 1].tag in _CHAPTER_TAGS:
            chapter = text or chapter
        if text:
            yield Row(line, text, chapter=chapter)


def _document(pieces: Iterable[str], name: str) -> str:
    parts, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_CHARS:
            raise InvalidRequestError(
                f"{name} is longer than {MAX_CHARS >> 20} Mi characters; cut it into several files"
            )
        parts.append(piece)
    document = "".join(parts).replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT_MATTER.match(document)
    if not front:
        return document
    return "\n" * front[0].count("\n") + document[front.end() :]  # the lines keep their numbers


def _text(tokens: Sequence[Token], position: int) -> str:
    """Return what the token at `position` has to say; a table's row says it for its cells."""
    token = tokens[position]
    if token.type == "inline" and tokens[position - 1].tag not in ("td", "th"):
        return _spoken(token)
    if token.type != "tr_open":
        return ""
    cells = []
    while tokens[position].type != "tr_close":
        if tokens[position].type == "inline" and (cell := _spoken(tokens[position])):
            cells.append(cell)
        position += 1
    return ", ".join(cells)


def _spoken(token: Token) -> str:
    return " ".join("".join(_words(token.children or ())).split())


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type == "image":
            yield from _words(token.children or ())
        elif token.type == "html_inline":
            yield " " if _LINE_BREAK_TAG.fullmatch(token.content) else ""
        else:
            yield token.content  # of a mark it is empty

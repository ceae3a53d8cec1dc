"""The text of an XHTML document, block by block, and the links of its tables of contents.

What is not well-formed is read all the same, and no entity but HTML's own means anything. Left out
are the head, scripts, styles, `nav`, the reading aids of ruby, drawings, and what stands in for
sound and video; images have no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ttsctl.text.formats.tags import Tag, read_tags

_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_BLOCKS = _HEADINGS.union(
    ("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    ("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup"),
    ("hr", "html", "legend", "li", "main", "ol", "p", "pre", "section", "summary", "table"),
    ("tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
)
_SILENT = frozenset(
    ("audio", "head", "iframe", "nav", "object", "rp", "rt", "script", "style", "svg", "template")
).union(("video",))
_RUBY_AIDS = ("rp", "rt")
_SPACES = ("br", "img", "wbr")  # words on both sides of them are apart


@dataclass(frozen=True)
class Block:
    """The text of one block element, its white space collapsed; never empty."""

    text: str
    is_heading: bool

    anchors: tuple[str, ...]
    """The ids of elements since the block before, which links may point at."""


@dataclass(frozen=True)
class Link:
    """An entry of a table of contents."""

    text: str
    address: str

    level: int
    """1 for the outermost list."""


def read_blocks(document: str) -> tuple[list[Block], str | None]:
    """Return the blocks, and the silent element that swallows the rest as it is never closed."""
    reader = _BlockReader()
    for token in read_tags(document):
        if isinstance(token, str):
            reader.add(token)
            continue
        if token.is_start:
            reader.start(token)
        if token.is_end:
            reader.end(token)
    return reader.finish()


def read_links(document: str) -> list[Link]:
    """Return the links of the table of contents in an EPUB navigation document (EPUB 3.3, 7)."""
    links: list[Link] = []
    is_inside, level = False, 0
    address: str | None = None
    parts: list[str] = []
    for token in read_tags(document):
        if isinstance(token, str):
            parts.append(token)
        elif token.name == "nav":
            is_inside = token.is_start and "toc" in token.values().get("epub:type", "").split()
            level = 0
        elif token.name == "ol":
            level += token.is_start - token.is_end
        elif token.name == "a" and token.is_start:
            address, parts = token.values().get("href"), []
        elif token.name == "a" and is_inside and address is not None:
            links.append(Link(_collapsed(parts), address, level))
            address = None
    return links


def _collapsed(parts: Iterable[str]) -> str:
    return " ".join("".join(parts).split())


class _BlockReader:
    """Makes blocks of the texts and tags of a document."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._parts: list[str] = []
        self._anchors: list[str] = []
        self._headings = 0  # that are open
        self._is_begun = False  # a document type may leave text behind
        self._silent: str | None = None
        self._depth = 0  # of elements of the silent one's name

    def finish(self) -> tuple[list[Block], str | None]:
        """Return what `read_blocks` does."""
        self._flush()
        return self._blocks, self._silent

    def add(self, text: str) -> None:
        """Take a text."""
        if self._is_begun and self._silent is None:
            self._parts.append(text)

    def start(self, tag: Tag) -> None:
        """Take the beginning of an element."""
        self._is_begun = True
        if tag.name == "body" or (self._silent in _RUBY_AIDS and tag.name in _BLOCKS):
            self._silent = None  # not closed, but over
        if self._silent is not None:
            self._depth += tag.name == self._silent
            return
        if tag.name in _SILENT:
            self._silent, self._depth = tag.name, 1
            return
        if tag.name in _BLOCKS:
            self._flush()
        elif tag.name in _SPACES:
            self._parts.append(" ")
        self._headings += tag.name in _HEADINGS
        if tag.attributes:
            values = tag.values()
            self._anchors += filter(None, map(values.get, ("id", "name")))

    def end(self, tag: Tag) -> None:
        """Take the end of an element."""
        if self._silent in _RUBY_AIDS and (tag.name == "ruby" or tag.name in _BLOCKS):
            self._silent = None
        if self._silent is not None:
            self._depth -= tag.name == self._silent
            self._silent = self._silent if self._depth else None
        elif tag.name in _BLOCKS:
            self._flush()
            self._headings -= tag.name in _HEADINGS and self._headings > 0

    def _flush(self) -> None:
        text = _collapsed(self._parts)
        self._parts.clear()
        if text:
            self._blocks.append(Block(text, self._headings > 0, tuple(self._anchors)))
            self._anchors.clear()

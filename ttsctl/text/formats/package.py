"""What an EPUB says of itself: its documents in reading order, and the titles of its chapters.

Sources: EPUB 3.3 (https://www.w3.org/TR/epub-33/), sections 4.2.6 (container), 5 (package) and 7
(navigation); OPF 2.0.1, section 2.4.1 (NCX), for older books.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ttsctl.errors import InvalidRequestError
from ttsctl.text.formats.archive import Archive, UnreadableError
from ttsctl.text.formats.xhtml import Link, read_links
from ttsctl.text.readers import decode

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_DOCUMENT_TYPES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_MAX_XML_BYTES = 8 << 20  # in memory it takes ten times as much
_MAX_LEVEL = 2  # of the table of contents: parts and chapters


@dataclass(frozen=True)
class Package:
    """The parts of a book that matter for reading it aloud, as names of members."""

    documents: tuple[str, ...]
    """In reading order, without the table of contents and what is no part of that order."""

    navigation: str | None
    """The table of contents of EPUB 3."""

    ncx: str | None
    """The table of contents of EPUB 2."""


def read_package(archive: Archive, name: str) -> Package:
    """Return the parts of the book; `name` is the source, for messages.

    Raises:
        InvalidRequestError: It is no EPUB, or its text is encrypted.
    """
    try:
        path = _package_path(_xml(archive, _CONTAINER))
        package = _package(_xml(archive, path), path)
        encrypted = _encrypted(archive)
    except UnreadableError as error:
        raise InvalidRequestError(f"{name} is not an EPUB that can be read: {error}") from error
    if not encrypted.isdisjoint(package.documents):
        raise InvalidRequestError(
            f"{name} is protected against copying (DRM): its text is encrypted, and only the"
            " reader that it was sold for has the key"
        )
    return package


def read_titles(archive: Archive, package: Package) -> Mapping[str, Mapping[str, str]]:
    """Return the titles of chapters: by document, then by the id they begin at, "" for the top.

    A table of contents that is missing or damaged has none: then headings have to do.
    """
    titles: dict[str, dict[str, str]] = {}
    for base, links in _tables_of_contents(archive, package):
        for link in links:
            address, _, anchor = link.address.partition("#")
            if link.text and link.level <= _MAX_LEVEL:
                document = titles.setdefault(_resolved(base, address), {})
                document.setdefault(unquote(anchor), link.text)
        if titles:
            break
    return titles


def _tables_of_contents(archive: Archive, package: Package) -> Iterator[tuple[str, list[Link]]]:
    try:
        if package.navigation is not None:
            data = archive.read(package.navigation, _MAX_XML_BYTES)
            yield package.navigation, read_links(decode(data, package.navigation))
    except (UnreadableError, InvalidRequestError):
        pass
    try:
        if package.ncx is not None:
            yield package.ncx, list(_ncx_links(_xml(archive, package.ncx).find("{*}navMap"), 1))
    except UnreadableError:
        pass


def _ncx_links(parent: Element | None, level: int) -> Iterator[Link]:
    if parent is None or level > _MAX_LEVEL:
        return
    for point in parent.iterfind("{*}navPoint"):
        content = point.find("{*}content")
        address = "" if content is None else content.get("src", "")
        label = " ".join((point.findtext("{*}navLabel/{*}text") or "").split())
        yield Link(label, address, level)
        yield from _ncx_links(point, level + 1)


def _package_path(container: Element) -> str:
    for root_file in container.iterfind(".//{*}rootfile[@full-path]"):
        return root_file.get("full-path", "")  # the first is the book, others are its variants
    raise UnreadableError(f"{_CONTAINER} names no package document")


def _package(root: Element, path: str) -> Package:
    """Return the parts that the package document names, which lies at `path`."""
    items = {item.get("id", ""): item for item in root.iterfind("{*}manifest/{*}item")}
    members = {key: _resolved(path, item.get("href", "")) for key, item in items.items()}
    contents = [key for key in items if "nav" in items[key].get("properties", "").split()]
    order = [
        reference.get("idref", "")
        for reference in root.iterfind("{*}spine/{*}itemref")
        if reference.get("linear", "yes") != "no"
    ]
    documents = [
        members[key]
        for key in order
        if key in items
        and key not in contents
        and items[key].get("media-type", "").lower() in _DOCUMENT_TYPES
    ]
    if not documents:
        raise UnreadableError(f"{path} names no document to read")
    spine = root.find("{*}spine")
    ncx = members.get("" if spine is None else spine.get("toc", ""))
    return Package(tuple(documents), next(map(members.__getitem__, contents), None), ncx)


def _encrypted(archive: Archive) -> set[str]:
    """Return the encrypted members. Fonts may be, as no more than a courtesy to their makers."""
    if _ENCRYPTION not in archive:
        return set()
    references: Iterable[Element] = _xml(archive, _ENCRYPTION).iterfind(".//{*}CipherReference")
    return {_resolved("", reference.get("URI", "")) for reference in references}


def _resolved(base: str, address: str) -> str:
    """Return the member that an address in the member `base` leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(address)))


def _xml(archive: Archive, member: str) -> Element:
    data = archive.read(member, _MAX_XML_BYTES)
    try:
        root: Element = fromstring(data)  # it resolves nothing outside, and refuses own entities
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UnreadableError(f"{member} is not XML that can be read: {_reason(error)}") from error
    return root


def _reason(error: Exception) -> str:
    if isinstance(error, DefusedXmlException):
        return "it defines entities of its own"
    return str(error)

"""Books: read in order, by chapter, and harmless whatever is in them."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.formats.inputs import CONTAINER, book, outcome, package, page, rows_of, zipped
from ttsctl.errors import InvalidRequestError
from ttsctl.text.formats.xhtml import read_blocks, read_links
from ttsctl.text.rows import Row, RowError

NAV_ITEM = '<item id="toc" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
NCX_ITEM = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'


def spoken(data: bytes) -> list[str]:
    return [
        row.text if isinstance(row, Row) else f"! {row.message}" for row in rows_of(data, "epub")
    ]


def chapters(data: bytes) -> list[tuple[str, str | None]]:
    return [(row.text, row.chapter) for row in rows_of(data, "epub") if isinstance(row, Row)]


def test_blocks_of_text_are_rows_in_reading_order() -> None:
    body = """
      <h1>A <em>big</em>
        title</h1>
      <div>Loose text<p>A par&shy;agraph&nbsp;with &lt;entities&gt; &amp; a<br/>break.</p>more</div>
      <ul><li>one</li><li>two<ul><li>three</li></ul></li></ul>
      <blockquote>quoted</blockquote>
      <table><caption>Table</caption><tr><th>A</th><td>1</td></tr></table>
      <dl><dt>term</dt><dd>meaning</dd></dl>
      <p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp>字<rt>ji</rt></ruby>。</p>
      <script>no()</script><style>no</style><nav><p>no</p></nav><svg><title>no</title></svg>
      <img src="x.png" alt="no"/><p></p><p>last<![CDATA[ & least]]></p>"""
    data = book({"b.xhtml": page("<p>first</p>"), "a.xhtml": page(body)})
    assert spoken(data) == [
        "first", "A big title", "Loose text",
        "A par\u00adagraph with <entities> & a break.", "more", "one", "two", "three", "quoted",
        "Table", "A", "1", "term", "meaning", "漢字。", "last & least",
    ]  # fmt: skip


def test_rows_have_no_line() -> None:
    assert rows_of(book({"a.xhtml": page("<p>a</p>")}), "epub") == [Row(0, "a")]


UNCLOSED = "OEBPS/a.xhtml: what follows an unclosed "


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        ("<html><body><p>one<p>two<b>three</body>", ["one", "twothree"]),
        ("<p>no body</p> and no end", ["no body", "and no end"]),
        (page("<p>a < b & c &unknown; <b>d</p></i><p>e</p>"), ["a < b & c &unknown; d", "e"]),
        (page("<p>a<rt>aid<p>b</p>"), ["a", "b"]),
        ("<html><head><title/><script src='x'/><body><p>a</p></body></html>", ["a"]),
        (page("<p>a</p><nav><p>b</p>"), ["a", "! " + UNCLOSED + "<nav> is lost"]),
        (page("<p>a</p><script>b"), ["a", "! " + UNCLOSED + "<script> is lost"]),
        (page("<script>'<p>' + \"<a b=\"</script><p>a</p>"), ["a"]),
        (page("<p id='>'>a</p><p title=\"<b>\">b</p><p don't>c</p>"), ["a", "b", "c"]),
        (page("<p>a&#" + "1" * 5000 + ";b&#65;</p>"), ["a\ufffdbA"]),
        (page("<p>a<!-- > <p>b</p> --></p><?x y?></><p>c<!--><!---> <!-- d"), ["a", "c"]),
        ("", []),
        ("<html xmlns:h='x'><h:body><h:p>a</h:p><h:p>b</h:p></h:body></html>", ["a", "b"]),
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_read(document: str, texts: list[str]) -> None:
    assert spoken(book({"a.xhtml": document})) == texts


def test_utf16_is_read_and_other_encodings_are_told() -> None:
    data = book(
        {"a.xhtml": "", "b.xhtml": "", "c.xhtml": page("<p>c</p>")},
        members={
            "OEBPS/a.xhtml": page("<p>grün</p>").encode("utf-16"),
            "OEBPS/b.xhtml": page("<p>grün</p>").encode("latin-1"),
        },
    )
    first, bad, last = spoken(data)
    assert (first, last) == ("grün", "c")
    assert bad.startswith("! OEBPS/b.xhtml is not UTF-8: byte 0xFC at offset")


def test_chapters_are_titled_by_the_table_of_contents() -> None:
    nav = page(
        '<nav epub:type="landmarks"><ol><li><a href="a.xhtml">No</a></li></ol></nav>'
        '<nav epub:type="toc"><h1>Contents</h1><ol><li><a href="text/a%20b.xhtml">Part <b>I</b></a>'
        '<ol><li><a href="text/a%20b.xhtml#two">Two</a>'
        '<ol><li><a href="text/a%20b.xhtml#deep">Too deep</a></li></ol></li></ol></li>'
        '<li><a href="d.xhtml">Last</a></li></ol></nav>'
    )
    documents = {
        "front.xhtml": page("<p>front</p>"),
        "text/a%20b.xhtml": "",
        "c.xhtml": page("<p>c</p>"),
        "d.xhtml": page("<h2>Other heading</h2>"),
    }
    text = page('<h1>One</h1><p>a</p><div id="two"><p>b</p></div><p id="deep">deep</p>')
    data = book(
        documents,
        manifest=NAV_ITEM,
        spine='<itemref idref="toc"/>',
        members={"OEBPS/nav.xhtml": nav, "OEBPS/text/a b.xhtml": text},
    )
    assert chapters(data) == [
        ("front", None), ("One", "Part I"), ("a", "Part I"), ("b", "Two"), ("deep", "Two"),
        ("c", "Two"), ("Other heading", "Last"),
    ]  # fmt: skip


def test_chapters_are_titled_by_the_older_table_of_contents() -> None:
    ncx = """<?xml version="1.0"?>
      <!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://127.0.0.1:9/ncx-2005-1.dtd">
      <ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>
      <navPoint><navLabel><text> Chapter
        One </text></navLabel><content src="a.xhtml"/>
        <navPoint><navLabel><text>Scene</text></navLabel><content src="a.xhtml#s"/></navPoint>
      </navPoint></navMap></ncx>"""
    data = book(
        {"a.xhtml": page("<p>a</p><p><a id='s'/>b</p>")},
        manifest=NCX_ITEM,
        members={"OEBPS/toc.ncx": ncx},
    )
    assert chapters(data) == [("a", "Chapter One"), ("b", "Scene")]


@pytest.mark.parametrize("members", [{}, {"OEBPS/nav.xhtml": b"\xff"}, {"OEBPS/toc.ncx": "<a>"}])
def test_chapters_are_titled_by_their_first_heading_otherwise(members: dict[str, bytes]) -> None:
    documents = {
        "a.xhtml": page("<p>a</p><h2>One</h2><h1>Not this</h1>"),
        "b.xhtml": page("<p>b</p>"),
        "c.xhtml": page("<h3>Three</h3>"),
    }
    data = book(documents, manifest=NAV_ITEM + NCX_ITEM, members=members)
    assert chapters(data) == [
        ("a", "One"), ("One", "One"), ("Not this", "One"), ("b", "One"), ("Three", "Three")
    ]  # fmt: skip


def test_only_documents_of_the_reading_order_are_read() -> None:
    manifest = (
        '<item id="x" href="x.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="cover" href="cover.svg" media-type="image/svg+xml"/>'
    )
    spine = '<itemref idref="x" linear="no"/><itemref idref="cover"/><itemref idref="nowhere"/>'
    data = book({"a.xhtml": page("<p>a</p>")}, manifest=manifest, spine=spine)
    assert spoken(data) == ["a"]


def test_a_document_that_is_missing_is_told_and_the_next_is_read() -> None:
    documents = {"a.xhtml": "", "b.xhtml": page("<p>b</p>")}
    data = zipped(
        {
            "META-INF/container.xml": CONTAINER,
            "OEBPS/book.opf": package(documents),
            "OEBPS/b.xhtml": documents["b.xhtml"],
        }
    )
    assert spoken(data) == ["! OEBPS/a.xhtml is missing", "b"]


def test_a_document_that_is_damaged_is_told_and_the_next_is_read() -> None:
    noise = random.Random(1).randbytes(2000).hex()
    data = bytearray(book({"a.xhtml": page(noise), "b.xhtml": page("<p>b</p>")}))
    place = data.index(b"OEBPS/a.xhtml") + 500
    data[place : place + 50] = bytes(50)
    bad, last = spoken(bytes(data))
    assert bad.startswith("! OEBPS/a.xhtml is damaged: ")
    assert last == "b"


def encryption(uri: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"'
        ' xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>'
        f'<enc:CipherReference URI="{uri}"/></enc:CipherData></enc:EncryptedData></encryption>'
    )


def test_a_book_whose_text_is_encrypted_is_refused() -> None:
    documents = {"a b.xhtml": page("<p>a</p>")}
    drm = {"META-INF/encryption.xml": encryption("OEBPS/a%20b.xhtml")}
    with pytest.raises(InvalidRequestError, match=r"input is protected against copying \(DRM\)"):
        rows_of(book(documents, members=drm), "epub")
    fonts = {"META-INF/encryption.xml": encryption("OEBPS/font.otf")}
    assert spoken(book(documents, members=fonts)) == ["a"]


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">'
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [LAUGHS, OUTSIDE])
def test_entities_are_neither_unfolded_nor_fetched(head: str) -> None:
    text = package({"a.xhtml": ""}, manifest="&i;&x;").removeprefix('<?xml version="1.0"?>')
    with pytest.raises(InvalidRequestError, match=r"book\.opf .* it defines entities of its own"):
        rows_of(book({"a.xhtml": ""}, members={"OEBPS/book.opf": head + text}), "epub")
    document = head + "<html><body><p>a &i; &x;</p></body></html>"
    assert spoken(book({"a.xhtml": document})) == ["a &i; &x;"]


def test_a_bomb_is_not_unpacked() -> None:
    documents = {"a.xhtml": "a" * (30 << 20), "b.xhtml": page("<p>b</p>")}
    data = book(documents)
    assert len(data) < 100_000
    tracemalloc.start()
    try:
        texts = spoken(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert texts == ["! OEBPS/a.xhtml unpacks to more than 200 times its size", "b"]
    assert peak_bytes < 2_000_000


def test_a_document_that_declares_less_than_it_holds_is_not_unpacked_further() -> None:
    document = page("<p>a</p>" * 100_000)
    data = book({"a.xhtml": document})
    size = struct.pack("<L", len(document))
    assert data.count(size) == 2
    lying = data.replace(size, struct.pack("<L", 1000))
    [message] = spoken(lying)
    assert message.startswith("! OEBPS/a.xhtml is damaged")


def test_a_document_that_is_too_large_is_told() -> None:
    data = bytearray(book({"a.xhtml": page("a")}))
    entry = data.rindex(b"OEBPS/a.xhtml") - 46
    data[entry + 20 : entry + 28] = struct.pack("<LL", 65 << 20, 65 << 20)
    assert spoken(bytes(data)) == ["! OEBPS/a.xhtml unpacks to more than 64 MiB"]


def test_the_same_document_again_and_again_is_refused_in_time() -> None:
    body = "".join(f"{number:08}" for number in range(1 << 20))
    data = book({"a.xhtml": f"<head>{body}"}, spine='<itemref idref="i0"/>' * 99)
    with pytest.raises(InvalidRequestError, match="input unpacks to more than 512 MiB"):
        rows_of(data, "epub")


def test_a_directory_that_would_fill_the_memory_is_not_read() -> None:
    data = book({"a.xhtml": page("<p>a</p>")})
    end = data.rindex(b"PK\5\6")
    large = data[: end + 12] + struct.pack("<L", 9 << 20) + data[end + 16 :]
    with pytest.raises(InvalidRequestError, match="input has too many files in it for a book"):
        rows_of(large, "epub")
    zip64 = data[:end] + struct.pack("<4sLQL", b"PK\6\7", 0, end, 1) + data[end:]
    with pytest.raises(InvalidRequestError, match="too many files"):
        rows_of(zip64, "epub")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int) -> None:
    data = zipped({"META-INF/container.xml": CONTAINER}, method)
    with pytest.raises(InvalidRequestError, match="compressed in a way that EPUB does not know"):
        rows_of(data, "epub")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "input is not an EPUB: it is no zip archive"),
        (b"Hello", "it is no zip archive"),
        (book({"a.xhtml": "a"})[:-30], "it is no zip archive"),
        (zipped({}), "META-INF/container.xml is missing"),
        (zipped({"META-INF/container.xml": CONTAINER}), "OEBPS/book.opf is missing"),
        (zipped({"META-INF/container.xml": "<a/>"}), "container.xml names no package document"),
        (zipped({"META-INF/container.xml": "no"}), "container.xml is not XML that can be read"),
        (book({}), "OEBPS/book.opf names no document to read"),
    ],
)
def test_what_is_no_book_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        rows_of(data, "epub")
    assert message in caught.value.message
    assert "EPUB" in caught.value.message


WHOLE = book({"a.xhtml": page("<h1>One</h1><p>a</p>"), "b.xhtml": page("<p>b</p>")})


HOSTILE = ["<", "<!--", "<![CDATA[", "<a ", "&", "</", "<!", "<?", "<p>", "<a href='", "<a b="]
HOSTILE += ["&#", "&#1", "<!x [", "<x/", "<script></", "=", "<p a a=1 ", "<rt>", "<p id=1>", '<a"']


@pytest.mark.parametrize("mark", HOSTILE)
def test_hostile_documents_take_no_longer_than_others(mark: str) -> None:
    document = "<body>word " + mark * (500_000 // len(mark))
    started_s = time.process_time()
    read_blocks(document)
    read_links(document)
    assert time.process_time() - started_s < 5  # in quadratic time it would be an hour


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8))
def test_any_damage_is_told(damages: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for place, value in damages:
        data[place] = value
    outcome(bytes(data), "epub", 1000)


@given(st.text(st.sampled_from("<>/!?[]-&;'\" =abprtdiv") | st.characters(), max_size=60))
def test_any_document_is_read(text: str) -> None:
    data = book(
        {"a.xhtml": "", "b.xhtml": page("<p>b</p>")},
        members={"OEBPS/a.xhtml": text.encode("utf-8", "replace")},
    )
    rows = rows_of(data, "epub")
    assert isinstance(rows[-1], Row | RowError)
    assert "b" in [row.text for row in rows if isinstance(row, Row)]

"""Markdown as somebody would read it aloud."""

from __future__ import annotations

import time

import pytest

from tests.text.formats.inputs import rows_of, texts_of
from ttsctl.errors import InvalidRequestError
from ttsctl.text.inputs import read_rows
from ttsctl.text.rows import Row

DOCUMENT = """---
title: Not read
---

# A *big* `head`ing

Some text that
goes on with [a link](https://example.com), ![a **fine** picture](x.png) and <b>HTML</b>,<br>
a [reference], an &amp; and a \\* star and ~~old~~ news.

[reference]: https://example.com

* one
* two

  of two
  > quoted
1. first

```python
print("not read")
```

    not read either

| A | *B* |
|---|-----|
| 1 | `2` |
| 3 |     |

Setext
------

<div>not read</div>

<!-- nor this -->

last"""

TEXTS = [
    (5, "A big heading"),
    (
        7,
        "Some text that goes on with a link, a fine picture and HTML,"
        " a reference, an & and a * star and old news.",
    ),
    (13, "one"),
    (14, "two"),
    (16, "of two"),
    (17, "quoted"),
    (18, "first"),
    (26, "A, B"),
    (28, "1, 2"),
    (29, "3"),
    (31, "Setext"),
    (38, "last"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_is_read_has_its_line(end: str) -> None:
    assert texts_of(DOCUMENT.replace("\n", end), "md") == TEXTS


def test_rows_know_their_chapter() -> None:
    data = "Before\n\n# One\n\na\n\n## Two\n\nb\n\n### Three\n\nc\n\n#\n\nd\n"
    assert [(row.text, row.chapter) for row in rows_of(data, "md") if isinstance(row, Row)] == [
        ("Before", None), ("One", "One"), ("a", "One"), ("Two", "Two"), ("b", "Two"),
        ("Three", "Two"), ("c", "Two"), ("d", "Two"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("", []),
        ("![](x.png)\n", []),
        ("---\n\ntext\n\n---\n", [(3, "text")]),  # two rules, no front matter
        ("---\na: b\n...\ntext", [(4, "text")]),
        ("---\na: b\n", [(2, "a: b")]),
        ("a `<br>` b", [(1, "a <br> b")]),
        ("x<sub>2</sub>", [(1, "x2")]),
        ("<https://example.com>", [(1, "https://example.com")]),
    ],
)
def test_corner_cases(data: str, texts: list[tuple[int, str]]) -> None:
    assert texts_of(data, "md") == texts


@pytest.mark.parametrize("mark", ["> ", "- "])
def test_what_is_nested_too_deep_ends_the_reading(mark: str) -> None:
    rows = read_rows("x.md", [f"before\n\n{mark * 200}deep\n\nafter".encode()], "md")
    assert next(rows) == Row(1, "before")
    with pytest.raises(InvalidRequestError, match=r"x\.md line 3: .* deeper than 100 levels"):
        next(rows)


@pytest.mark.parametrize("mark", ["[", "*a ", "`", "<", "![", "&", "| ", "[a](", "**"])
def test_hostile_marks_lose_no_text(mark: str) -> None:
    [row] = rows_of("word " + mark * 1000 + " end", "md")
    assert isinstance(row, Row)
    assert row.text.startswith("word")
    assert row.text.endswith("end")


def test_a_document_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="input is longer than 16 Mi characters"):
        rows_of("a\n" * (9 << 20), "md")


def test_long_tables_are_read_in_linear_time() -> None:
    started_s = time.process_time()
    assert len(rows_of("|a|\n|-|\n" + "|b|\n" * 10_000, "md")) == 10_001
    assert time.process_time() - started_s < 5  # in quadratic time it would be 20

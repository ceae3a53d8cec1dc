"""Names stay in the folder, are readable, and are each used once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.errors import InvalidRequestError
from ttsctl.workflows.batch.names import (
    DEFAULT_TEMPLATE,
    check_template,
    file_name,
    slug,
    twin,
)


@given(text=st.text(st.characters(codec="utf-8"), max_size=300), index=st.integers(1, 10**6))
def test_a_name_is_one_safe_component_whatever_the_text(text: str, index: int) -> None:
    name = file_name(DEFAULT_TEMPLATE, index=index, slug=slug(text), key="0" * 64, suffix=".wav")
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith((".", "-", "~"))
    assert name.isprintable()
    assert len(name.encode()) < 240


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", "hello-world"),
        ("../../etc/passwd", "etc-passwd"),
        ("Grüße aus Köln", "grüße-aus-köln"),
        ("早上好", "早上好"),
        ("...", ""),
        ("one two three four five six seven eight nine", "one-two-three-four-five-six-seven-eight"),
    ],
)
def test_a_slug_keeps_letters_and_digits_of_any_script(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("../{index}", "leaves the output folder"),
        ("/tmp/{index}", "leaves the output folder"),
        ("a/{slug}", "leaves the output folder"),
        (".{index}", "hidden"),
        ("{indexx}", "nearest: index"),
        ("{}", "unknown field"),
        ("{index", "malformed"),
        ("{index:x.y}", "malformed"),
        ("{slug.__class__}", "unknown field"),
        ("{index.real}", "unknown field"),
    ],
)
def test_a_template_that_cannot_make_safe_names_is_refused(template: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        check_template(template)


@pytest.mark.parametrize(
    ("first", "second"), [("a.wav", "a.wav"), ("a.wav", "A.wav"), ("é.wav", "e\u0301.wav")]
)
def test_names_that_some_file_system_takes_for_one_are_twins(first: str, second: str) -> None:
    assert twin(first) == twin(second) != twin("other.wav")

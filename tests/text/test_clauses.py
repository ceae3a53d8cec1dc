"""Pieces for the phonemiser: short, without long repeats, and the text when joined."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.texts import ADVERSARIAL_UNITS, NAUGHTY, adversarial, texts
from ttsctl.text.clauses import LIMIT_CHARS, MAX_REPEATS, clauses
from ttsctl.text.safe import make_safe

_SHORT_UNIT_REPEATED = re.compile(rf"(\D|.{{2,6}}?)\1{{{MAX_REPEATS},}}", re.DOTALL)


@given(texts(), st.integers(1, 150))
def test_pieces_joined_are_the_text(text: str, limit: int) -> None:
    pieces = clauses(text, limit)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= limit for piece in pieces)


@given(st.lists(st.tuples(texts(2), st.integers(1, 40)), max_size=5))
def test_no_piece_holds_a_unit_over_and_over(runs: list[tuple[str, int]]) -> None:
    text = "".join(unit * count for unit, count in runs)
    for piece in clauses(text):
        assert _SHORT_UNIT_REPEATED.search(piece) is None


@pytest.mark.parametrize("text", ["s'" * 80, "U.S.A." * 40, "a.m. p.m. " * 30, "x." * 200])
def test_what_kills_espeak_is_cut_small(text: str) -> None:
    pieces = clauses(text)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= MAX_REPEATS * 10


@pytest.mark.parametrize("text", ["", "Hello.", "One. Two. Three, four.", "1000000000000"])
def test_short_text_is_one_piece(text: str) -> None:
    assert "".join(clauses(text)) == text
    assert len(clauses(text)) == bool(text)


def test_the_last_end_of_a_sentence_in_reach_is_the_best_cut() -> None:
    assert clauses("One is here. Two is, too. Three is as well", 35) == (
        "One is here. Two is, too. ",
        "Three is as well",
    )


def test_a_clause_mark_is_next_best() -> None:
    assert clauses("One and two, three and four, five and six", 35) == (
        "One and two, three and four, ",
        "five and six",
    )


def test_then_a_space() -> None:
    assert clauses("one two three four", 10) == ("one two ", "three four")


def test_a_long_word_is_cut_between_letters() -> None:
    assert clauses("é" * 3 + "e\u0301" * 3, 4) == ("é" * 3, "e\u0301" * 2, "e\u0301")


def test_scripts_without_spaces_are_cut_at_their_stops() -> None:
    text = "你好世界。" * 7 + "我们" * 4
    assert clauses(text, 38) == ("你好世界。" * 7, "我们" * 4)


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_texts_are_cut_whole(text: str) -> None:
    safe = make_safe(text * 10).text
    pieces = clauses(safe)
    assert "".join(pieces) == safe
    assert all(len(piece) <= LIMIT_CHARS for piece in pieces)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", ADVERSARIAL_UNITS, ids=ascii)
def test_any_text_takes_linear_time(unit: str) -> None:
    text = adversarial(unit)
    assert sum(map(len, clauses(text))) == len(text)

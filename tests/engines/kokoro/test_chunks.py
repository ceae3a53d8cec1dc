"""Cutting phonemes loses none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ttsctl.engines.kokoro.chunks import COMFORT, LIMIT, cut

symbols = st.text(alphabet="abˈː ,.!?;:…—“”()\u0303", max_size=1500)


@given(text=symbols, limit=st.integers(min_value=1, max_value=LIMIT))
@example(text="a" * 1500, limit=LIMIT)
@example(text=" " * 700, limit=LIMIT)
def test_every_symbol_is_in_exactly_one_chunk(text: str, limit: int) -> None:
    chunks = cut(text, limit)
    assert "".join(chunks).replace(" ", "") == text.replace(" ", "")
    assert all(0 < len(chunk) <= limit for chunk in chunks)


def test_the_limit_is_the_models() -> None:
    assert COMFORT <= LIMIT == 510


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("wˈʌn tˈu θɹˈi, fˈɔɹ " + "fˈIv " * 30, "wˈʌn tˈu θɹˈi,"),
        ("wˈɛl, wˈʌn tˈu θɹˈi, " + "fˈIv " * 30, "wˈɛl, wˈʌn tˈu θɹˈi,"),
        ("fˈIv " * 40, ("fˈIv " * 8).strip()),
        ("wˈʌn tˈu θɹˈi, fˈɔɹ fˈIv sˈɪks", "wˈʌn tˈu θɹˈi,"),
        ("wˈʌn tˈu, θɹˈi fˈɔɹ", "wˈʌn tˈu, θɹˈi fˈɔɹ"),
        ("fˈIv " * 15, ("fˈIv " * 15).strip()),
    ],
    ids=["clause", "no fragment", "no mark", "short clause", "short", "short, no mark"],
)
def test_the_first_chunk_is_short_where_the_whole_is_long(text: str, first: str) -> None:
    assert cut(text)[0] == first


def test_cuts_after_a_sentence_before_a_clause_before_a_word() -> None:
    sentence = "ab " * 30 + "ab. "
    clause = "ab " * 20 + "ab, "
    chunks = cut("x" * 12 + ", " + sentence + clause + "ab " * 60)
    assert chunks[1].endswith("ab.")

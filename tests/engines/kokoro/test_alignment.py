"""Words are found again in the phonemes of their sentence, or not at all, and never elsewhere."""

from __future__ import annotations

from itertools import pairwise, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.engines.kokoro.alignment import align, extent

SOUNDS = "abdefiklmnopstuvzæðŋɑɔəɛɡɪɹʃʊʌʒʧʤˈˌːʰ\u0303"
LETTERS = [sound for sound in SOUNDS if sound.isalpha() and sound not in "ˈˌːʰ"]

words = st.builds(
    str.__add__,
    st.sampled_from(["", "ˈ", "ˌ"]),
    st.text(LETTERS, min_size=1, max_size=8).flatmap(
        lambda letters: st.sampled_from([letters, letters + "ː", letters + "\u0303"])
    ),
)
anything = st.text(f"{SOUNDS} ,.!?—“”()→", max_size=40)


@given(st.lists(anything, max_size=8), anything)
def test_places_are_in_order_and_apart_or_there_are_none(alone: list[str], text: str) -> None:
    found = align(alone, text)
    if found is None:
        return
    assert len(found) == len(alone)
    places = [place for place in found if place]
    assert all(before.stop <= after.start for before, after in pairwise(places))
    assert all(place.start >= 0 and place.stop <= len(text) for place in places)
    assert all(text[place.start] != " " and text[place.stop - 1] != " " for place in places)


@given(
    st.lists(words, min_size=1, max_size=12),
    st.lists(st.sampled_from([" ", "", ", ", " — ", ". “", "… "]), max_size=12),
)
def test_words_that_sound_as_they_do_alone_are_found_exactly(
    alone: list[str], between: list[str]
) -> None:
    """Also where they are run together, as espeak-ng does, and between any marks."""
    pairs = zip_longest(alone, between[: len(alone) - 1], fillvalue="")
    text = "".join(word + gap for word, gap in pairs)
    found = align(alone, text)
    assert found is not None
    assert [text[place.start : place.stop] for place in found] == alone


@pytest.mark.parametrize(
    ("alone", "text", "found"),
    [
        ("wʌz ðə nˈIt.", "wʌzðə nˈIt.", "wʌz|ðə|nˈIt"),
        ("fɔɹ ˈA ɡˈɪvən", "fəɹɹə ɡˈɪvən", "fəɹ|ɹə|ɡˈɪvən"),
        ("vˈu ˈave", "vuz ave", "vuz|ave"),
        ("ɪn twˈɛnti_fˈIv kˈæts", "ɪn twˈɛnti fˈIv kˈæts", "ɪn|twˈɛnti fˈIv|kˈæts"),
        ("ðə ɡənˈu lˈIsəns", "ðə ʤˌiˌɛnjˈu lˈIsəns", "ðə|ʤˌiˌɛnjˈu|lˈIsəns"),
        ("hˈI — jˈu", "hˈI — jˈu", "hˈI||jˈu"),
    ],
)
def test_words_that_sound_otherwise_in_a_sentence(alone: str, text: str, found: str) -> None:
    places = align([word.replace("_", " ") for word in alone.split()], text)
    assert places is not None
    assert "|".join(text[place.start : place.stop] for place in places) == found


@pytest.mark.parametrize(
    ("alone", "text"),
    [
        (["dˈɑləɹ", "θɹˈi"], "θɹˈi dˈɑləɹz"),
        (["ˈapəl", "bənˈænə"], "kwˈɪk bɹˈWn fˈɑks"),
        (["ɪt", "ɹˈAnz"], ""),
    ],
)
def test_words_that_changed_places_or_are_not_there_have_none(alone: list[str], text: str) -> None:
    assert align(alone, text) is None


def test_the_extent_of_a_word_leaves_its_punctuation_out() -> None:
    assert extent("“ˈo la!” ") == range(1, 6)
    assert not extent(" — ")

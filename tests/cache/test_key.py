"""A key stands for one sound: all that is heard is in it, and nothing else."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from ttsctl.cache.key import derived_key, is_key, utterance_key
from ttsctl.speech import Utterance, Voice

texts = st.text(st.characters(exclude_categories=()), max_size=8)
options = st.dictionaries(texts, texts, max_size=3).map(lambda d: tuple(sorted(d.items())))
voices = st.builds(Voice, texts, texts, texts, texts)
utterances = st.builds(
    Utterance,
    clauses=st.lists(texts, max_size=3).map(tuple),
    voice=voices,
    language=texts,
    speed=st.integers(25, 400).map(lambda percent: percent / 100),
    options=options,
)
PLAIN = Utterance(("Hello.",), Voice("espeak", "en-us", "en-us", "1.52"), "en-us")


@given(utterances)
def test_a_key_is_64_hexadecimal_digits(utterance: Utterance) -> None:
    assert is_key(utterance_key(utterance, "1"))


@given(utterances, utterances, st.sampled_from([field.name for field in fields(Utterance)]))
def test_each_field_counts(one: Utterance, other: Utterance, field: str) -> None:
    changed = replace(one, **{field: getattr(other, field)})
    assume(changed != one and _nfc(changed) != _nfc(one))

    assert utterance_key(changed, "1") != utterance_key(one, "1")


@given(utterances, voices, st.sampled_from([field.name for field in fields(Voice)]))
def test_each_field_of_the_voice_counts(one: Utterance, voice: Voice, field: str) -> None:
    changed = replace(one, voice=replace(one.voice, **{field: getattr(voice, field)}))
    assume(changed != one)

    assert utterance_key(changed, "1") != utterance_key(one, "1")


@given(utterances, texts, texts)
def test_the_version_of_the_normaliser_counts(one: Utterance, old: str, new: str) -> None:
    assume(old != new)

    assert utterance_key(one, old) != utterance_key(one, new)


@given(utterances)
def test_equal_texts_have_the_same_key(one: Utterance) -> None:
    composed, decomposed = (
        replace(one, clauses=tuple(unicodedata.normalize(form, c) for c in one.clauses))
        for form in ("NFC", "NFD")
    )

    assert utterance_key(composed, "1") == utterance_key(decomposed, "1")


def test_the_same_speed_written_differently_is_the_same() -> None:
    keys = {utterance_key(replace(PLAIN, speed=speed), "1") for speed in (1, 1.0, 0.1 * 3 + 0.7)}

    assert len(keys) == 1


def test_the_order_of_options_is_of_no_account() -> None:
    one = replace(PLAIN, options=(("pitch", "50"), ("volume", "80")))
    other = replace(PLAIN, options=(("volume", "80"), ("pitch", "50")))

    assert utterance_key(one, "1") == utterance_key(other, "1")


def test_the_cutting_into_clauses_counts() -> None:
    whole, cut = replace(PLAIN, clauses=("One, two.",)), replace(PLAIN, clauses=("One, ", "two."))

    assert utterance_key(whole, "1") != utterance_key(cut, "1")


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_no_choice_of_parts_stands_for_another(one: list[str], other: list[str]) -> None:
    assert (derived_key(*one) == derived_key(*other)) == (one == other)


def test_delimiters_in_a_part_move_no_boundary() -> None:
    tricks = [("a|b", "c"), ("a", "b|c"), ("as1:b", "c"), ("a", "s1:b", "c"), ("as1:bs1:c",), ()]

    assert len({derived_key(*parts) for parts in tricks}) == len(tricks)


def test_keys_are_the_same_in_every_release() -> None:
    """A change loses every user's cache: raise KEY_SCHEMA, and say so in the changelog."""
    assert utterance_key(PLAIN, "1") == UTTERANCE
    assert derived_key(UTTERANCE, "opus") == DERIVED


def _nfc(utterance: Utterance) -> Utterance:
    clauses = tuple(unicodedata.normalize("NFC", clause) for clause in utterance.clauses)
    return replace(utterance, clauses=clauses)


UTTERANCE = "49902f07220c3f98c52800b94ba138145d3ef23b2d20ef2c106f61a8734ae38a"
DERIVED = "69af5ebf128ab49336dd9e3cc1e8bb2e7a4313cf2edc19cbd46236a6a467c103"

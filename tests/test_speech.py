"""Clips joined keep the time of every word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.speech import Clip, Word, join, silence

RATE = 8_000


@st.composite
def clips(draw: st.DrawFn) -> Clip:
    """A clip of up to a second whose words are in order and within it."""
    frames = draw(st.integers(0, RATE))
    moments = sorted(draw(st.lists(st.integers(0, frames), max_size=8)))
    pairs = zip(moments[::2], moments[1::2], strict=False)
    spoken = tuple(Word(f"w{start}", start / RATE, end / RATE) for start, end in pairs)
    return Clip(bytes(2 * frames), RATE, words=spoken)


@given(st.lists(clips(), min_size=1, max_size=6))
def test_joined_words_are_where_their_sound_is(parts: list[Clip]) -> None:
    whole = join(parts)
    wanted = []
    frames = 0
    for part in parts:
        wanted += [round(word.start_s * RATE) + frames for word in part.words]
        frames += part.frames
    assert [round(word.start_s * RATE) for word in whole.words] == wanted
    assert all(word.end_s <= whole.duration_s + 1e-9 for word in whole.words)


def test_silence_before_a_clip_moves_its_words() -> None:
    clip = Clip(bytes(2 * RATE), RATE, words=(Word("so", 0.25, 0.5),))
    assert join([silence(1.5, RATE), clip]).words == (Word("so", 1.75, 2.0),)


def test_what_says_nothing_has_no_words() -> None:
    assert silence(1.0, RATE).words == ()


def test_clips_of_different_rates_are_not_joined() -> None:
    with pytest.raises(ValueError, match="sample rates"):
        join([silence(1.0, 8_000), silence(1.0, 16_000)])

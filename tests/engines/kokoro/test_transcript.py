"""From the durations of symbols to the times of words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.engines.kokoro import chunks
from ttsctl.engines.kokoro.transcript import Transcript
from ttsctl.engines.kokoro.vocabulary import read_vocabulary
from ttsctl.speech import Clip, Word, join

VOCABULARY = read_vocabulary(
    Path(__file__).parents[3] / "benchmarks" / "data" / "kokoro-config.json"
)
RATE = 24_000

letters = st.text("abdefiklmnopstuvz", min_size=1, max_size=9)
words = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "“", "("]),
    letters,
    st.sampled_from(["", "", ",", ".", "!", "”", "…"]),
)
texts = st.lists(words | st.just("—"), min_size=1, max_size=25).map(" ".join)


def transcript(*clauses: str, language: str = "es") -> Transcript:
    """Of a language that is written as it is spoken."""
    return Transcript(clauses, language, str, VOCABULARY)


def spoken(script: Transcript, limit: int, durations: st.DataObject | None = None) -> Clip:
    """Return the sound, a chunk after the other, whose symbols last as long as Hypothesis says."""
    clips = []
    start = 0
    for chunk in chunks.cut(script.symbols, limit):
        start = script.symbols.index(chunk, start)
        size = len(chunk) + 2
        frames = np.ones(size, np.int64)
        if durations:
            drawn = st.lists(st.integers(1, 9), min_size=size, max_size=size)
            frames = np.array(durations.draw(drawn))
        sound = bytes(int(frames.sum()) * 600 * 2)
        duration_s = len(sound) / 2 / RATE
        place = range(start, start + len(chunk))
        clips.append(Clip(sound, RATE, words=script.words(place, frames, duration_s)))
        start = place.stop
    return join(clips or [Clip(b"", RATE)])


@given(texts, st.lists(st.integers(0, 200), max_size=4), st.integers(20, 200), st.data())
def test_every_word_has_its_time_however_the_text_is_cut(
    text: str, cuts: list[int], limit: int, data: st.DataObject
) -> None:
    """Into clauses, also in the middle of a word, and into chunks."""
    ends = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    script = transcript(*(text[start:end] for start, end in pairwise(ends)))
    clip = spoken(script, limit, data)
    assert [word.text for word in clip.words] == [word for word in text.split() if word != "—"]
    assert all(word.start_s < word.end_s for word in clip.words)
    assert all(before.end_s <= after.start_s for before, after in pairwise(clip.words))
    assert all(word.start_s >= 0 and word.end_s <= clip.duration_s for word in clip.words)


def test_a_word_lasts_as_long_as_its_sounds() -> None:
    script = transcript("“so, al” ")
    durations = np.array([4, 1, 2, 3, 10, 1, 5, 6, 1, 7])  # pad “ s o , _ a l ” pad
    assert script.words(range(8), durations, 4.0) == (Word("“so,", 0.5, 1.0), Word("al”", 2.1, 3.2))


def test_the_times_follow_the_sound_that_was_stretched() -> None:
    script = transcript("nada mas")
    frames = np.arange(1, 11)
    slow, fast = (script.words(range(8), frames, duration_s) for duration_s in (8.0, 2.0))
    for before, after in zip(slow, fast, strict=True):
        assert after.start_s == pytest.approx(before.start_s / 4)
        assert after.end_s == pytest.approx(before.end_s / 4)


def test_a_word_that_a_cut_parts_ends_with_the_chunk_in_which_it_begins() -> None:
    clip = spoken(transcript("no" * 60), limit=50)
    (word,) = clip.words
    assert word.end_s == pytest.approx(41 / 40)  # a pad and the forty symbols of the first chunk


@pytest.mark.parametrize(
    ("clauses", "found"),
    [
        (("uno, ", "dos"), ["uno,", "dos"]),
        (("every", "body ", "else"), ["everybody", "else"]),
        (("si—", "no ", " ", "al"), ["si—no", "al"]),
        (("— ", "… ", "!"), []),
        (("no" * 400,), ["no" * 400]),
        (("uno " + "no" * 40, " ", "dos tres"), ["dos", "tres"]),
    ],
)
def test_what_a_word_is(clauses: tuple[str, ...], found: list[str]) -> None:
    assert [place.text for place in transcript(*clauses).places] == found


def test_a_language_without_spaces_has_no_words() -> None:
    assert transcript("kon ni tiba", language="ja").places == []


@pytest.mark.parametrize("durations", [None, [1, 1, 1], [-1] * 5, [float("nan")] * 5, [0] * 5])
def test_durations_that_make_no_sense_do_no_harm(durations: list[float] | None) -> None:
    given = None if durations is None else np.array(durations)
    found = transcript("uno").words(range(3), given, 1.0)
    assert found in ((), (Word("uno", 0.0, 0.0),))


def test_a_clause_whose_words_cannot_be_told_apart_has_none_and_its_neighbour_all() -> None:
    odd = {"tres": "kilometro", "cuatro": "madrugada"}
    script = Transcript(
        ("uno dos ", "tres cuatro "), "es", lambda text: odd.get(text, text), VOCABULARY
    )
    assert [place.text for place in script.places] == ["uno", "dos"]

"""Sentences leave when they are complete, and the same ones however the text arrives."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.text.texts import ADVERSARIAL_UNITS, NAUGHTY, WORDS, adversarial, texts
from ttsctl.errors import InvalidRequestError
from ttsctl.text.sentences import MAX_CHARS, Segment, SentenceSplitter

EAGER = {"min_chars": 1, "clause_chars": 1_000, "max_chars": 10_000}


def split(text: str, **limits: int) -> list[Segment]:
    return list(SentenceSplitter(**limits).segments([text]))


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, however short, without the space around them."""
    return [segment.text.strip() for segment in split(text, **EAGER)]


def boundaries(text: str, **limits: int) -> list[str]:
    return [segment.boundary for segment in split(text, **limits)]


@given(texts(), st.lists(st.integers(1, 40)))
@example("A sentence, which is long enough to be cut here.\n\nB", [1] * 60)
@example("x" * 299 + "\ud83d\ude00", [1] * 301)
def test_the_pieces_do_not_matter(text: str, sizes: list[int]) -> None:
    splitter, pieces, start = SentenceSplitter(), [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    assert list(splitter.segments([*pieces, text[start:]])) == split(text)


@given(texts(), st.integers(1, 50), st.integers(1, 80), st.integers(50, 120))
def test_character_by_character_is_the_same_as_all_at_once(
    text: str, min_chars: int, clause_chars: int, max_chars: int
) -> None:
    splitter = SentenceSplitter(min_chars, clause_chars, max_chars)
    whole = list(SentenceSplitter(min_chars, clause_chars, max_chars).segments([text]))
    assert list(splitter.segments(text)) == whole


@given(texts())
def test_segments_joined_are_the_text(text: str) -> None:
    segments = split(text)
    assert "".join(segment.text for segment in segments) == text
    assert all(0 < len(segment.text) <= MAX_CHARS for segment in segments)


@given(texts())
def test_nothing_complete_is_held_back_beyond_the_limit(text: str) -> None:
    splitter = SentenceSplitter()
    left = sum(len(segment.text) for segment in splitter.push(text))
    assert len(text) - left <= MAX_CHARS


@given(texts())
def test_a_flushed_splitter_begins_anew(text: str) -> None:
    splitter = SentenceSplitter()
    assert list(splitter.segments([text])) == list(splitter.segments([text]))


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_texts_come_through_whole(text: str) -> None:
    assert "".join(segment.text for segment in split(text * 20)) == text * 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One here. Two here! Three? Four", ["One here.", "Two here!", "Three?", "Four"]),
        ("He said “Stop.” She left.", ["He said “Stop.”", "She left."]),
        ("(Is it?) Yes. „Ja.“ Gut.", ["(Is it?)", "Yes.", "„Ja.“", "Gut."]),
        ("**Bold.** Plain.", ["**Bold.**", "Plain."]),
        ("What?! Really!!! Yes.", ["What?!", "Really!!!", "Yes."]),
        ("¿Qué tal? ¡Bien! Adiós.", ["¿Qué tal?", "¡Bien!", "Adiós."]),
        ("In 2020. Then 2021.", ["In 2020.", "Then 2021."]),
        ("你好。你是谁？我！好", ["你好。", "你是谁？", "我！", "好"]),
        ("「行く。」彼は言った。", ["「行く。」", "彼は言った。"]),
        ("他说。“你好”", ["他说。", "“你好”"]),
        ("यह एक है। यह दो है॥ तीन", ["यह एक है।", "यह दो है॥", "तीन"]),
        ("এক। দুই।", ["এক।", "দুই।"]),
        ("یہ ایک ہے۔ کیا یہ ہے؟ ہاں", ["یہ ایک ہے۔", "کیا یہ ہے؟", "ہاں"]),
        ("هل هذا صحيح؟ نعم.", ["هل هذا صحيح؟", "نعم."]),
        ("Սա մեկ է։ Սա երկու է։", ["Սա մեկ է։", "Սա երկու է։"]),
        ("ይህ አንድ ነው። ሁለት ነው።", ["ይህ አንድ ነው።", "ሁለት ነው።"]),
        ("នេះ។ នោះ។", ["នេះ។", "នោះ។"]),
        ("ဒါပါ။ ဟိုဟာ။", ["ဒါပါ။", "ဟိုဟာ။"]),
        ("ეს არის. ის არის.", ["ეს არის.", "ის არის."]),
        ("Это раз. Это два.", ["Это раз.", "Это два."]),
        ("네. 좋아요.", ["네.", "좋아요."]),
    ],
)
def test_sentences_end_at_the_stops_of_their_script(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Smith met Dr. Jones at 5 p.m. Eastern time",
        "J. R. R. Tolkien and J.-P. Sartre of the U.S. Navy",
        "It costs 3.14 or 1,000.50 at example.com, v1.2.3",
        "e.g. Apples, i.e. Fruit, etc. And so on",
        "See No. 5 and Fig. 3 in Vol. 2, pp. 7",
        "Am 1. Januar kam Hr. Dr. Weiß z.B. Nach Hause bzw. Heim",
        "M. Dupont et Mme. Curie, av. Foch",
        "El Sr. García y la Dra. Ruiz viven en EE.UU. Ahora",
        "Il sig. Rossi e la dott.ssa Bianchi",
        "ул. Ленина и т.д. Потом",
        "Prof. Nowak np. Tutaj",
        "approx. five of them, unlisted abbrev. followed by more",
        "Well... Maybe... Not",
        "Wait… What",
        "“Really?” she asked",
        "Stop! – he said",
        "The file is a.b.c and ... x",
        "价格是３．１４元",
    ],
)
def test_not_every_stop_ends_a_sentence(text: str) -> None:
    assert sentences(text) == [text]


def test_no_is_a_sentence_where_no_number_follows() -> None:
    assert sentences("No. I will not.") == ["No.", "I will not."]


def test_short_sentences_are_spoken_together() -> None:
    text = "Yes. No. Perhaps. I do not know the answer. Ask me again."
    assert [s.text for s in split(text)] == [text[:-13], "Ask me again."]


def test_a_sentence_leaves_with_the_character_that_proves_it_complete() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("This sentence is long enough to be cut here.") == []
    assert splitter.push(" ") == []
    assert splitter.push("N") == [
        Segment("This sentence is long enough to be cut here. ", "sentence"),
    ]


def test_a_sentence_at_the_end_of_a_line_leaves_at_once() -> None:
    splitter = SentenceSplitter()
    sentence = "This sentence is long enough to be cut here.\n"
    assert splitter.push(sentence) == [Segment(sentence, "sentence")]


def test_a_line_end_alone_is_a_space() -> None:
    assert boundaries("A line without an end\nand its second line, and no more") == ["sentence"]


@pytest.mark.parametrize("blank", ["\n\n", "\n \t\n", "\r\n\r\n", "\u2028\u2028"])
def test_a_blank_line_ends_a_paragraph_however_short(blank: str) -> None:
    assert split(f"Title{blank}Text") == [
        Segment(f"Title{blank}", "paragraph"),
        Segment("Text", "sentence"),
    ]


def test_a_blank_line_after_a_sentence_that_left_is_a_segment_of_its_own() -> None:
    sentence = "This sentence is long enough to be cut here.\n"
    assert split(f"{sentence} \nNext\n") == [
        Segment(sentence, "sentence"),
        Segment(" \n", "paragraph"),
        Segment("Next\n", "sentence"),
    ]


def test_blank_lines_above_a_paragraph_end_nothing() -> None:
    assert boundaries("\n\n\nA\n\n\n\n\nB") == ["paragraph", "sentence"]


@pytest.mark.parametrize("mark", [", ", "; ", ": ", "، ", "؛ ", "，", "、", "；", "：", "፣ ", "፤ "])
def test_a_long_sentence_is_cut_at_a_clause_mark(mark: str) -> None:
    head = "x" * 60 + mark
    assert split(head + "y") == [Segment(head, "clause"), Segment("y", "sentence")]


def test_clause_marks_before_the_limit_do_not_cut() -> None:
    assert boundaries("One, two, three; four: five, and so on up to fifty-nine.") == ["sentence"]


@pytest.mark.parametrize("text", ["1,000,000 and 12:30", "１，０００円と１２：３０"])
def test_marks_inside_numbers_do_not_cut(text: str) -> None:
    assert boundaries("x" * 70 + text) == ["sentence"]


def test_a_stop_before_a_small_letter_cuts_only_like_a_comma() -> None:
    short, long = "it rained. we stayed.", "x" * 70 + ". we stayed."
    assert boundaries(short) == ["sentence"]
    assert boundaries(long) == ["clause", "sentence"]


def test_text_without_marks_is_cut_at_the_last_space_in_reach() -> None:
    text = "word " * 100
    segments = split(text)
    assert [segment.boundary for segment in segments] == ["hard", "sentence"]
    assert segments[0].text == "word " * 60


@pytest.mark.parametrize("script", WORDS)
def test_letters_are_not_parted_from_their_marks(script: str) -> None:
    text = WORDS[script].replace(" ", "") * 60
    for segment in split(text, min_chars=1, clause_chars=50, max_chars=50):
        assert not re.match("[\u0300-\u036f\u200c\u200d\u0e33]", segment.text)


def test_conjuncts_surrogates_emoji_and_flags_are_not_cut_apart() -> None:
    for cluster in ("क्ष", "\ud83d\ude00", "👨‍👩‍👧", "👍🏽", "🇩🇪", "e\u0301\u0323", "각"):
        for segment in split(cluster * 40, min_chars=1, max_chars=11):
            assert segment.text == cluster * (len(segment.text) // len(cluster))


def test_a_limit_below_the_minimum_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="shortest segment"):
        SentenceSplitter(min_chars=301)
    with pytest.raises(InvalidRequestError, match="at least 1"):
        SentenceSplitter(min_chars=0)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", ADVERSARIAL_UNITS, ids=ascii)
def test_any_text_takes_linear_time_character_by_character(unit: str) -> None:
    text = adversarial(unit)
    assert sum(len(segment.text) for segment in SentenceSplitter().segments(text)) == len(text)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ADVERSARIAL_UNITS, ids=ascii)
def test_any_text_takes_linear_time_in_one_piece(unit: str) -> None:
    text = adversarial(unit, 1_000_000)
    assert sum(len(segment.text) for segment in split(text)) == len(text)

"""From text to utterances: nothing speakable is lost, whatever the text arrives like."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ttsctl.errors import InvalidRequestError, TextTooLongError
from ttsctl.speech import Voice
from ttsctl.workflows.plan import Manner, PlannedUtterance, check_manner, plan

MANNER = Manner(Voice("tone", "sine", "und", ""), "und")

SCRIPTS = {
    "Latin": "abcdefghijklmnopqrstuvwxyzäöüßéèçñ",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "Greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "Devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
    "Bengali": "অআইঈউঊএঐওঔকখগঘচছজঝটঠডঢণতথদধনপফবভমযরলশষসহ",
    "Tamil": "அஆஇஈஉஊஎஏஐஒஓஔகஙசஞடணதநபமயரலவழளறன",
    "Thai": "กขคงจฉชซญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ",
    "Han": "的一是不了人我在有他这中大来上国个到说们",
    "Kana": "あいうえおかきくけこさしすせそアイウエオ",
    "Hangul": "가나다라마바사아자차카타파하",
    "Ethiopic": "ሀለሐመሠረሰሸቀበተቸኀነኘአከወዘየደጀገጠጨጰጸፈፐ",
    "Georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "Armenian": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ",
}
PUNCTUATION = " \n.,;:!?…—'\"’“”()[]-/&%$1234567890。，！？、।॥۔؟،؛"

documents = st.text(st.sampled_from("".join(SCRIPTS.values()) + PUNCTUATION * 3), max_size=1500)


def speakable(text: str) -> str:
    """Return the letters and digits of `text` in composed form: what must be heard."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(char for char in composed if unicodedata.category(char)[0] in "LN")


def texts_of(pieces: list[str]) -> list[PlannedUtterance]:
    try:
        return list(plan(pieces, MANNER))
    except InvalidRequestError:
        return []


@given(text=documents)
@example("s'" * 80)
@example("U.S.A." * 40)
@example("word " * 300)
@example("、".join(["長い文章"] * 100))
def test_every_letter_and_digit_reaches_the_engine_in_order(text: str) -> None:
    spoken = "".join(planned.utterance.text for planned in texts_of([text]))
    assert speakable(spoken) == speakable(text)


@given(text=documents, cuts=st.lists(st.integers(1, 30), max_size=80))
def test_the_plan_does_not_depend_on_how_the_text_arrives(text: str, cuts: list[int]) -> None:
    pieces, rest = [], text
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert texts_of([*pieces, rest]) == texts_of([text])


@given(text=documents)
def test_no_clause_is_longer_than_a_phonemiser_should_be_given(text: str) -> None:
    clauses = [clause for planned in texts_of([text]) for clause in planned.utterance.clauses]
    assert all(0 < len(clause) <= 120 for clause in clauses)


@pytest.mark.parametrize("text", ["", " ", "...", "\n\n", "😀", "!?", "-- --", "\u200b", "[[]]"])
def test_text_without_letter_or_digit_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="nothing to speak"):
        list(plan([text], MANNER))


def test_a_sentence_leaves_before_the_next_is_written() -> None:
    def tokens() -> object:
        yield "This is the first sentence, which is long enough. "
        yield "And "
        raise AssertionError("the first sentence should have left by now")

    first = next(plan(tokens(), MANNER))  # type: ignore[arg-type]
    assert first.utterance.text.startswith("This is the first sentence")


def test_pauses_stand_between_utterances_and_follow_the_punctuation() -> None:
    text = (
        "This is a sentence that is long enough to stand alone. "
        "This one is also long enough to stand alone, as you see.\n\n"
        "A new paragraph begins here, with a longer pause before it."
    )
    pauses = [planned.pause_s for planned in plan([text], MANNER)]
    assert pauses == pytest.approx([0.0, 0.3, 0.6])
    fast = [planned.pause_s for planned in plan([text], replace(MANNER, speed=2.0))]
    assert fast == pytest.approx([0.0, 0.15, 0.3])
    chosen = [planned.pause_s for planned in plan([text], replace(MANNER, sentence_silence_s=1.0))]
    assert chosen == pytest.approx([0.0, 1.0, 1.0])


def test_emoji_are_counted_wherever_they_stand() -> None:
    planned = list(plan(["😀 Hello there 🎉 friend"], MANNER))
    assert sum(each.dropped for each in planned) == 2


def test_the_limit_is_on_characters_and_found_before_the_engine_sees_them() -> None:
    assert list(plan(["a" * 100], MANNER, max_chars=100))
    with pytest.raises(TextTooLongError, match="100 characters"):
        list(plan(["a" * 60, "a" * 41], MANNER, max_chars=100))


@pytest.mark.parametrize("speed", [0.0, -1.0, 0.2, 4.1, 1e9, float("nan"), float("inf")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(InvalidRequestError, match="speed"):
        check_manner(replace(MANNER, speed=speed))


@pytest.mark.parametrize("silence_s", [-0.1, 61.0, float("nan"), float("inf")])
def test_a_silence_that_makes_no_sense_is_refused(silence_s: float) -> None:
    with pytest.raises(InvalidRequestError, match="silence"):
        check_manner(replace(MANNER, sentence_silence_s=silence_s))

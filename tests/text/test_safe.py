"""Every word comes through, and nothing that an engine would obey or die of."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.text.texts import ADVERSARIAL_UNITS, NAUGHTY, WORDS, adversarial, texts
from ttsctl.text.safe import SafeText, is_speakable, make_safe

# Blocks of letters, marks and digits without compatibility characters among them.
_BLOCKS = [
    *((0x61, 0x7A), (0xC0, 0x17E), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587)),
    *((0x5D0, 0x5EA), (0x620, 0x669), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF)),
    *((0xE01, 0xE59), (0x10D0, 0x10FA), (0x1200, 0x135A), (0x3041, 0x30FA), (0x4E00, 0x9FA5)),
    *((0xAC00, 0xD7A3),),
]


def _is_of_words(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN" and not unicodedata.decomposition(char)


_WORD_CHARS = [
    char
    for first, last in _BLOCKS
    for char in map(chr, range(first, last + 1))
    if _is_of_words(char)
]
words = st.lists(st.text(st.sampled_from(_WORD_CHARS), min_size=1, max_size=12), min_size=1)


@given(words)
def test_words_of_all_scripts_come_through_unchanged(found: list[str]) -> None:
    text = " ".join(found)
    assert make_safe(text) == SafeText(unicodedata.normalize("NFC", text), dropped=0)


@pytest.mark.parametrize("script", WORDS)
def test_ordinary_words_come_through_unchanged(script: str) -> None:
    assert make_safe(WORDS[script]) == SafeText(
        unicodedata.normalize("NFC", WORDS[script]), dropped=0
    )


@given(texts())
@example("a —-- b")
@example("ن\u200c\u200cن")
@example("\ud83d" + "\ude00")
@example("[\u200b[")
def test_safe_text_is_safe_already(text: str) -> None:
    safe = make_safe(text)
    assert make_safe(safe.text) == SafeText(safe.text, dropped=0)


@given(texts())
def test_safe_text_is_one_line_of_single_spaces_in_nfc(text: str) -> None:
    safe = make_safe(text).text
    assert safe == " ".join(safe.split())
    assert unicodedata.is_normalized("NFC", safe)


@given(texts())
def test_safe_text_holds_nothing_that_an_engine_obeys(text: str) -> None:
    safe = make_safe(text).text
    categories = {unicodedata.category(char) for char in safe if char not in "\u200c\u200d"}
    assert categories.isdisjoint({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
    assert "[[" not in safe
    assert "]]" not in safe
    assert "](" not in safe


@given(texts())
def test_equivalent_texts_become_the_same(text: str) -> None:
    assert make_safe(unicodedata.normalize("NFD", text)).text == make_safe(text).text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("It’s ‘fine’ “here” „da“ «là» 5′", 'It\'s \'fine\' "here" "da" "là" 5\''),
        ("Wait… what‼ now⁉", "Wait... what!! now!?"),
        ("word—word and word – word", "word, word and word, word"),
        ("word -- word--word", "word, word, word"),
        ("— Yes, he said. — No.", "Yes, he said. No."),
        ("“Wait—” and stop—.", '"Wait, " and stop.'),
        ("1990–1995, Mon–Fri, A–Z", "1990–1995, Mon–Fri, A–Z"),
        ("at –5 degrees, −5, 5-3", "at -5 degrees, −5, 5-3"),
        ("use --help or -h, well-known", "use --help or -h, well-known"),
        ("• one • two", "one, two"),
        ("well‑known co\u00adoperate", "well-known cooperate"),
        ("a\u00a0b\u2003c\td\r\ne\u2028f\x0bg", "a b c d e f g"),
    ],
)
def test_smart_punctuation_becomes_what_engines_know(text: str, safe: str) -> None:
    assert make_safe(text) == SafeText(safe, dropped=0)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Ｈｅｌｌｏ　１２３", "Hello 123"),
        ("你好！你是谁？１２：３０，好：）", "你好! 你是谁? 12:30, 好: )"),
        ("𝐓𝐡𝐞 ⓕⓞⓧ ﬁne ① Ⅳ ㎏ 5℃ №", "The fox fine 1 IV kg 5°C No"),
        ("ﷺ", "صلى الله عليه وسلم"),
        ("ｶﾞ", "ガ"),
    ],
)
def test_letters_in_costume_become_the_letters_that_they_stand_for(text: str, safe: str) -> None:
    assert make_safe(text) == SafeText(safe, dropped=0)


def test_signs_that_are_spoken_stay() -> None:
    text = "5% €3 £2 © ® ™ 20° a+b = c & d @ e # f x² ½ → ♭ <b> ~ ^ | §"
    assert make_safe(text) == SafeText(text, dropped=0)


@pytest.mark.parametrize(
    "emoji", ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "❤️", "🏴\U000e0067\U000e0062\U000e007f", "☃", "🏳️‍🌈"]
)
def test_an_emoji_is_a_space_and_counted_once(emoji: str) -> None:
    assert make_safe(f"one{emoji}two") == SafeText("one two", dropped=1)


def test_a_keycap_is_its_digit() -> None:
    assert make_safe("1️⃣ First") == SafeText("1 First", dropped=0)


def test_what_has_no_sound_and_no_meaning_is_left_out_uncounted() -> None:
    text = "A\x00\x01\x07\x1b\x9f\u200b\u200e\u202e\u2066\ufeff\u2060\ufe0f\ufdd0\U0001fffeB"
    assert make_safe(text) == SafeText("AB", dropped=0)


@pytest.mark.parametrize("char", ["\ue000", "\U000f0000", "\u0378", "\ufffd", "\ufffc"])
def test_what_might_have_meant_something_is_counted(char: str) -> None:
    assert make_safe(f"a{char}b") == SafeText("a b", dropped=1)


def test_halves_of_a_character_are_joined() -> None:
    assert make_safe("\ud842\udfb7") == SafeText("𠮷", dropped=0)
    assert make_safe("a\ud842b\udfb7") == SafeText("a b", dropped=2)


def test_joiners_stay_only_where_they_shape_letters() -> None:
    assert (
        make_safe("می\u200cخواهم ശ്\u200dരീ അവന്\u200d").text == "می\u200cخواهم ശ്\u200dരീ അവന്\u200d"
    )
    assert make_safe("a\u200cb\u200d \u200cن 1\u200d2").text == "ab ن 12"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("[[h@l'oU]]", "[ [h@l'oU] ]"),
        ("［［x］］", "[ [x] ]"),
        ("[\u200b[x]\x00]", "[ [x] ]"),
        ("[word](/wɜd/)", "[word] (/wɜd/)"),
        ("\x01+50Phello", "+50Phello"),
        ("<speak>&lol9;</speak>", "<speak>&lol9;</speak>"),
    ],
)
def test_commands_to_engines_become_text(text: str, safe: str) -> None:
    assert make_safe(text).text == safe


def test_a_hyphen_that_kills_espeak_becomes_a_space() -> None:
    assert make_safe("(BJP)-नेता ?-ね well-नाम (-5").text == "(BJP) नेता ? ね well-नाम (-5"


def test_thousands_of_marks_on_one_letter_are_kept() -> None:
    marks = "\u0301\u0323" * 50_000
    safe = make_safe("x" + marks).text
    assert sorted(safe.replace("\u034f", "")) == sorted("x" + marks)


@pytest.mark.parametrize("text", ["a", "1", "½", "你", "ก", "a😀", "٣", "Ⅳ"])
def test_a_letter_or_a_digit_can_be_spoken(text: str) -> None:
    assert is_speakable(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "...", "😀", "!?", "\u200b", "\ufeff", "\u0301", "€", "---", "[[]]", "***", "\x00"],
)
def test_symbols_alone_cannot_be_spoken(text: str) -> None:
    assert not is_speakable(text)
    assert not is_speakable(make_safe(text).text)


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_words_all_come_through(text: str) -> None:
    written = re.findall(r"\w+", re.sub(r"\x1b|[\x00-\x1f\ud800-\udfff]", "", text))
    spoken = make_safe(text).text
    assert all(unicodedata.normalize("NFKC", word) in spoken for word in written)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", ADVERSARIAL_UNITS, ids=ascii)
def test_any_text_takes_linear_time(unit: str) -> None:
    make_safe(adversarial(unit))

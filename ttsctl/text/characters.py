"""What becomes of one character on its way to an engine.

Letters, marks and digits of every script stay as they are, but for those in costume. Full-width,
mathematical, circled and squared letters, ligatures and Arabic presentation forms are compatibility
characters (UAX #15) that phonemisers do not know: espeak-ng reads "𝐇" as "letter one D four zero
seven" and "①" not at all. They become the letters that they stand for.

Of the rest, signs that are spoken stay (currencies, units, arrows, mathematics); what is nothing to
the ear goes (controls, selectors, box drawing); emoji, private use and code points without meaning
become `LOST`, to be counted.
"""

from __future__ import annotations

import functools
import unicodedata

LOST = "\ufffd"
"""Stands for a character that could have meant something to a listener, and cannot be spoken."""

JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner; whether they stay, neighbours decide

WIDE_MARKS = "，：．"  # full-width, and judged with the digits around them

# Tags of compatibility decompositions (UCD, field 5) that change the looks, not the meaning. Not
# <super>, <sub> and <fraction>: engines read "x²" and "½" well.
_COSTUMES = frozenset(
    {"<font>", "<wide>", "<narrow>", "<circle>", "<square>"}
    | {"<initial>", "<medial>", "<final>", "<isolated>"}
)
# <compat> holds letters together in Thai and Hangul, but is a costume in "℃", "Ⅳ", "⒈", "㈱" and
# in the Latin and Armenian ligatures.
_COMPAT_CATEGORIES = frozenset({"So", "No", "Nl"})
_LIGATURES = "\ufb00", "\ufb17"

_PLAIN_PUNCTUATION = {
    **dict.fromkeys("‘’‚‛′＇", "'"),
    **dict.fromkeys("“”„‟″«»‹›〝〞〟＂", '"'),
    **dict.fromkeys("‐‑", "-"),
    # Long dashes and bullets are pauses, which `ttsctl.text.safe` writes as commas where they are.
    **dict.fromkeys("‒―⸺⸻〰•‣⁃", "—"),
    "…": "...",
    "‥": "..",
    "‼": "!!",
    "⁇": "??",
    "⁈": "?!",
    "⁉": "!?",
    "～": "〜",  # as ASCII it would be read out: "tilde"
    # Full-width marks have no space after them; as ASCII they would end nothing without one.
    **{wide: plain + " " for wide, plain in zip("！？；）］｝", "!?;)]}", strict=True)},
    **{mark: mark for mark in WIDE_MARKS},
}

_BLANKS = frozenset("\u2800\u3164\uffa0")  # Braille and Hangul fillers: letters made of nothing
_ENCLOSING_KEYCAP = "\u20e3"  # "1️⃣" is said as "1"

# Blocks of decoration: technical signs, shapes, dingbats, Braille, hexagrams, emoji.
_PICTURES = (
    ("\u2300", "\u23ff"),
    ("\u2440", "\u245f"),
    ("\u25a0", "\u27bf"),
    # Braille is a code whose language nobody knows here, and in Arabic it kills espeak-ng 1.52.
    ("\u2800", "\u28ff"),
    ("\u2b00", "\u2bff"),
    ("\u4dc0", "\u4dff"),
    ("\U0001f000", "\U0001fbff"),
)
_SPOKEN_PICTURES = "♭♮♯"  # "B flat"
_OBJECTS = "\ufffc\ufffd"
_BOX_DRAWING = "\u2500", "\u259f"

_VARIATION_SELECTORS = (("\u180b", "\u180f"), ("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef"))
_ARABIC_NONCHARACTERS = "\ufdd0", "\ufdef"


class SpokenForms(dict[int, str]):
    """A table for `str.translate` that judges each character when it is first met."""

    def __missing__(self, code: int) -> str:
        form = self[code] = spoken_form(chr(code))
        return form


@functools.lru_cache(maxsize=8_192)  # a text of a hundred thousand lines has few characters
def spoken_form(char: str) -> str:
    """Return what an engine gets for `char`: itself, a plainer form, a space, "", or `LOST`."""
    if char in _PLAIN_PUNCTUATION:
        return _PLAIN_PUNCTUATION[char]
    if char.isspace() or char in _BLANKS:
        return " "
    if char == _ENCLOSING_KEYCAP or _is_in(char, _VARIATION_SELECTORS):
        return ""
    if _is_costume(char):
        return unicodedata.normalize("NFKC", char)
    category = unicodedata.category(char)
    if category[0] == "C":
        return _form_of_other(char, category)
    return _form_of_symbol(char) if category[0] == "S" else char


def _is_costume(char: str) -> bool:
    tag = unicodedata.decomposition(char).partition(" ")[0]
    if tag != "<compat>":
        return tag in _COSTUMES
    is_ligature = _LIGATURES[0] <= char <= _LIGATURES[1]
    return is_ligature or unicodedata.category(char) in _COMPAT_CATEGORIES


def _form_of_symbol(char: str) -> str:
    if char in _OBJECTS:
        return LOST
    if _BOX_DRAWING[0] <= char <= _BOX_DRAWING[1]:
        return " "
    is_lost = _is_in(char, _PICTURES) and char not in _SPOKEN_PICTURES
    return LOST if is_lost else char


def _form_of_other(char: str, category: str) -> str:
    """Judge controls, format characters, surrogates, private use and unassigned code points."""
    if category == "Cf":
        return char if char in JOINERS else ""
    is_nothing = category == "Cc" or (category == "Cn" and _is_noncharacter(char))
    return "" if is_nothing else LOST


def _is_noncharacter(char: str) -> bool:
    # The Unicode Standard, section 23.7.
    is_arabic = _ARABIC_NONCHARACTERS[0] <= char <= _ARABIC_NONCHARACTERS[1]
    return is_arabic or ord(char) & 0xFFFE == 0xFFFE


def _is_in(char: str, blocks: tuple[tuple[str, str], ...]) -> bool:
    return any(first <= char <= last for first, last in blocks)

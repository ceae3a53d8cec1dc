"""Text made safe: what an engine may see, with every word that was written.

Text comes from anywhere: web pages, books, language models, other people. Engines take more than
words from it: espeak-ng obeys commands after U+0001, Piper takes "[[...]]" for phonemes and Kokoro
"[word](/.../)" for a pronunciation; a zero-width space splits a word, an unknown quote is read out
by its code point, and an emoji can kill the process.

Invariants:
    - letters, marks and digits of every script come through, changed by nothing but NFC, except
      compatibility forms (see `ttsctl.text.characters`), variation selectors and stray joiners;
    - the words keep their order, and none grow together where something visible stood between;
    - `make_safe` of safe text is the same text;
    - what might have meant something and is left out is counted;
    - the work is linear.

Sources: UAX #15 (normalisation), UAX #31, section 2.3 (where joiners matter), UTR #36 (characters
that hide), UTS #51 (emoji sequences).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ttsctl.text.characters import JOINERS, LOST, WIDE_MARKS, SpokenForms

# What safe text is depends on the tables of Python's Unicode version too.
NORMALISER_VERSION = f"1+unicode{unicodedata.unidata_version}"

_SURROGATE = re.compile("[\ud800-\udfff]")

# One emoji as the reader sees it: a flag, or a picture with its selectors, skin tone and tags, and
# further pictures joined to it.
_PICTURE = (
    "[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"
)
_EMOJI = re.compile(
    f"([\U0001f1e6-\U0001f1ff])[\U0001f1e6-\U0001f1ff]|{_PICTURE}(?:\u200d{_PICTURE})*"
)

_LONG_MARK_RUN = re.compile(rb"[^\0]{30}(?=[^\0])")  # on bytes that are combining classes
_GRAPHEME_JOINER = "\u034f"

_JOINER_RUN = re.compile(f"[{JOINERS}]+")
_ZWJ = "\u200d"
_VIRAMA_CLASS = 9
# Scripts whose letters change shape by joiners: Arabic to Sinhala, Myanmar, Khmer, Mongolian.
_SHAPED_SCRIPTS = (("\u0600", "\u0dff"), ("\u1000", "\u109f"), ("\u1780", "\u18af"))

_WIDE_MARK = re.compile(rf"(?<=\d)([{WIDE_MARKS}])(?=\d)|[{WIDE_MARKS}]")

_DASHES = re.compile("( ?)([—–-]+)( ?)")
_ASCII_DASHES = ("--", "---")
_NO_PAUSE_AFTER = frozenset(" .,;:!?([{¿¡")
_NO_PAUSE_BEFORE = frozenset(".,;:!?)]}")

# "[[" opens phonemes for espeak-ng and Piper, "](" a pronunciation for Kokoro.
_IN_BAND = re.compile(r"\[(?=\[)|\](?=[\](])")


@dataclass(frozen=True)
class SafeText:
    """What an engine may see, and what it cost."""

    text: str
    """NFC, on one line, with single spaces between words and none at the ends."""

    dropped: int
    """How many emoji, private, unassigned or damaged characters were left out."""


def make_safe(text: str, *, has_phonemes: bool = False) -> SafeText:
    """Return `text` as an engine may see it.

    Args:
        text: Anything.
        has_phonemes: Whether [[ ]] is to reach the engine, because the user says so.
    """
    if text.isascii():
        return SafeText(_phrase(text.translate(SpokenForms()), has_phonemes), dropped=0)
    text = _normalised(_pair_surrogates(text))
    text = _EMOJI.sub(_first_of_sequence, text).translate(SpokenForms())
    dropped = text.count(LOST)
    text = _JOINER_RUN.sub(_joiner_in_place, text.replace(LOST, " "))
    text = _WIDE_MARK.sub(_plain_mark, _normalised(text))
    return SafeText(_phrase(text, has_phonemes), dropped)


def is_speakable(text: str) -> bool:
    """Tell whether `text` holds a letter or a digit; symbols and punctuation alone are silence."""
    return any(map(str.isalnum, text))


def _phrase(text: str, has_phonemes: bool) -> str:
    """Write pauses as commas, make in-band controls harmless, and set single spaces."""
    text = _DASHES.sub(_pause_or_dash, " ".join(text.split()))
    if has_phonemes:
        return text
    return " ".join(_IN_BAND.sub(r"\g<0> ", text).split())


def _pair_surrogates(text: str) -> str:
    """Join the two halves of characters that came as two JSON escapes; mark lone ones as lost."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _normalised(text: str) -> str:
    """Return the NFC of `text` as a stream-safe text (UAX #15, section 13).

    To sort the marks of one letter takes time quadratic in their number, so long runs are parted
    by a grapheme joiner, which has no sound and no looks.
    """
    classes = bytes(map(unicodedata.combining, text))
    ends = [run.end() for run in _LONG_MARK_RUN.finditer(classes)]
    parts = (text[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True))
    return unicodedata.normalize("NFC", _GRAPHEME_JOINER.join(parts))


def _first_of_sequence(sequence: re.Match[str]) -> str:
    return sequence[0][0]


def _joiner_in_place(run: re.Match[str]) -> str:
    before, after = _neighbours(run.string, *run.span())
    if len(run[0]) > 1 or not _is_shaped(before):
        return ""
    # At the end of a word, Malayalam chillus of old spelling are virama and joiner (UAX #31, A2).
    is_chillu = run[0] == _ZWJ and unicodedata.combining(before) == _VIRAMA_CLASS
    return run[0] if is_chillu or _is_shaped(after) else ""


def _is_shaped(char: str) -> bool:
    if not any(first <= char <= last for first, last in _SHAPED_SCRIPTS):
        return False
    return char.isalpha() or unicodedata.category(char)[0] == "M"


def _plain_mark(mark: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", mark[0])
    return plain if mark[1] else plain + " "  # bare only between digits: "１２：３０"


def _pause_or_dash(match: re.Match[str]) -> str:
    dashes = match[2]
    before, after = _neighbours(match.string, *match.span(2))
    if "—" in dashes or _is_typed_pause(dashes, before, after):
        return _pause(*_neighbours(match.string, *match.span()))
    if dashes == "–" and before in ("", " ") and after.isdecimal():
        return match[1] + "-"  # the minus of a careful typesetter
    return " " if _is_deadly(before, after) else match[0]


def _neighbours(text: str, start: int, end: int) -> tuple[str, str]:
    """Return the characters around `text[start:end]`, each "" where there is none."""
    return text[max(start - 1, 0) : start], text[end : end + 1]


def _is_typed_pause(dashes: str, before: str, after: str) -> bool:
    """Tell "word -- word" and "word – word" from "1990–1995", "--help" and "Mon–Fri"."""
    is_spaced = before in ("", " ") and after in ("", " ")
    if dashes == "–":
        return is_spaced
    return dashes in _ASCII_DASHES and (is_spaced or (before.isalnum() and after.isalnum()))


def _is_deadly(before: str, after: str) -> bool:
    """Tell whether dashes stand between a mark and a letter.

    espeak-ng 1.52 dies of "(ABC)-नाम", and of "?-नमस्ते" in an English voice. It speaks no dash
    there, so a space can stand for it.
    """
    is_letter = after.isalpha() or (after != "" and unicodedata.category(after)[0] == "M")
    return is_letter and before != "" and unicodedata.category(before)[0] in "PS"


def _pause(before: str, after: str) -> str:
    if not before or before in _NO_PAUSE_AFTER:
        return " "
    return "" if not after or after in _NO_PAUSE_BEFORE else ", "

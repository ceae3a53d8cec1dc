"""What of a text is on the screen at a time: at most two lines, broken where words end.

Lines are about equally long, because one that has a single word left over reads badly. Their length
is in columns: Chinese, Japanese and Korean characters take two (Unicode Standard Annex #11), and
combining marks none.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ttsctl.speech import Word

# What broadcasters agree on for Latin scripts (Netflix, Timed Text Style Guide: 42 characters, two
# lines); for Chinese it comes to 21 characters, which is more than their 16.
LINE_COLUMNS = 42
MAX_LINES = 2

_NEAR_TOKENS = 8  # how many words of the text may have no time of their own, one after the other

_JOINER = "\u200d"  # between the parts of one emoji
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_NOT_FIRST = frozenset(
    "、。，．：；？！）］｝」』】〉》〕…‥・ー々ゝヽぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
_NOT_LAST = frozenset("（［｛「『【〈《〔")


@dataclass(frozen=True)
class Cue:
    """A stretch of speech, and the text that is spoken in it.

    Raises:
        ValueError: It ends before it begins, or a time is negative or not finite.
    """

    start_s: float
    """Seconds from the beginning of the sound; likewise the end."""

    end_s: float

    text: str
    """As it was written; white space and lines do not matter."""

    words: tuple[Word, ...] = ()
    """Words of the text in order, with times from the beginning of the sound too; or none. Where a
    long text is broken they tell when."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_s <= self.end_s < math.inf:
            raise ValueError(f"a cue cannot last from {self.start_s} s to {self.end_s} s")


class _Unit(NamedTuple):
    """What is never broken: a word, or a part of one that is wider than a line."""

    start: int
    """Index in the text of its first character; likewise the end, of the one after its last."""

    end: int
    columns: int


def captions(cue: Cue) -> Iterator[Cue]:
    """Yield what is shown of `cue`, one after the other, without words; nothing of an empty text.

    Every character of the text but its white space is in one of them, in order. Each begins where
    the one before ends, which is where its first word begins as far as the words tell, and else
    where it would by the share of its characters.
    """
    text = printable(cue.text)
    lines = _lines(text)
    clock = _Clock(cue, text)
    for shown in (lines[at : at + MAX_LINES] for at in range(0, len(lines), MAX_LINES)):
        is_last = shown[-1] == lines[-1]
        start_s = clock.moment(shown[0][0])
        end_s = cue.end_s if is_last else clock.moment(_next_start(text, shown[-1][1]))
        yield Cue(start_s, end_s, "\n".join(text[start:end] for start, end in shown))


def printable(text: str) -> str:
    """Return `text` with single spaces for its white space, lines and control characters."""
    characters = (
        " " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    )
    return " ".join("".join(characters).split())


class _Clock:
    """Tells when a character of a cue is spoken.

    Between the moments that are known, which are the beginnings of words, time goes evenly.
    """

    def __init__(self, cue: Cue, text: str) -> None:
        known = [(0, cue.start_s), *_places(cue.words, text), (len(text), cue.end_s)]
        self._indices = [index for index, _ in known]
        within = (min(max(moment, cue.start_s), cue.end_s) for _, moment in known)
        self._moments = list(itertools.accumulate(within, max))

    def moment(self, index: int) -> float:
        """Return the seconds from the beginning of the sound."""
        after = bisect.bisect_right(self._indices, index)
        if after == len(self._indices):
            return self._moments[-1]
        start, end = self._indices[after - 1 : after + 1]
        start_s, end_s = self._moments[after - 1 : after + 1]
        return start_s + (end_s - start_s) * (index - start) / (end - start)


def _places(words: Sequence[Word], text: str) -> Iterator[tuple[int, float]]:
    """Yield where in the text each word begins, and when.

    One that is not near is left out: the text may have been made safe before it was spoken.
    """
    tokens = [(token.start(), token[0]) for token in re.finditer(r"\S+", text)]
    position, missed = 0, 0
    for word in words:
        wanted = printable(word.text)
        for at in range(position, min(len(tokens), position + _NEAR_TOKENS + missed)):
            start, token = tokens[at]
            if token == wanted:
                yield start, word.start_s
                position, missed = at + 1, 0
                break
        else:
            missed += 1


def _next_start(text: str, end: int) -> int:
    return end + text.startswith(" ", end)


def _lines(text: str) -> list[tuple[int, int]]:
    """Return start and end of each line: as few as can be, and as short as so few can be."""
    units = list(_units(text))
    lines = _filled(units, LINE_COLUMNS)
    fewest = len(lines)
    too_few, enough = max((unit.columns for unit in units), default=1) - 1, LINE_COLUMNS
    while enough - too_few > 1:
        columns = (too_few + enough) // 2
        shorter = _filled(units, columns)
        if len(shorter) == fewest:
            enough, lines = columns, shorter
        else:
            too_few = columns
    return lines


def _filled(units: Sequence[_Unit], columns: int) -> list[tuple[int, int]]:
    """Put as much into each line as there is room for."""
    lines: list[tuple[int, int]] = []
    taken = 0
    for unit in units:
        start, end = lines[-1] if lines else (0, 0)
        gap = unit.start - end
        if lines and taken + gap + unit.columns <= columns:
            lines[-1] = (start, unit.end)
            taken += gap + unit.columns
        else:
            lines.append((unit.start, unit.end))
            taken = unit.columns
    return lines


def _units(text: str) -> Iterator[_Unit]:
    for word in re.finditer(r"\S+", text):
        columns = sum(map(_columns, word[0]))
        if columns <= LINE_COLUMNS:
            yield _Unit(word.start(), word.end(), columns)
        else:
            yield from _parts(word[0], word.start())


def _parts(word: str, offset: int) -> Iterator[_Unit]:
    """Break a word that no line has room for: a long address, or a sentence of Chinese."""
    start, columns = 0, 0
    for index, character in enumerate(word):
        wide = _columns(character)
        is_full = columns + wide > LINE_COLUMNS
        if index > start and (is_full or _may_break(word, index)) and _is_whole(word, index):
            yield _Unit(offset + start, offset + index, columns)
            start, columns = index, 0
        columns += wide
    yield _Unit(offset + start, offset + len(word), columns)


def _may_break(word: str, index: int) -> bool:
    """Whether a line may end before this character though there is room (after JIS X 4051)."""
    before, after = word[index - 1], word[index]
    is_wide = _columns(before) == 2 or _columns(after) == 2
    return is_wide and before not in _NOT_LAST and after not in _NOT_FIRST


def _is_whole(word: str, index: int) -> bool:
    """Whether what stands before this character is read without it."""
    character = word[index]
    is_mark = unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
    return not is_mark and ord(character) not in _SKIN_TONES and word[index - 1] != _JOINER


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

"""Safe text cut into pieces that a phonemiser can take in one call.

espeak-ng 1.52.0, which also phonemises for Piper, writes past its buffers and dies on long calls:
uniform text such as "s'" or "U.S.A." or "x." over and over kills it from 160 to 400 characters on.
No piece is longer than `LIMIT_CHARS`, and none holds a unit of up to `_LONGEST_UNIT` characters
more than `MAX_REPEATS` times in a row. Nothing is collapsed: the pieces, joined, are the text.

Measured with `make_safe` before it, on 25,000 strings in each of eight languages (en-us, de, fr,
ar, hi, ru, cmn, ja), made of abbreviations, apostrophes, digits, runs of punctuation, emoji and
mixed scripts: 0 deaths of the phonemiser. Without either, 6 to 48 in 10,000; with text merely cut
every 120 characters, 2 to 46, for some die of a few characters (see `ttsctl.text.safe`). It is not
never: a mark without a letter under it, spoken in Hindi, killed one call of an earlier set.
Ordinary text in five languages yields the same phonemes whole and in pieces.

Preference: the last end of a sentence in reach, the last clause mark, the last space, and else the
last point between two graphemes. The work is linear.
"""

from __future__ import annotations

import re

from ttsctl.text.breaks import find_marks
from ttsctl.text.graphemes import forced_end

LIMIT_CHARS = 120
MAX_REPEATS = 8
_LONGEST_UNIT = 12  # "a.m. p.m. " has ten

# Not single digits: a number of nine zeros is a number, and cut in two it would be another.
_REPEATS = re.compile(rf"(\D|.{{2,{_LONGEST_UNIT}}}?)\1{{{MAX_REPEATS},}}", re.DOTALL)


def clauses(text: str, limit: int = LIMIT_CHARS) -> tuple[str, ...]:
    """Cut `text` into pieces of at most `limit` characters, which are the text when joined."""
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = _piece_end(text, start, limit)
        pieces.append(text[start:end])
        start = end
    return tuple(pieces)


def _piece_end(text: str, start: int, limit: int) -> int:
    reach = min(start + limit, len(text))
    if repeats := _REPEATS.search(text, start, reach):
        reach = repeats.start() + MAX_REPEATS * len(repeats[1])
    if reach == len(text):
        return reach
    return _last_mark(text, start, reach) or forced_end(text, start, reach)


def _last_mark(text: str, start: int, reach: int) -> int | None:
    """Return the last end of a sentence in reach, else of a clause."""
    ends = {mark.verdict: mark.end for mark in find_marks(text, start, reach)}
    return ends.get("sentence") or ends.get("clause")

"""Where sentences and clauses end, judged mark by mark, on text that may not be complete yet.

A mark is a run of stops and clause marks with the quotes and brackets that close after it. What it
ends depends on what stands around it; where the text so far cannot tell, the verdict is "unknown",
and it never changes once it is another, whatever text follows. On this rests the promise of
`ttsctl.text.sentences` that the pieces in which text arrives do not matter.

The verdicts, first match first:

    clause mark, or stops that end in one ("etc.,")    clause
    free stop (。 । ؟)                                 sentence
    abbreviation, initial, ordinal number              none
    ellipsis ("..." or "…")                            clause: it is a pause, seldom an end
    stop at the end of a line                          sentence
    stop before a dash or a lower-case letter          clause ("Really?" she asked; UAX #29, SB8)
    any other stop                                     sentence

Spaced marks without white space after them, and full-width ones between digits, end nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ttsctl.text import marks
from ttsctl.text.abbreviations import LONGEST_CHARS, is_abbreviation

Verdict = Literal["sentence", "clause", "none", "unknown"]

_ALL_MARKS = (
    marks.SPACED_STOPS + marks.FREE_STOPS + marks.SPACED_CLAUSE_MARKS + marks.FREE_CLAUSE_MARKS
)
_MARK = re.compile(
    f"(?P<run>[{_ALL_MARKS}]+)"
    f"(?P<close>[{re.escape(marks.SPACED_CLOSERS)}]*)"
    rf"(?P<space>[^\S{marks.LINE_ENDS}]*[{marks.LINE_ENDS}]?)"
)
_MARKS = frozenset(_ALL_MARKS)
_CLAUSE = frozenset(marks.SPACED_CLAUSE_MARKS + marks.FREE_CLAUSE_MARKS)
_FREE = frozenset(marks.FREE_STOPS + marks.FREE_CLAUSE_MARKS)
_FREE_CLOSERS = re.compile(f"[{re.escape(marks.FREE_CLOSERS)}]*")
_ELLIPSIS = re.compile(r"…[.…]*|\.[.…]+")
_DASHES = "-–—"
_OPENERS = "([{\"'“‘«‹„‚¿¡-–—/"


class Mark(NamedTuple):
    """A run of marks, and what it ends."""

    verdict: Verdict

    start: int
    """Index of the first mark."""

    closed: int
    """Index behind the marks and the quotes and brackets that close after them."""

    end: int
    """Where the text may be cut: `closed`, and what white space is known to follow."""


def find_marks(text: str, start: int, end: int, origin: int | None = None) -> Iterator[Mark]:
    """Yield the marks in `text[start:end]` in order, judged as if the text ended at `end` for now.

    Only the last may be "unknown".

    Args:
        text: The text.
        start: Where to look from.
        end: How much of the text is known.
        origin: How far back a word may reach that is looked at; `start` if not given.
    """
    origin = start if origin is None else origin
    while match := _MARK.search(text, start, end):
        mark = _judge(match, origin, end)
        yield mark
        start = mark.closed


def _judge(match: re.Match[str], origin: int, end: int) -> Mark:
    if match["run"][-1] in _FREE:
        return _judge_free(match, end)
    verdict = _spaced_verdict(match, origin, end)
    whole = verdict == "sentence" or not match["space"]
    cut = match.end() if whole else match.end("close") + 1
    return Mark(verdict, match.start(), match.end("close"), cut)


def _judge_free(match: re.Match[str], end: int) -> Mark:
    text, start = match.string, match.start()
    closers = _FREE_CLOSERS.match(text, match.end("run"), end)
    closed = closers.end() if closers else match.end("run")
    if closed == end:
        return Mark("unknown", start, closed, closed)
    if closed == start + 1 and text[start - 1 : start].isdecimal() and text[closed].isdecimal():
        return Mark("none", start, closed, closed)
    verdict: Verdict = "clause" if match["run"][-1] in _CLAUSE else "sentence"
    return Mark(verdict, start, closed, closed + text[closed].isspace())


def _spaced_verdict(match: re.Match[str], origin: int, end: int) -> Verdict:
    if not match["space"]:
        return "unknown" if match.end() == end else "none"
    if match["run"][-1] in _CLAUSE or _ELLIPSIS.fullmatch(match["run"]):
        return "clause"
    is_line_end = match["space"][-1] in marks.LINE_ENDS
    if match.end() == end and not is_line_end:
        return "unknown"
    following = "" if is_line_end else match.string[match.end()]
    if match["run"] == "." and is_abbreviation(_word_before(match, origin), following):
        return "none"
    return _verdict_before(following)


def _verdict_before(following: str) -> Verdict:
    if following in _MARKS:
        return "none"
    return "clause" if following and (following in _DASHES or _is_lower(following)) else "sentence"


def _is_lower(char: str) -> bool:
    # Georgian has capitals, but no sentence begins with one (UAX #29, table 4, "Lower").
    return char.islower() and not "\u10d0" <= char <= "\u10ff"


def _word_before(match: re.Match[str], origin: int) -> str:
    """Return the word before the mark; cut at the front where it is too long to be listed."""
    reach = LONGEST_CHARS + 4  # with room for opening brackets and quotes
    before = match.string[max(origin, match.start() - reach) : match.start()]
    words = before.split()
    return words[-1].lstrip(_OPENERS) if words and not before[-1].isspace() else ""

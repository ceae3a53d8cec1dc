"""Sentences out of text that arrives in pieces, each as soon as it is certainly complete.

Text comes as a language model makes it, or whole from a file. Speech wants it in segments: long
enough to be spoken with sense, early enough to begin while the rest is still being written.

Preference: the end of a paragraph always cuts; the end of a sentence cuts from `min_chars` on; a
clause mark from `clause_chars` on; at `max_chars` the text is cut at a space, else between two
graphemes. The first cut in reading order is taken: to wait for a better one is to be silent.

Invariants, for any text cut into pieces in any way:
    - the segments, joined, are the text: nothing is lost, added or changed;
    - the segments do not depend on the pieces, for every decision is a function of the segment's
      first `max_chars + 1` characters, and is put off until those that it needs are there;
    - the work is linear in the length of the text, and what is held back is at most `max_chars`.

A blank line after a sentence that has already left makes a segment of its own, which holds white
space only: waiting for it would delay every sentence that ends a line until the next line comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ttsctl.errors import InvalidRequestError
from ttsctl.text import marks
from ttsctl.text.breaks import Mark, find_marks
from ttsctl.text.graphemes import forced_end

Boundary = Literal["sentence", "clause", "paragraph", "hard"]

MIN_CHARS = 40  # about 3 s of speech; shorter segments sound like a list
CLAUSE_CHARS = 60
# About 20 s of speech and, at 1 to 1.5 phonemes a character, below the 510 phonemes where Kokoro
# cuts its input off; well above the 100 to 150 characters of an ordinary sentence.
MAX_CHARS = 300

_BLANK = re.compile(rf"[^\S{marks.LINE_ENDS}]*[{marks.LINE_ENDS}]")
_BLANK_LINE = re.compile(f"[{marks.LINE_ENDS}]{_BLANK.pattern}")

# Where a segment begins: above all text of a paragraph, at the start of a line, or inside a line.
_Lead = Literal["top", "line", "inside"]


@dataclass(frozen=True)
class Segment:
    """A stretch of text to be spoken in one go."""

    text: str
    """As it was written, with the white space that follows it; may hold nothing speakable."""

    boundary: Boundary
    """What ends it, which decides the pause after it; the last segment of a text is a sentence."""


class SentenceSplitter:
    """Cuts one text after another into segments; not for use by several threads at once."""

    def __init__(
        self,
        min_chars: int = MIN_CHARS,
        clause_chars: int = CLAUSE_CHARS,
        max_chars: int = MAX_CHARS,
    ) -> None:
        if not 1 <= min_chars <= max_chars:
            raise InvalidRequestError(
                f"the shortest segment ({min_chars} characters) must be at least 1 and at most "
                f"the longest ({max_chars})"
            )
        self._min_chars = min_chars
        self._clause_chars = max(min_chars, clause_chars)
        self._max_chars = max_chars
        self._forget()

    def _forget(self) -> None:
        self._text = ""  # what has arrived and not left
        self._scanned = 0  # how much of it holds no mark that cuts
        self._gap = 0  # where the white space at its end begins, which may become a blank line
        self._lead: _Lead = "top"

    def segments(self, pieces: Iterable[str]) -> Iterator[Segment]:
        """Yield the segments of the text that `pieces` make up, each as soon as it is complete."""
        for piece in pieces:
            yield from self.push(piece)
        yield from self.flush()

    def push(self, piece: str) -> list[Segment]:
        """Take more text, and return the segments that it completes."""
        self._text += piece
        return self._leave()

    def flush(self) -> list[Segment]:
        """End the text, return what is left of it, and be ready for another text."""
        rest = self._text
        self._forget()
        return [Segment(rest, "sentence")] if rest else []

    def _leave(self) -> list[Segment]:
        segments: list[Segment] = []
        start = 0
        while cut := self._next_cut(start):
            end, boundary = cut
            segments.append(Segment(self._text[start:end], boundary))
            self._lead = self._lead_after(segments[-1])
            self._scanned = self._gap = start = end
        self._text = self._text[start:]
        self._scanned -= start
        self._gap -= start
        return segments

    def _next_cut(self, start: int) -> tuple[int, Boundary] | None:
        """Return where the segment that begins at `start` ends, and why; None for not yet."""
        limit = start + self._max_chars
        known = min(len(self._text), limit)
        paragraph_end = self._paragraph_end(start, known)
        seen = known
        for mark in find_marks(self._text, self._scanned, paragraph_end or known, origin=start):
            if boundary := self._accept(mark, start):
                return mark.end, boundary
            if mark.verdict == "unknown":
                seen = mark.start
        self._scanned = seen
        if paragraph_end:
            return paragraph_end, "paragraph"
        if len(self._text) > limit:
            return forced_end(self._text, start, limit), "hard"
        return None

    def _accept(self, mark: Mark, start: int) -> Boundary | None:
        length = mark.closed - start
        if mark.verdict == "sentence" and length >= self._min_chars:
            return "sentence"
        if mark.verdict == "clause" and length >= self._clause_chars:
            return "clause"
        return None

    def _paragraph_end(self, start: int, known: int) -> int | None:
        """Return the end of the first blank line, but for those above a paragraph."""
        if self._lead == "line" and (blank := _BLANK.match(self._text, start, known)):
            return blank.end()
        new = self._text[self._gap : known]
        is_above = self._lead == "top" and self._gap == start
        above = len(new) - len(new.lstrip()) if is_above else 0
        blank = _BLANK_LINE.search(self._text, self._gap + above, known)
        self._gap += len(new.rstrip())
        return blank.end() if blank else None

    def _lead_after(self, segment: Segment) -> _Lead:
        if segment.boundary == "paragraph":
            return "top"
        if self._lead == "top" and segment.text.isspace():
            return "top"
        return "line" if segment.text[-1] in marks.LINE_ENDS else "inside"

"""Cutting phonemes into stretches that the model takes in one go, without losing one.

The model has room for 510 symbols and the package that it comes with throws the rest away. Here
every symbol but the space at a cut is in exactly one chunk. A cut is made, by preference, after the
end of a sentence, after another mark, at a space, and else where the room ends.

The first chunk is short, because what is heard first is what is waited for: the first clause, where
there is a mark that one pauses at anyway; some words, only where the whole is long.
"""

from __future__ import annotations

import re

LIMIT = 510
COMFORT = 200
"""Most symbols of an ordinary chunk: some 14 s. Memory grows with length, by 25 MB a second."""

_FIRST = 40  # about 3 s of speech
_FIRST_AT_LEAST = 10  # less is a fragment: "Well,"
_WORTH_IT = 90  # with fewer symbols in all, a sentence without a mark is not cut

_SENTENCE_END = re.compile(r"[.!?…][\"”)]*(?= |$)")
_CLAUSE_END = re.compile(r"[;:,.!?…—][\"”)]*(?= |$)")
_SPACE = re.compile(r" ")


def cut(symbols: str, limit: int = COMFORT) -> list[str]:
    """Return the chunks of `symbols`, none empty and none longer than `limit`.

    Joined, and without spaces, they are the symbols without spaces.
    """
    rest = symbols.strip()
    chunks: list[str] = []
    if end := _first_end(rest, min(_FIRST, limit)):
        chunks.append(rest[:end].strip())
        rest = rest[end:].strip()
    while rest:
        end = len(rest) if len(rest) <= limit else _best_end(rest, limit)
        chunks.append(rest[:end].strip())
        rest = rest[end:].strip()
    return [chunk for chunk in chunks if chunk]


def _first_end(symbols: str, reach: int) -> int:
    """Return the end of a short first chunk, or 0 where one chunk is as well."""
    for mark in _CLAUSE_END.finditer(symbols, _FIRST_AT_LEAST, reach):
        return mark.end() if len(symbols) - mark.end() > _FIRST_AT_LEAST else 0
    return (_last(_SPACE, symbols, reach) or reach) if len(symbols) > _WORTH_IT else 0


def _best_end(symbols: str, limit: int) -> int:
    for kind in (_SENTENCE_END, _CLAUSE_END, _SPACE):
        # Not too near the beginning: two halves sound better than a word and a paragraph.
        if (end := _last(kind, symbols, limit)) and end > limit // 3:
            return end
    return limit


def _last(kind: re.Pattern[str], symbols: str, reach: int) -> int:
    """Return where the last match in reach ends, or 0."""
    return max((match.end() for match in kind.finditer(symbols, 0, reach)), default=0)

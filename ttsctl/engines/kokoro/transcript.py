"""A text, the symbols that the model is given for it, and when each of its words is spoken.

A word is what stands between white space, as it is written: its punctuation is part of its text,
and not of its time. Where it cannot be told which symbols are whose there are no words.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ttsctl.engines.kokoro.alignment import align, extent
from ttsctl.engines.kokoro.languages import Phonemise, has_spaces, phonemise
from ttsctl.engines.kokoro.runtime import Counts
from ttsctl.engines.kokoro.vocabulary import Vocabulary
from ttsctl.speech import Word

_MAX_WORD_CHARS = 40  # more is no word, and long calls crash the phonemiser (`ttsctl.text.clauses`)


class Place(NamedTuple):
    """A word and its place."""

    text: str

    symbols: range
    """Where it is among the symbols of the whole text; not empty."""


class Transcript:
    """A text that a phonemiser has read, in the symbols of a model's vocabulary."""

    def __init__(
        self,
        clauses: tuple[str, ...],
        language: str,
        phonemiser: Phonemise,
        vocabulary: Vocabulary,
    ) -> None:
        self._clauses = clauses
        self._said = phonemise(clauses, phonemiser)
        self._has_words = has_spaces(language)
        self._phonemiser = phonemiser
        self._vocabulary = vocabulary
        spelling = vocabulary.spell("".join(self._said))
        self.symbols = spelling.symbols
        self.dropped = spelling.dropped

    @functools.cached_property
    def places(self) -> list[Place]:
        """The words in order, without those that have no sound or whose place is not clear.

        Found at the first look, for each word is phonemised once more for it: 2 ms a clause.
        """
        found: list[Place] = []
        start = 0
        for text, said in self._stretches() if self._has_words else ():
            symbols = self._spell(said)
            start += self.symbols.startswith(" ", start)
            if not self.symbols.startswith(symbols, start):
                break  # a letter and its mark, of two clauses, have become one
            found += self._places_in(text, symbols, start)
            start += len(symbols)
        return found

    def words(self, chunk: range, durations: Counts | None, duration_s: float) -> tuple[Word, ...]:
        """Return the words that begin in a chunk; one that goes on after it ends with it.

        Args:
            chunk: Where it is among the symbols.
            durations: How long each of its symbols and the pads around them last, in any unit;
                None where the model does not tell.
            duration_s: Length of its sound.
        """
        if durations is None or durations.size != len(chunk) + 2 or not durations.min() >= 0:
            return ()
        ends = np.cumsum(durations)
        moments = (ends / max(ends[-1], 1) * duration_s).tolist()  # in which its symbols begin

        def moment(symbol: int) -> float:
            return float(moments[min(symbol, chunk.stop) - chunk.start])

        return tuple(
            Word(text, moment(symbols.start), moment(symbols.stop))
            for text, symbols in self.places
            if symbols.start in chunk
        )

    def _stretches(self) -> Iterator[tuple[str, str]]:
        """Yield the text and its phonemes in pieces that no word reaches across."""
        text = said = ""
        for clause, phonemes in zip(self._clauses, self._said, strict=True):
            if text[-1:].isspace() or clause[:1].isspace():
                yield text, said
                text = said = ""
            text, said = text + clause, said + phonemes
        yield text, said

    def _places_in(self, text: str, symbols: str, start: int) -> list[Place]:
        words = text.split()
        if len(words) == 1:
            found: list[range] | None = [extent(symbols)]
        elif any(len(word) > _MAX_WORD_CHARS for word in words):
            found = None
        else:
            found = align([self._spell(self._phonemiser(word)) for word in words], symbols)
        return [
            Place(word, range(start + place.start, start + place.stop))
            for word, place in zip(words, found or (), strict=found is not None)
            if place
        ]

    def _spell(self, phonemes: str) -> str:
        return self._vocabulary.spell(phonemes).symbols

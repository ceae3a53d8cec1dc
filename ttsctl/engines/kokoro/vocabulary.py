"""The symbols that the model knows, and what becomes of those that it does not.

The model was trained on 114 symbols of the phonetic alphabet. The package that it comes with skips
every other in silence. Here a symbol that has a near one in the vocabulary is replaced by it, a
mark that only shades a sound is left out, and the rest is counted.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from ttsctl.errors import ModelNotFoundError

PAD = 0  # stands before and after the phonemes

# Sounds that a phonemiser may write and the model was not trained on, by place and manner.
_NEAR = {
    "g": "ɡ",
    "ɫ": "l",
    "ɭ": "l",
    "ɬ": "l",
    "ʟ": "l",
    "ʀ": "ʁ",
    "ʐ": "ʒ",
    "ʑ": "ʒ",
    "ʍ": "w",
    "ɱ": "m",
    "ʉ": "u",
    "ɵ": "ə",
    "ɘ": "ə",
    "ɞ": "ɜ",
    "ɶ": "œ",
    "ʏ": "y",
    "ɝ": "ɜ",
    "ħ": "h",
    "ɦ": "h",
    "ʕ": "ʔ",
    "ɮ": "l",
    "ɓ": "b",
    "ɗ": "d",
    "ɠ": "ɡ",
    "ʱ": "ʰ",
    "ˑ": "ː",
    "–": "—",
    "-": " ",
    "„": "“",
    "«": "“",
    "»": "”",
    "‘": "“",
    "’": "”",
    "[": "(",
    "]": ")",
    "¿": "",
    "¡": "",
    "'": "",
    "_": "",
    "|": "",
    "。": ".",
    "、": ",",
    "，": ",",
    "！": "!",
    "？": "?",
    "：": ":",
    "；": ";",
    "।": ".",
    "॥": ".",
    "؟": "?",
    "،": ",",
    "؛": ";",
}


@dataclass(frozen=True)
class Spelling:
    """Phonemes as the model can take them."""

    symbols: str
    """Each is in the vocabulary."""

    dropped: int
    """How many had nothing near them in the vocabulary and were left out."""


class Vocabulary:
    """The symbols of one model, with their numbers."""

    def __init__(self, ids: dict[str, int]) -> None:
        self._ids = ids

    def spell(self, phonemes: str) -> Spelling:
        """Return `phonemes` in the symbols of the vocabulary, with single spaces."""
        dropped = 0
        found: list[str] = []
        # Composed letters apart from their marks, and then together again where the pair is known.
        for symbol in unicodedata.normalize("NFC", phonemes):
            spelled = self._spell(symbol)
            if spelled is None:
                dropped += 1
            else:
                found.append(spelled)
        return Spelling(" ".join("".join(found).split()), dropped)

    def numbers(self, symbols: str) -> list[int]:
        """Return the numbers of `symbols`, which `spell` returned, between two pads."""
        return [PAD, *(self._ids[symbol] for symbol in symbols), PAD]

    def _spell(self, symbol: str) -> str | None:
        if symbol in self._ids:
            return symbol
        if symbol.isspace():
            return " "
        if symbol in _NEAR:
            return self._known(_NEAR[symbol])
        base, *marks = list(unicodedata.normalize("NFD", symbol))
        if marks:
            return None if (letter := self._spell(base)) is None else letter + self._known(marks)
        return "" if unicodedata.category(symbol) in ("Mn", "Lm", "Cf") else None

    def _known(self, symbols: str | list[str]) -> str:
        return "".join(symbol for symbol in symbols if symbol in self._ids)


def read_vocabulary(config: Path) -> Vocabulary:
    """Read the vocabulary of a model's `config.json`.

    Raises:
        ModelNotFoundError: The file is missing or has no vocabulary.
    """
    try:
        found = json.loads(config.read_bytes())["vocab"]
        return Vocabulary({str(symbol): int(number) for symbol, number in found.items()})
    except FileNotFoundError:
        raise ModelNotFoundError(
            f"the Kokoro model is not installed ({config} is missing);"
            " run: ttsctl voices get kokoro"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelNotFoundError(
            f"{config} does not describe a Kokoro model; run: ttsctl voices get kokoro"
        ) from error

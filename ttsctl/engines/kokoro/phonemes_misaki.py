"""Phonemes by misaki, which Kokoro was trained with: its English dictionary, without spaCy.

`misaki.en` imports spaCy, which takes seconds, and where spaCy's model is missing it downloads one
with pip. It has spaCy cut text into tokens and tag them, and of the tags it looks at a handful. So
spaCy is replaced, while misaki is imported, by an empty module, and tokens and tags are ours. What
the dictionary does not know is phonemised by espeak-ng.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.resources
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from ttsctl.engines.kokoro.english import Token, tokens
from ttsctl.engines.kokoro.phonemes_espeak import EspeakPhonemiser

Phonemise = Callable[[str], str]

_FALLBACK_RATING = 2  # misaki's word for "by espeak-ng"


@contextlib.contextmanager
def _without_spacy() -> Iterator[None]:
    """Let `import spacy` find an empty module for the length of the block."""
    present = sys.modules.get("spacy")
    if present is None:
        sys.modules["spacy"] = ModuleType("spacy")
    try:
        yield
    finally:
        if present is None:
            del sys.modules["spacy"]


with _without_spacy():
    from misaki import en
    from misaki.token import MToken


class _Lexicon(en.Lexicon):  # type: ignore[misc]
    """misaki's dictionary, read without copying it: 0.15 s instead of 0.6, and half the memory."""

    def __init__(self, british: bool) -> None:  # not super's, which copies and checks every word
        self.british = british
        self.cap_stresses = (0.5, 2)
        self.golds = _Words(_dictionary(british, "gold"))

    @functools.cached_property
    def silvers(self) -> _Words:
        """The second dictionary, read when a word is not in the first."""
        return _Words(_dictionary(self.british, "silver"))


class _Words:
    """A dictionary in which a small word is found by its capitalised entry, and vice versa."""

    def __init__(self, words: dict[str, Any]) -> None:
        self._words = words

    def __contains__(self, word: str) -> bool:
        return self._spelling(word) in self._words

    def __getitem__(self, word: str) -> Any:
        return self._words[self._spelling(word)]

    def get(self, word: str) -> Any:
        """Return the entry of `word`, or None."""
        return self._words.get(self._spelling(word))

    def _spelling(self, word: str) -> str:
        if word in self._words or len(word) < 2:
            return word
        small = word.lower()
        if word == small:
            return small.capitalize()
        return small if word == small.capitalize() else word


class _English(en.G2P):  # type: ignore[misc]
    """misaki's English rules over our tokens."""

    def __init__(self, british: bool, fallback: Phonemise) -> None:  # not super's: it needs spaCy
        self.version = None
        self.british = british
        self.lexicon = _Lexicon(british)
        self.fallback = lambda token: (fallback(token.text).strip(), _FALLBACK_RATING)
        self.unk = ""

    def tokenize(self, text: str, _tokens: object, _features: object) -> list[Any]:
        """Return the tokens of `text` as misaki wants them."""
        return [_mutable(token) for token in tokens(text)]


class EnglishPhonemiser:
    """Phonemises American or British English."""

    def __init__(self, language: str, fallback: Phonemise | None = None) -> None:
        self._fallback = fallback or EspeakPhonemiser(language)
        self._rules = _English(language == "en-gb", self._fallback)

    def __call__(self, text: str) -> str:
        """Return the phonemes of `text`; by espeak-ng where misaki fails on it."""
        try:
            # Without its preprocessing, which takes "[word](/sounds/)" for an instruction.
            said, _ = self._rules(text, preprocess=False)
        except Exception:
            # Numbers too large, odd currency, and what else its rules were not written for.
            return self._fallback(text)
        return str(said)


class OtherPhonemiser:
    """Phonemises Japanese or Mandarin, whose dictionaries are packages of their own."""

    def __init__(self, language: str) -> None:
        if language == "ja":
            self._rules = importlib.import_module("misaki.ja").JAG2P()
        else:
            self._rules = importlib.import_module("misaki.zh").ZHG2P(unk="")

    def __call__(self, text: str) -> str:
        """Return the phonemes of `text`."""
        return str(self._rules(text)[0]) if text.strip() else ""


def phonemiser(language: str) -> Phonemise:
    """Return misaki's phonemiser of a language: "en-us", "en-gb", "ja" or "zh".

    Raises:
        ImportError: The packages that hold the dictionary of the language are not installed.
    """
    if language in ("ja", "zh"):
        return OtherPhonemiser(language)
    return EnglishPhonemiser(language)


def _mutable(token: Token) -> Any:
    extra = MToken.Underscore(is_head=True, num_flags="", prespace=False)
    return MToken(text=token.text, tag=token.tag, whitespace=token.whitespace, _=extra)


def _dictionary(british: bool, grade: str) -> dict[str, Any]:
    name = f"{'gb' if british else 'us'}_{grade}.json"
    words: dict[str, Any] = json.loads(
        (importlib.resources.files("misaki") / "data" / name).read_bytes()
    )
    return words

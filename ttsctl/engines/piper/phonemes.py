"""Text to the phonemes of a Piper voice, sentence by sentence.

Most voices speak espeak-ng's phonemes. Some take the letters themselves, and a few languages have a
phonemiser of their own inside piper-tts, which may need more packages.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ttsctl.engines.phonemiser import Phrase, phrases
from ttsctl.engines.piper.config import PiperConfig
from ttsctl.errors import ModelNotFoundError, NotInstalledError

Phonemise = Callable[[Sequence[str]], list[list[str]]]
"""From the clauses of a text to its sentences, each a list of phonemes."""

BLOCK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)

# Class of piper-tts, and the extra that brings what it needs.
_OTHERS = {
    "hebrew": ("piper.phonemize_hebrew:HebrewPhonemizer", ""),
    "japanese": ("piper.phonemize_japanese:JapanesePhonemizer", "ja"),
    "pinyin": ("piper.phonemize_chinese:ChinesePhonemizer", "zh"),
    "thai": ("piper.phonemize_thai:ThaiPhonemizer", "th"),
}
_G2PW_FOLDER = "g2pW"
_LANGUAGE_FLAG = re.compile(r"\([^)]+\)")
_ARABIC = "ar"
_DIACRITIZER_THRESHOLD = 0.8  # piper's own


def phonemiser(config: PiperConfig, folder: Path) -> Phonemise:
    """Return what turns text into the phonemes that the voice was trained on.

    Args:
        config: Settings of the voice.
        folder: The voice's own, where pinyin looks for its model: nothing is fetched.

    Raises:
        NotInstalledError: It needs a package that is missing.
        ModelNotFoundError: It needs a model that is missing.
    """
    if config.phoneme_type == "espeak":
        return _Espeak(config)
    if config.phoneme_type == "text":
        return lambda clauses: [list(unicodedata.normalize("NFD", "".join(clauses)))]
    if config.phoneme_type not in _OTHERS:
        raise ModelNotFoundError(f"phoneme type '{config.phoneme_type}' is unknown")
    other = _other(config.phoneme_type, folder)
    return lambda clauses: [list(found) for found in other.phonemize("".join(clauses))]


def blocks(clauses: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the text in order, in pieces that are phonemes already, in [[ ]], or are not.

    What lies between two blocks is cut where the clauses were, so that no call gets too long.
    """
    text = "".join(clauses)
    ends = [sum(map(len, clauses[: index + 1])) for index in range(len(clauses))]
    start = 0
    for block in [*BLOCK.finditer(text), None]:
        stop = block.start() if block else len(text)
        for end in [*(end for end in ends if start < end < stop), stop]:
            if text[start:end].strip():
                yield text[start:end], False
            start = end
        if block:
            yield block[1].strip(), True
            start = block.end()


def with_blocks(phonemise: Phonemise, clauses: Sequence[str]) -> list[list[str]]:
    """Return the sentences of a text in which [[ ]] holds phonemes.

    A block belongs to the sentence that it stands in.
    """
    sentences: list[list[str]] = [[]]
    for piece, is_block in blocks(clauses):
        found = [list(unicodedata.normalize("NFD", piece))] if is_block else phonemise([piece])
        if found:
            glue = [" "] if sentences[-1] else []
            sentences[-1] += glue + found[0]
            sentences += found[1:]
    return [sentence for sentence in sentences if sentence]


class _Espeak:
    """espeak-ng's phonemes, one Unicode character each."""

    def __init__(self, config: PiperConfig) -> None:
        self._config = config
        is_arabic = config.espeak_voice == _ARABIC
        self._spell: Callable[[str], str] = _diacritizer() if is_arabic else str

    def __call__(self, clauses: Sequence[str]) -> list[list[str]]:
        sentences: list[str] = [""]
        for clause in clauses:
            for phrase in phrases(self._spell(clause), self._config.espeak_voice):
                sentences[-1] += _written(phrase)
                # The end of a call is no end of a sentence, unless a mark says so.
                if phrase.ends_sentence and phrase.mark in (".", "?", "!"):
                    sentences.append("")
                else:
                    sentences[-1] += " "
        return [self._split(sentence.strip()) for sentence in sentences if sentence.strip()]

    def _split(self, sentence: str) -> list[str]:
        phonemes = list(unicodedata.normalize("NFD", sentence))
        clusters = self._config.vowel_clusters
        return _clustered(phonemes, clusters) if clusters else phonemes


def _written(phrase: Phrase) -> str:
    return _LANGUAGE_FLAG.sub("", phrase.phonemes) + phrase.mark


def _clustered(phonemes: list[str], clusters: frozenset[tuple[str, ...]]) -> list[str]:
    """Join the longest known cluster at each place into one phoneme."""
    longest = max(map(len, clusters))
    joined = []
    while phonemes:
        lengths = range(min(longest, len(phonemes)), 1, -1)
        length = next((n for n in lengths if tuple(phonemes[:n]) in clusters), 1)
        joined.append("".join(phonemes[:length]))
        phonemes = phonemes[length:]
    return joined


def _diacritizer() -> Callable[[str], str]:
    """Return what writes the vowels into Arabic text, which is written without."""
    diacritize = importlib.import_module("piper.tashkeel").TashkeelDiacritizer()
    return lambda text: str(diacritize(text, taskeen_threshold=_DIACRITIZER_THRESHOLD))


def _other(kind: str, folder: Path) -> Any:
    target, extra = _OTHERS[kind]
    module, _, attribute = target.partition(":")
    arguments = []
    if kind == "pinyin":
        # Given a folder that is empty, piper would fetch the model.
        if not any((folder / _G2PW_FOLDER).glob("*")):
            raise ModelNotFoundError(
                f"the voice needs piper's g2pW model in {folder / _G2PW_FOLDER};"
                " unpack g2pw.tar.gz of the piper project there"
            )
        arguments = [folder / _G2PW_FOLDER]
    try:
        return getattr(importlib.import_module(module), attribute)(*arguments)
    except ImportError as error:
        raise NotInstalledError(
            f"{kind} phonemes need a package that is missing ({error});"
            f" run: pip install 'piper-tts[{extra}]'"
        ) from error

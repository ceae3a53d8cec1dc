"""Phonemes by espeak-ng, in the symbols that Kokoro was trained on.

Those are misaki's: one letter for a diphthong or an affricate, and for English a small alphabet of
its own (github.com/hexgrad/misaki, EN_PHONES.md). What espeak-ng writes otherwise is rewritten
here; what it has no word for, quotation marks, brackets and dashes, is taken from the text, because
the model makes a melody of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ttsctl.engines.phonemiser import Phrase, phrases

Rules = list[tuple[re.Pattern[str], str]]
Phrases = Callable[[str, str], list[Phrase]]

_FLAG = re.compile(r"\([a-z-]+\)")  # "(en)": espeak-ng changes to another language

# Marks that espeak-ng swallows and the model knows. Where one joins two letters, it stays.
_KEPT = re.compile(r"(\s*(?:[—…“”\"()«»„]|(?<=\s)[–-](?=\s))+\s*)")
_LOOSE = re.compile(r"(?<=[“(])\s+|\s+(?=[”)])")  # French sets its quotation marks apart
_MARKS = str.maketrans({"«": "“", "»": "”", "„": "“", "–": "—", "-": "—"})


def _rules(*pairs: tuple[str, str]) -> Rules:
    return [(re.compile(pattern), replacement) for pattern, replacement in pairs]


_COMMON = _rules(("tʃ", "ʧ"), ("dʒ", "ʤ"), ("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("ɔɪ", "Y"))
_LATIN = _rules(("oʊ(?!\u0303)", "O"), ("əʊ", "Q"), ("ts", "ʦ"), ("dz", "ʣ"), ("-", ""))

_ENGLISH = _rules(
    ("ʲ(?=[oə])", "j"),
    ("ʲ", ""),
    ("e(?=ə)", "ɛ"),
    ("\u0303", ""),
    ("r", "ɹ"),
    ("[xç]", "k"),
    ("ɐ", "ə"),
    ("ɬ", "l"),
)
_AMERICAN = _rules(
    ("oʊ", "O"),
    ("ɚ", "əɹ"),
    ("ɜː?ɹ?", "ɜɹ"),
    ("ɪə", "iə"),
    ("ː", ""),
    ("o", "ɔ"),
    ("ɾ", "T"),
    ("ʔ", "t"),
    ("e", "A"),
)
_BRITISH = _rules(
    ("əʊ", "Q"),
    ("oʊ", "Q"),
    ("ɛə", "ɛː"),
    ("iə", "ɪə"),
    ("o", "ɔ"),
    ("ɾ", "T"),
    ("ʔ", "t"),
    ("e", "A"),
)
# espeak-ng writes Mandarin in its own letters, and of a tone only its first height.
_MANDARIN = _rules(
    (r"ts\.h", "ꭧʰ"),
    (r"ts\.", "ꭧ"),
    (r"s\.", "ʂ"),
    (r"z\.", "ɻ"),
    (r"i\.|i\[", "ɨ"),
    ("tɕ", "ʨ"),
    ("ts", "ʦ"),
    ("(?<=[ʨʦꭧtpk])h", "ʰ"),
    ("χ", "x"),
    ("5", "→"),
    ("3", "↗"),
    ("2", "↓"),
    ("[014]", ""),
)
_JAPANESE = _rules(("tɕ", "ʨ"), ("d(ʑ|ʒ)", "ʥ"), ("ts", "ʦ"), ("\u031e|\u0308", ""), ("ʌ", "a"))

_BY_LANGUAGE: dict[str, tuple[str, Rules]] = {
    "en-us": ("en-us", _COMMON + _ENGLISH + _AMERICAN),
    "en-gb": ("en", _COMMON + _ENGLISH + _BRITISH),
    "es": ("es", _COMMON + _LATIN),
    "fr": ("fr", _COMMON + _LATIN),
    "hi": ("hi", _COMMON + _LATIN),
    "it": ("it", _COMMON + _LATIN),
    "pt-br": ("pt-br", _COMMON + _LATIN),
    "ja": ("ja", _COMMON + _JAPANESE),
    "zh": ("cmn", _COMMON + _MANDARIN),
}


class EspeakPhonemiser:
    """Phonemises one of Kokoro's languages."""

    def __init__(self, language: str, phrases: Phrases = phrases) -> None:
        self._voice, self._rules = _BY_LANGUAGE[language]
        self._phrases = phrases

    def __call__(self, text: str) -> str:
        """Return the phonemes of `text`, a clause of at most some 120 characters.

        Raises:
            EngineError: espeak-ng cannot phonemise.
        """
        pieces = _KEPT.split(text)
        said = "".join(
            piece.translate(_MARKS) if place % 2 else self._phonemise(piece)
            for place, piece in enumerate(pieces)
        )
        return _LOOSE.sub("", said)

    def _phonemise(self, text: str) -> str:
        if not text.strip():
            return ""
        said = " ".join(
            phrase.phonemes + phrase.mark for phrase in self._phrases(text, self._voice)
        )
        said = _FLAG.sub("", said).replace("\u0361", "")
        for pattern, replacement in self._rules:
            said = pattern.sub(replacement, said)
        return said

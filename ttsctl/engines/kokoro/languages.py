"""The nine languages that Kokoro speaks, and who phonemises each.

misaki serves where it and its dictionaries are installed, espeak-ng otherwise. For Spanish,
French, Hindi, Italian and Portuguese misaki itself only asks espeak-ng, through one more copy of
the library: for those ours is asked. Nothing is ever downloaded.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable

from ttsctl.engines.kokoro.phonemes_espeak import EspeakPhonemiser
from ttsctl.errors import InvalidRequestError

_logger = logging.getLogger(__name__)

Phonemise = Callable[[str], str]

LANGUAGES = ("en-us", "en-gb", "es", "fr", "hi", "it", "pt-br", "ja", "zh")

# The first letter of a voice's name: "af_heart" is American.
_BY_LETTER = dict(zip("abefhipjz", LANGUAGES, strict=True))
_OTHER_TAGS = {"en": "en-us", "pt": "pt-br", "cmn": "zh"}

_MISAKI = "ttsctl.engines.kokoro.phonemes_misaki"
_BY_MISAKI = ("en-us", "en-gb", "ja", "zh")
_WITHOUT_SPACES = ("ja", "zh")
_UNDETERMINED = "und"


def language_of(tag: str, voice: str) -> str:
    """Return the one of `LANGUAGES` that a BCP 47 tag means.

    Args:
        tag: "en-US", "fr", "cmn-Hans"; "und" for the language of the voice.
        voice: Name of a voice or of a blend, whose first letter is its language.

    Raises:
        InvalidRequestError: Kokoro does not speak it.
    """
    small = tag.lower().replace("_", "-")
    if small == _UNDETERMINED:
        return _BY_LETTER.get(voice[:1], LANGUAGES[0])
    primary = small.partition("-")[0]
    for name in (small, _OTHER_TAGS.get(primary, primary)):
        if name in LANGUAGES:
            return name
    raise InvalidRequestError(f"kokoro does not speak '{tag}'; it speaks {', '.join(LANGUAGES)}")


def find_phonemiser(language: str) -> Phonemise:
    """Return the best phonemiser of a language that is installed."""
    if language in _BY_MISAKI:
        try:
            module = importlib.import_module(_MISAKI)
            found: Phonemise = module.phonemiser(language)
        except (ImportError, OSError, SystemExit):
            # SystemExit: a library that misses its data may leave so.
            _explain(language)
        else:
            return found
    return EspeakPhonemiser(language)


def phonemise(clauses: tuple[str, ...], phonemiser: Phonemise) -> list[str]:
    """Return the phonemes of each clause of a text; the spaces between them are its own."""
    said: list[str] = []
    needs_space = False
    for clause in clauses:
        phonemes = phonemiser(clause).strip()
        if phonemes and (needs_space or clause[:1].isspace()):
            phonemes = f" {phonemes}"
        said.append(phonemes)
        needs_space = clause[-1:].isspace() or (needs_space and not phonemes)
    return said


def has_spaces(language: str) -> bool:
    """Tell whether the language is written with spaces between its words."""
    return language not in _WITHOUT_SPACES


def _explain(language: str) -> None:
    """Warn of what is lost where espeak-ng, which reads few characters, stands in."""
    if language in ("ja", "zh"):
        _logger.warning(
            "Kokoro's phonemiser for '%s' is missing, and espeak-ng reads it roughly;"
            " run: pip install 'misaki[%s]'",
            language,
            language,
        )

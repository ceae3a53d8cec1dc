"""The embedded voices, which are always there: espeak-ng's by name, by tag, and by language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from ttsctl.errors import InvalidVoiceError, NotInstalledError, nearest
from ttsctl.speech import Voice
from ttsctl.voices import espeak
from ttsctl.voices.espeak import Language

DEFAULT = "en-us"


def voice(name: str) -> Voice:
    """Return the voice called `name`, with a variant behind a plus sign or without.

    Raises:
        InvalidVoiceError: There is no such voice, or no such variant.
        NotInstalledError: The package that holds the voices is missing.
    """
    wanted, plus, variant = name.partition("+")
    package = package_folder()
    known = espeak.languages(package)
    tags = {entry.name.lower(): entry.name for entry in known}
    # As with espeak-ng's own -v, "fr" will do for "fr-fr".
    tag = tags.get(wanted.lower()) or _serving(known, lambda tag: tag.lower() == wanted.lower())
    if tag is None:
        raise InvalidVoiceError(
            f"voice '{name}' not found{nearest(wanted, tags)}; see `ttsctl voices list`"
        )
    if plus and variant not in (colours := espeak.variants(package)):
        raise InvalidVoiceError(
            f"variant '{variant}' of voice '{tag}' not found{nearest(variant, colours)}"
        )
    return _voice(package, f"{tag}{plus}{variant}", tag)


def serving(language: str) -> Voice | None:
    """Return the voice that speaks `language` or a variety of it, or None."""
    package = package_folder()
    if covers(language, DEFAULT):
        return _voice(package, DEFAULT, DEFAULT)
    tag = _serving(espeak.languages(package), partial(covers, language))
    return _voice(package, tag, tag) if tag else None


def voices() -> Iterator[tuple[Voice, str]]:
    """Yield every voice with its language in English; none where the package is missing."""
    package = espeak.package_folder()
    if package is not None:
        for entry in espeak.languages(package):
            yield _voice(package, entry.name, entry.name), entry.title


def covers(wanted: str, tag: str) -> bool:
    """Whether `tag` is `wanted` or a variety of it, as en-us is of en."""
    return f"{_plain(tag)}-".startswith(f"{_plain(wanted)}-")


def package_folder() -> Path:
    """Return the folder of the package that holds the voices.

    Raises:
        NotInstalledError: It is missing.
    """
    package = espeak.package_folder()
    if package is None:
        raise NotInstalledError(
            "the embedded voice is not installed; run: pip install espeakng-loader"
        )
    return package


def _serving(known: Iterable[Language], is_meant: Callable[[str], bool]) -> str | None:
    """Return the voice that serves a tag that is meant: plainest tag, then best priority."""
    served = [
        (len(tag), priority, entry.name)
        for entry in known
        for tag, priority in entry.priorities
        if is_meant(tag)
    ]
    return min(served)[-1] if served else None


def _voice(package: Path, name: str, tag: str) -> Voice:
    return Voice("espeak", name, tag, espeak.fingerprint(package))


def _plain(tag: str) -> str:
    return tag.lower().replace("_", "-")

"""From what the user calls a voice to the voice: "auto", "en-us", "espeak:en-us+f3"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ttsctl.errors import InvalidRequestError, InvalidVoiceError, NotInstalledError, nearest
from ttsctl.speech import ENGINE_GROUP, Voice
from ttsctl.voices import espeak

AUTO = "auto"
OUR_ENGINES = ("espeak", "tone")
DEFAULT_ESPEAK = "en-us"
UNDETERMINED = "und"  # BCP 47: the language of a voice that speaks any, or does not say

_TONE_NAMES = ("sine", "faulty")


@dataclass(frozen=True)
class CatalogueEntry:
    """A voice as `ttsctl voices list` shows it."""

    voice: Voice
    title: str
    """The language in English: "English (America)"."""


def installed() -> list[CatalogueEntry]:
    """Return the voices of the engines that ship with ttsctl, best engine first."""
    return [*_espeak_entries(), *_tone_entries()]


def engines() -> list[str]:
    """Return the names of the installed engines, ours and those of other packages."""
    return [*OUR_ENGINES, *sorted(set(_entry_points()) - set(OUR_ENGINES))]


def espeak_variants() -> list[str]:
    """Return what may follow the name of an espeak voice and a plus sign."""
    return espeak.variants(_espeak_package())


def resolve(name: str, language: str | None = None) -> Voice:
    """Return the voice that `name` stands for, spoken in `language` where that is given.

    Args:
        name: "auto", "engine:name", or the bare name of an espeak voice. The tone engine, which is
            for tests, is named in full.
        language: BCP 47 tag, or None for the voice's own.

    Raises:
        InvalidVoiceError: There is no such voice; the message has the nearest names.
        InvalidRequestError: The voice does not speak `language`.
        NotInstalledError: The engine is not installed.
    """
    if name == AUTO:
        return _automatic(language)
    engine, colon, rest = name.partition(":")
    voice = _of_engine(engine, rest) if colon else _espeak(name)
    if not speaks(voice, language):
        raise InvalidRequestError(
            f"voice '{voice.id}' speaks {voice.language}, not {language};"
            f" leave out --voice, or name a voice of that language"
        )
    return voice


def speaks(voice: Voice, language: str | None) -> bool:
    """Whether `voice` speaks `language`, a variety of it, or what it is a variety of."""
    if language is None or voice.language == UNDETERMINED:
        return True
    return _covers(language, voice.language) or _covers(voice.language, language)


def _automatic(language: str | None) -> Voice:
    """Choose the best installed voice: today espeak-ng has one for every language."""
    package = _espeak_package()
    if language is None or _covers(language, DEFAULT_ESPEAK):
        return _espeak_voice(package, DEFAULT_ESPEAK)
    known = espeak.languages(package)
    wanted = language
    while wanted:
        if tag := _serving(known, partial(_covers, wanted)):
            return _espeak_voice(package, tag)
        # RFC 4647, section 3.4: de-AT is served by de, zh-Hans-CN by zh.
        wanted = wanted.replace("_", "-").rpartition("-")[0]
    names = [entry.name for entry in known]
    raise InvalidVoiceError(f"no voice speaks '{language}'{nearest(language, names)}")


def _serving(known: list[espeak.Language], is_meant: Callable[[str], bool]) -> str | None:
    """Return the voice that serves a tag that is meant: plainest tag, then best priority."""
    served = [
        (len(tag), priority, entry.name)
        for entry in known
        for tag, priority in entry.priorities
        if is_meant(tag)
    ]
    return min(served)[-1] if served else None


def _of_engine(engine: str, name: str) -> Voice:
    if engine == "espeak":
        return _espeak(name)
    if engine == "tone":
        return _tone(name)
    distribution = _entry_points().get(engine)
    if distribution is None:
        raise NotInstalledError(
            f"engine '{engine}' is not installed{nearest(engine, engines())};"
            " `ttsctl doctor` lists the engines that are"
        )
    # Only the engine knows its voices: the worker refuses a wrong name when it loads it.
    return Voice(engine, name, UNDETERMINED, distribution)


def _espeak(name: str) -> Voice:
    wanted, plus, variant = name.partition("+")
    package = _espeak_package()
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
    return _espeak_voice(package, tag, plus + variant)


def _espeak_voice(package: Path, tag: str, variant: str = "") -> Voice:
    return Voice("espeak", f"{tag}{variant}", tag, espeak.fingerprint(package))


def _tone(name: str) -> Voice:
    if name not in _TONE_NAMES:
        raise InvalidVoiceError(f"voice 'tone:{name}' not found; nearest: tone:sine")
    return Voice("tone", name, UNDETERMINED, "tone 1")


def _covers(wanted: str, tag: str) -> bool:
    """Whether `tag` is `wanted` or a variety of it, as en-us is of en."""
    return f"{_plain(tag)}-".startswith(f"{_plain(wanted)}-")


def _plain(tag: str) -> str:
    return tag.lower().replace("_", "-")


def _espeak_entries() -> list[CatalogueEntry]:
    package = espeak.package_folder()
    if package is None:
        return []
    template = Voice("espeak", "", "", espeak.fingerprint(package))
    return [
        CatalogueEntry(replace(template, name=entry.name, language=entry.name), entry.title)
        for entry in espeak.languages(package)
    ]


def _tone_entries() -> list[CatalogueEntry]:
    return [CatalogueEntry(_tone(name), "test tone") for name in _TONE_NAMES]


def _espeak_package() -> Path:
    package = espeak.package_folder()
    if package is None:
        raise NotInstalledError(
            "the embedded voice is not installed; run: pip install espeakng-loader"
        )
    return package


def _entry_points() -> dict[str, str]:
    """Return engine name to "distribution version" for the engines of other packages."""
    import importlib.metadata  # noqa: PLC0415 - takes 45 ms, and the embedded voice does without

    found = importlib.metadata.entry_points(group=ENGINE_GROUP)
    return {
        point.name: f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        for point in found
    }

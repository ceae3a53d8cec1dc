"""From what the user calls a voice to the voice: "auto", "en-us", "piper:en_US-lessac-medium"."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from ttsctl.errors import (
    EngineError,
    InvalidRequestError,
    InvalidVoiceError,
    NotInstalledError,
    TtsctlError,
    nearest,
)
from ttsctl.settings import voices_folder
from ttsctl.speech import ENGINE_GROUP, Voice
from ttsctl.voices import embedded, espeak, known, kokoro, piper
from ttsctl.voices.embedded import covers
from ttsctl.voices.store import Item

AUTO = "auto"
NEURAL_ENGINES = ("kokoro", "piper")
OUR_ENGINES = (*NEURAL_ENGINES, "espeak", "tone")  # the best first
UNDETERMINED = "und"  # BCP 47: the language of a voice that speaks any, or does not say

_INSTALLED = {"kokoro": kokoro.installed, "piper": piper.installed}
_VOICE = {"kokoro": kokoro.voice, "piper": piper.voice}
_TONE_NAMES = ("sine", "faulty")
_DEFAULT_LANGUAGE = "en"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CatalogueEntry:
    """A voice as `ttsctl voices list` shows it."""

    voice: Voice
    title: str
    """The language in English: "English (America)"."""


def installed() -> list[CatalogueEntry]:
    """Return the voices of the engines that ship with ttsctl, best engine first."""
    return [*_neural_entries(), *_espeak_entries(), *_tone_entries()]


def engines() -> list[str]:
    """Return the names of the installed engines, ours and those of other packages."""
    return [*OUR_ENGINES, *sorted(set(_entry_points()) - set(OUR_ENGINES))]


def espeak_variants() -> list[str]:
    """Return what may follow the name of an espeak voice and a plus sign."""
    return espeak.variants(embedded.package_folder())


def resolve(name: str, language: str | None = None) -> Voice:
    """Return the voice that `name` stands for, spoken in `language` where that is given.

    Args:
        name: "auto", "engine:name", or the bare name of a voice. The tone engine, which is for
            tests, is named in full.
        language: BCP 47 tag, or None for the voice's own.

    Raises:
        InvalidVoiceError: There is no such voice; the message has the nearest names.
        ModelNotFoundError: The voice is known, but not installed, or was altered since.
        InvalidRequestError: The voice does not speak `language`.
        NotInstalledError: The engine is not installed.
    """
    if name == AUTO:
        return _automatic(language)
    engine, colon, rest = name.partition(":")
    voice = _of_engine(engine, rest) if colon else _bare(name)
    if not speaks(voice, language):
        raise InvalidRequestError(
            f"voice '{voice.id}' speaks {voice.language}, not {language};"
            f" leave out --voice, or name a voice of that language"
        )
    return voice


def alternatives(voice: Voice, language: str) -> list[Voice]:
    """Return what may speak `language` where `voice` fails: a voice each of the lesser engines.

    Best first; empty for the tone engine, whose failures are what tests ask for. Never raises.
    """
    if voice.engine == "tone":
        return []
    place = OUR_ENGINES.index(voice.engine) + 1 if voice.engine in OUR_ENGINES else 1
    return [
        found
        for engine in OUR_ENGINES[place:-1]
        if (found := _of_engine_serving(engine, language)) is not None
    ]


def speaks(voice: Voice, language: str | None) -> bool:
    """Whether `voice` speaks `language`, a variety of it, or what it is a variety of."""
    return is_spoken(voice.language, language)


def is_spoken(tag: str, language: str | None) -> bool:
    """Whether a voice of the language `tag` speaks `language`; None is any."""
    return language is None or tag == UNDETERMINED or covers(language, tag) or covers(tag, language)


def _automatic(language: str | None) -> Voice:
    """Choose the best installed voice; English where nobody names a language and there is one."""
    if language is None:
        return _default()
    for wanted in _widening(language):
        for engine in OUR_ENGINES[:-1]:
            if found := _serving(engine, wanted):
                return found
    names = [voice.name for voice, _ in embedded.voices()]
    raise InvalidVoiceError(f"no voice speaks '{language}'{nearest(language, names)}")


def _default() -> Voice:
    root = voices_folder()
    for engine in NEURAL_ENGINES:
        if found := _serving(engine, _DEFAULT_LANGUAGE):
            return found
    for engine in NEURAL_ENGINES:
        if found := _first_whole(engine, _INSTALLED[engine](root)):
            return found
    return embedded.voice(embedded.DEFAULT)


def _of_engine_serving(engine: str, language: str) -> Voice | None:
    with contextlib.suppress(TtsctlError):
        for wanted in _widening(language):
            if found := _serving(engine, wanted):
                return found
    return None


def _serving(engine: str, language: str) -> Voice | None:
    """Return the best voice of the engine that speaks `language`, or None."""
    if engine == "espeak":
        return embedded.serving(language)
    found = _INSTALLED[engine](voices_folder())
    able = [item for item in found if is_spoken(item.language, language)]
    # Of the varieties of a language the one that is its espeak-ng default comes first: en-us of en.
    able.sort(key=lambda item: item.language != embedded.DEFAULT)  # keeps the order otherwise
    return _first_whole(engine, able)


def _first_whole(engine: str, items: Iterable[Item]) -> Voice | None:
    """Return the first voice that can be used: nobody asked for the one that is damaged."""
    for item in items:
        try:
            return _VOICE[engine](voices_folder(), item.name)
        except EngineError as error:
            _warn_once(f"voice '{engine}:{item.name}' is passed over: {error.message}")
    return None


@functools.lru_cache(maxsize=64)
def _warn_once(message: str) -> None:
    """Tell it once a process: `say` looks for its voice twice, at its head start and again."""
    _log.warning(message)


def _widening(language: str) -> list[str]:
    """Return the tag and what it is a variety of: de-AT, de (RFC 4647, section 3.4)."""
    subtags = language.replace("_", "-").split("-")
    return ["-".join(subtags[:count]) for count in range(len(subtags), 0, -1)]


def _of_engine(engine: str, name: str) -> Voice:
    if engine in _VOICE:
        return _VOICE[engine](voices_folder(), name)
    if engine == "espeak":
        return embedded.voice(name)
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


def _bare(name: str) -> Voice:
    """Return the voice of that name, whichever engine has it; the store keeps them unique."""
    root = voices_folder()
    first = name.partition("+")[0].partition("*")[0].strip()
    if kokoro.find(root, first) or known.kokoro_named(first):
        return kokoro.voice(root, name)
    if piper.find(root, name) or known.piper_named(name.partition("#")[0]):
        return piper.voice(root, name)
    try:
        return embedded.voice(name)
    except InvalidVoiceError as error:
        near = nearest(name, [*known.piper_voices(), *known.kokoro_voices()])
        if not near:
            raise
        raise InvalidVoiceError(
            f"voice '{name}' not found{near}; see `ttsctl voices list --all`"
        ) from error


def _tone(name: str) -> Voice:
    if name not in _TONE_NAMES:
        raise InvalidVoiceError(f"voice 'tone:{name}' not found; nearest: tone:sine")
    return Voice("tone", name, UNDETERMINED, "tone 1")


def _neural_entries() -> list[CatalogueEntry]:
    root = voices_folder()
    found: list[Voice] = []
    with contextlib.suppress(NotInstalledError):  # voices that nothing here can phonemise for
        if shared := kokoro.model(root):
            found += (kokoro.single(item, shared) for item in kokoro.installed(root))
        found += [piper.described(item) for item in piper.installed(root)]
    return [CatalogueEntry(voice, known.title_of(voice.language)) for voice in found]


def _espeak_entries() -> list[CatalogueEntry]:
    return [CatalogueEntry(voice, title) for voice, title in embedded.voices()]


def _tone_entries() -> list[CatalogueEntry]:
    return [CatalogueEntry(_tone(name), "test tone") for name in _TONE_NAMES]


def _entry_points() -> dict[str, str]:
    """Return engine name to "distribution version" for the engines of other packages."""
    import importlib.metadata  # noqa: PLC0415 - takes 45 ms, and the embedded voice does without

    found = importlib.metadata.entry_points(group=ENGINE_GROUP)
    return {
        point.name: f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        for point in found
    }

"""The listing of voices: those that are installed, whoever's, and those that could be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from ttsctl.errors import InvalidVoiceError, NotInstalledError, nearest
from ttsctl.speech import Voice
from ttsctl.voices import catalogue, known
from ttsctl.voices.catalogue import CatalogueEntry
from ttsctl.voices.known import KnownItem
from ttsctl.workers.supervisor import Supervisor


@dataclass(frozen=True)
class ListedVoice:
    """A voice as the user sees it in a list."""

    id: str
    language: str
    title: str
    """The language in English."""

    is_installed: bool

    size_bytes: int | None = None
    """What there is to fetch; None where the catalogue does not have the voice."""

    speakers: int = 1


@dataclass(frozen=True)
class VoiceListing:
    """What `ttsctl voices list` shows."""

    entries: list[ListedVoice]

    variants: list[str]
    """What may follow the name of an espeak voice and a plus sign."""


def list_voices(
    engine: str | None = None, language: str | None = None, *, is_all: bool = False
) -> VoiceListing:
    """Return the voices of `engine`, or of all, that speak `language` or a variety of it.

    Args:
        engine: Name of an engine, or None.
        language: BCP 47 tag, or None.
        is_all: Whether to show also what the catalogue knows and is not installed. Reaches for no
            network.

    Raises:
        NotInstalledError: There is no such engine.
        InvalidVoiceError: None speaks `language`, or none is installed.
        EngineError: An engine of another package cannot list its voices.
    """
    engines = _checked_engines(engine)
    present = [*catalogue.installed(), *_foreign_entries(engine, engines)]
    found = _merged(present) if is_all else [_listed(entry) for entry in present]
    entries = [
        entry
        for entry in found
        if _is_shown(entry, engine) and catalogue.is_spoken(entry.language, language)
    ]
    if not entries:
        raise InvalidVoiceError(_nothing(engine, language))
    has_espeak = any(entry.id.startswith("espeak:") for entry in entries)
    return VoiceListing(entries, catalogue.espeak_variants() if has_espeak else [])


def _checked_engines(engine: str | None) -> list[str]:
    engines = catalogue.engines()
    if engine is not None and engine not in engines:
        raise NotInstalledError(
            f"engine '{engine}' is not installed{nearest(engine, engines)};"
            f" installed: {', '.join(engines)}"
        )
    return engines


def _merged(present: list[CatalogueEntry]) -> list[ListedVoice]:
    """Return what is installed and what could be, engine by engine, the best first."""
    listed = {entry.voice.id: _listed(entry) for entry in present}
    for item in _known_items():
        if item.id not in listed:
            listed[item.id] = _known(item, is_installed=False)
    order = {engine: place for place, engine in enumerate(catalogue.OUR_ENGINES)}
    return sorted(listed.values(), key=lambda entry: order.get(entry.id.partition(":")[0], 99))


def _known_items() -> Iterator[KnownItem]:
    yield from known.kokoro_voices().values()
    yield from known.piper_voices().values()


def _known(item: KnownItem, *, is_installed: bool) -> ListedVoice:
    return ListedVoice(
        item.id, item.language, item.title, is_installed, item.size_bytes, item.speakers
    )


def _listed(entry: CatalogueEntry) -> ListedVoice:
    voice = entry.voice
    item = known.known_item(voice.engine, voice.name)
    if item is not None:
        return _known(item, is_installed=True)
    return ListedVoice(voice.id, voice.language, entry.title, True)


def _is_shown(entry: ListedVoice, engine: str | None) -> bool:
    """The tone engine, which is for tests and benchmarks, is shown to whoever names it."""
    own = entry.id.partition(":")[0]
    return own == engine or (engine is None and own != "tone")


def _nothing(engine: str | None, language: str | None) -> str:
    if language is None and engine in catalogue.NEURAL_ENGINES:
        example = "kokoro" if engine == "kokoro" else "en_US-lessac-medium"
        return f"no {engine} voice is installed; run: ttsctl voices get {example}"
    who = f"{engine} voice" if engine else "voice"
    speaks = f" that speaks '{language}'" if language else ""
    return f"there is no {who}{speaks}; see `ttsctl voices list --all`"


def _foreign_entries(engine: str | None, engines: list[str]) -> list[CatalogueEntry]:
    """Ask the engines of other packages, in workers: their code runs nowhere else."""
    foreign = [
        name for name in engines if name not in catalogue.OUR_ENGINES and engine in (None, name)
    ]
    voices: list[Voice] = []
    if foreign:
        with closing(Supervisor()) as supervisor:
            voices = [voice for name in foreign for voice in supervisor.voices(name)]
    return [CatalogueEntry(voice, voice.language) for voice in voices]

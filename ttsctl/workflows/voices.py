"""The listing of voices: those that ship, and those that engines of other packages report."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from ttsctl.errors import InvalidVoiceError, NotInstalledError, nearest
from ttsctl.speech import Voice
from ttsctl.voices import catalogue
from ttsctl.voices.catalogue import CatalogueEntry
from ttsctl.workers.supervisor import Supervisor


@dataclass(frozen=True)
class VoiceListing:
    """What `ttsctl voices list` shows."""

    entries: list[CatalogueEntry]

    variants: list[str]
    """What may follow the name of an espeak voice and a plus sign."""


def list_installed(engine: str | None = None, language: str | None = None) -> VoiceListing:
    """Return the voices of `engine`, or of all, that speak `language` or a variety of it.

    Raises:
        NotInstalledError: There is no such engine.
        InvalidVoiceError: None speaks `language`.
        EngineError: An engine of another package cannot list its voices.
    """
    engines = catalogue.engines()
    if engine is not None and engine not in engines:
        raise NotInstalledError(
            f"engine '{engine}' is not installed{nearest(engine, engines)};"
            f" installed: {', '.join(engines)}"
        )
    entries = [
        entry
        for entry in [*catalogue.installed(), *_foreign_entries(engines)]
        if _is_shown(entry.voice, engine) and catalogue.speaks(entry.voice, language)
    ]
    if not entries:
        raise InvalidVoiceError(f"no voice speaks '{language}'; `ttsctl voices list` has all")
    has_espeak = any(entry.voice.engine == "espeak" for entry in entries)
    return VoiceListing(entries, catalogue.espeak_variants() if has_espeak else [])


def _is_shown(voice: Voice, engine: str | None) -> bool:
    """The tone engine, which is for tests and benchmarks, is shown to whoever names it."""
    return voice.engine == engine or (engine is None and voice.engine != "tone")


def _foreign_entries(engines: list[str]) -> list[CatalogueEntry]:
    """Ask the engines of other packages, in workers: their code runs nowhere else."""
    foreign = [engine for engine in engines if engine not in catalogue.OUR_ENGINES]
    with closing(Supervisor()) as supervisor:
        voices = [voice for engine in foreign for voice in supervisor.voices(engine)]
    return [CatalogueEntry(voice, voice.language) for voice in voices]

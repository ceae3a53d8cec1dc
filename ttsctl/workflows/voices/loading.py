"""The first loading of a voice, by the engine that is to speak it, and what there is then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from ttsctl.speech import Voice
from ttsctl.voices import catalogue, known, shelf
from ttsctl.workers.supervisor import Supervisor

Load = Callable[[Sequence[Voice]], None]
"""Loads voices in their engine, or raises why one cannot be."""


@dataclass(frozen=True)
class InstallReport:
    """What is there now."""

    installed: list[str]
    """The items that are new, as the user writes them: "kokoro:model", "kokoro:af_heart"."""

    already: list[str]
    """Those that were there before, whole."""

    default: str
    """The voice that "auto" now stands for."""


def load_in_worker(voices: Sequence[Voice]) -> None:
    """Load the voices as `say` would, in a process that may die of it."""
    with closing(Supervisor()) as supervisor:
        for voice in voices:
            supervisor.load(voice)


def load_new(ids: Sequence[str], tell: shelf.Tell, load: Load) -> None:
    """Load the voices among the new items; the first loading may prepare or convert a model.

    Raises:
        EngineError: One cannot be loaded.
    """
    voices = [catalogue.resolve(name) for name in ids if name != known.kokoro_model().id]
    if voices:
        tell("loading it for the first time, which may take a minute")
        load(voices)


def report(wanted: Sequence[str], new: Sequence[str]) -> InstallReport:
    """Return what is there now."""
    already = [name for name in wanted if name not in new]
    return InstallReport(list(new), already, catalogue.resolve(catalogue.AUTO).id)

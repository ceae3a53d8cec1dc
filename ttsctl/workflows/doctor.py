"""Looking at the installation: what works, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.opus import load_library
from ttsctl.audio.play import has_output_device
from ttsctl.errors import TtsctlError
from ttsctl.speech import Utterance
from ttsctl.voices import catalogue
from ttsctl.workers.supervisor import Supervisor
from ttsctl.workflows.pool import default_jobs


@dataclass(frozen=True)
class Finding:
    """The state of one thing."""

    name: str

    is_well: bool | None
    """None for something optional that is missing."""

    detail: str

    remedy: str = ""
    """The command, or the step, that mends it."""


def examine(cache_folder: Path, config_file: Path) -> Iterator[Finding]:
    """Yield a finding for each thing that ttsctl stands on. Reaches for no network."""
    yield Finding("python", True, f"{platform.python_version()} on {platform.platform()}")
    for engine in catalogue.engines():
        yield _engine(engine)
    yield _opus()
    yield _device()
    yield _cache(cache_folder)
    exists = "read" if config_file.exists() else "not there, defaults hold"
    yield Finding("config", True, f"{config_file}: {exists}")
    yield Finding("jobs", True, f"batch uses {default_jobs()} of {os.cpu_count()} processors")


def _engine(engine: str) -> Finding:
    """Have the engine say one word, where it has a voice that can be named without asking it."""
    names = {"espeak": "espeak:en-us", "tone": "tone:sine"}
    try:
        with closing(Supervisor()) as supervisor:
            if engine not in names:
                count = len(supervisor.voices(engine))
                return Finding(engine, True, f"{count} voices")
            voice = catalogue.resolve(names[engine])
            clips = list(supervisor.stream(Utterance(("Hello",), voice, voice.language)))
    except TtsctlError as error:
        return Finding(engine, False, error.message, f"reinstall the package of engine '{engine}'")
    duration_s = sum(clip.duration_s for clip in clips)
    return Finding(engine, duration_s > 0, f"{voice.id} says 'Hello' in {duration_s:.2f} s")


def _opus() -> Finding:
    if load_library() is not None:
        return Finding("opus", True, "libopusenc")
    return Finding(
        "opus",
        None,
        "libsndfile, four times slower than libopusenc",
        "apt install libopusenc0, or brew install libopusenc",
    )


def _device() -> Finding:
    if has_output_device():
        return Finding("playback", True, "a sound device is there")
    return Finding("playback", None, "no sound device; `say` writes files instead")


def _cache(folder: Path) -> Finding:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(nearest, os.W_OK):
        return Finding("cache", True, str(folder))
    return Finding("cache", False, f"{folder} cannot be written", "name another by --cache-dir")

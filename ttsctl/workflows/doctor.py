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
from ttsctl.speech import Utterance, Voice
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
    if engine in catalogue.NEURAL_ENGINES:
        return _neural(engine)
    names = {"espeak": "espeak:en-us", "tone": "tone:sine"}
    remedy = f"reinstall the package of engine '{engine}'"
    try:
        if engine in names:
            return _speaks(engine, catalogue.resolve(names[engine]), 0)
        with closing(Supervisor()) as supervisor:
            return Finding(engine, True, f"{len(supervisor.voices(engine))} voices")
    except TtsctlError as error:
        return Finding(engine, False, error.message, remedy)


def _neural(engine: str) -> Finding:
    """Have the best installed voice speak; an engine without voices is no fault."""
    example = "kokoro" if engine == "kokoro" else "en_US-lessac-medium"
    get = f"ttsctl voices get {example}"
    ids = [entry.voice.id for entry in catalogue.installed() if entry.voice.engine == engine]
    if not ids:
        return Finding(engine, None, "no voice is installed", get)
    try:
        return _speaks(engine, catalogue.resolve(ids[0]), len(ids))
    except TtsctlError as error:
        return Finding(engine, False, error.message, f"ttsctl voices show {ids[0]}")


def _speaks(engine: str, voice: Voice, count: int) -> Finding:
    with closing(Supervisor()) as supervisor:
        clips = list(supervisor.stream(Utterance(("Hello",), voice, voice.language)))
    duration_s = sum(clip.duration_s for clip in clips)
    detail = f"{voice.id} says 'Hello' in {duration_s:.2f} s"
    return Finding(engine, duration_s > 0, f"{count} voices; {detail}" if count else detail)


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

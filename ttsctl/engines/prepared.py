"""Graphs made ready for this machine, kept beside the user's cache; safe to delete.

What is prepared holds only for the release of onnxruntime, the processor and the model that it was
made for, so all three are in the name of its folder.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime

from ttsctl.files import locked, sync
from ttsctl.settings import models_folder


def prepared_folder(name: str, fingerprint: str, model: Path) -> Path:
    """Return where the prepared graphs of a model are kept.

    Args:
        name: Of the model, for people who look into the folder.
        fingerprint: Digest of the model, and versions of what prepares it.
        model: The file: its size and time tell a changed one where the digest is not known.
    """
    state = model.stat()
    parts = [fingerprint, str(state.st_size), str(state.st_mtime_ns)]
    parts += [onnxruntime.__version__, processor()]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return models_folder() / f"{name}-{digest[:16]}"


def make_prepared(folder: Path, write: Callable[[Path], None]) -> None:
    """Make `folder`, which appears when it is complete, and remove what an older one of it was.

    Args:
        folder: One that `prepared_folder` named; nothing happens where it exists.
        write: Fills the empty folder that it is given.

    Raises:
        BusyError: Another process is making it.
        OutputError: The folder cannot be written.
        OSError: Likewise, in the middle.
    """
    if (
        folder.exists()
    ):  # before the lock: two that only want to open it are not in each other's way
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f".{folder.name}.lock", "preparation of a voice"):
        if folder.exists():
            return
        for leftover in folder.parent.glob(f".{folder.name}.*.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            write(draft)
            for path in draft.iterdir():  # zeros would load, and be silent
                sync(path)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _remove_older(folder)


@functools.lru_cache(maxsize=1)
def processor() -> str:
    """Return what tells this processor from those that its graphs do not fit."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            # One processor is enough: reading 128 of them takes longer than opening a model.
            flags = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return f"{platform.machine()} {flags}"


def _remove_older(folder: Path) -> None:
    """Remove what was made of the same model for another release or processor."""
    stem = folder.name.rpartition("-")[0]
    for other in folder.parent.glob(f"{stem}-*"):
        if other != folder and other.name.rpartition("-")[0] == stem:
            shutil.rmtree(other, ignore_errors=True)

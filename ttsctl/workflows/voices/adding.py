"""Adding voices that the user has on disk."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ttsctl.errors import InvalidRequestError, InvalidVoiceError, NotInstalledError, TtsctlError
from ttsctl.settings import voices_folder
from ttsctl.voices import embedded, known, kokoro, local, piper, shelf
from ttsctl.voices.local import LocalItem
from ttsctl.workflows.voices.loading import InstallReport, Load, load_in_worker, load_new, report


def add(
    path: Path, name: str | None, tell: shelf.Tell, load: Load = load_in_worker
) -> InstallReport:
    """Copy the voices at `path` into the store, and have them loaded; what fails leaves nothing.

    Raises:
        InvalidRequestError: There is no voice there, or one that is not whole or not safe.
        OutputError: The disk is full, or the folder cannot be written.
        EngineError: The engine cannot load the voice.
    """
    root = voices_folder()
    items = local.look(path, name)
    for item in items:
        _refuse_ambiguous(root, item)
    new: list[str] = []
    try:
        for item in items:
            if local.install(root, item, tell):
                new.append(item.id)  # noqa: PERF401 - must be known when the next one fails
        load_new(new, tell, load)
    except NotInstalledError:
        raise  # nothing is wrong with the voice
    except BaseException:  # an interrupt too: who waits in vain for a voice to load presses Ctrl-C
        _undo(root, new, tell)
        raise
    return report([item.id for item in items], new)


def _undo(root: Path, ids: list[str], tell: shelf.Tell) -> None:
    for name in ids:
        folder = root.joinpath(*name.split(":"))
        # What cannot be removed hides neither the others nor the error that led here.
        with contextlib.suppress(TtsctlError), shelf.held(folder, tell):
            shelf.discard(folder)


def _refuse_ambiguous(root: Path, item: LocalItem) -> None:
    """A bare name means one voice: refuse what another engine calls one of its own."""
    others: dict[str, bool] = {
        "kokoro": bool(kokoro.find(root, item.name) or known.kokoro_named(item.name)),
        "piper": bool(piper.find(root, item.name)),
        "espeak": _is_embedded(item.name),
    }
    for engine, has_it in others.items():
        if has_it and engine != item.engine:
            raise InvalidRequestError(
                f"'{item.name}' is a voice of {engine}; choose another name with --name"
            )


def _is_embedded(name: str) -> bool:
    try:
        embedded.voice(name)
    except (InvalidVoiceError, NotInstalledError):
        return False
    return True

"""Putting voices into the store and taking them out, so that a kill at any point leaves no half.

Files are gathered in a hidden folder beside the item's place, which becomes the item by a rename.
One lock an item keeps two runs from gathering the same voice; it dies with its process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ttsctl.errors import BusyError, OutputError
from ttsctl.files import locked, make_folder, reason, sync
from ttsctl.voices import store
from ttsctl.voices.store import Item

WAIT_S = 1800.0  # a slow download of the largest model
_LEFTOVER = re.compile(r"\.(.+)\.[0-9a-f]{16}\.tmp")

Tell = Callable[[str], None]


@contextlib.contextmanager
def held(folder: Path, tell: Tell, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of the item in `folder`, waiting for another run that has it.

    Raises:
        BusyError: The other run took longer than `wait_s`.
        OutputError: The folder of the voices cannot be written.
    """
    make_folder(folder.parent)
    with _lock(folder, wait_s=wait_s, on_wait=tell):
        yield


@contextlib.contextmanager
def gathering(folder: Path) -> Iterator[Path]:
    """Yield an empty hidden folder in which to gather the files of the item in `folder`.

    It is gone after the block, unless `place` made it the item. The lock is held.
    """
    temporary = folder.parent / f".{folder.name}.{os.urandom(8).hex()}.tmp"
    try:
        temporary.mkdir(mode=0o755)
        yield temporary
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def place(gathered: Path, item: Item) -> Item:
    """Make the gathered files the item in `item.folder`, whose `files` are still to be filled in.

    Raises:
        OutputError: The disk is full, or the folder cannot be written.
    """
    try:
        files = {path.name: store.record_of(path) for path in sorted(gathered.iterdir())}
        for name in files:
            sync(gathered / name)
        placed = item._replace(files=files)
        store.write_record(placed._replace(folder=gathered))
        if item.folder.exists():  # what is left of an item: one with a record would have been found
            shutil.rmtree(item.folder)
        gathered.rename(item.folder)
        sync(item.folder.parent)
    except OSError as error:
        raise OutputError(f"cannot write {item.folder}: {reason(error)}") from error
    return placed


def discard(folder: Path) -> None:
    """Remove the item in `folder`; the lock is held.

    Raises:
        OutputError: The folder cannot be written.
    """
    try:
        (folder / store.RECORD).unlink(missing_ok=True)
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"cannot remove {folder}: {reason(error)}") from error


def remove_leftovers(held_folder: Path) -> None:
    """Remove what killed runs left beside an item, whose lock is held, except where one is at work.

    A run that is at work has the lock of what it gathers.
    """
    with contextlib.suppress(OSError):
        for path in held_folder.parent.iterdir():
            if found := _LEFTOVER.fullmatch(path.name):
                is_own = found[1] == held_folder.name
                lock = contextlib.nullcontext() if is_own else _lock(path.with_name(found[1]))
                with contextlib.suppress(BusyError), lock:
                    shutil.rmtree(path, ignore_errors=True)


def need_space(folder: Path, size_bytes: int, free_bytes: Callable[[Path], int]) -> None:
    """Make sure that `size_bytes` fit on the disk of `folder`, which exists.

    Raises:
        OutputError: They do not.
    """
    free = free_bytes(folder)
    if free < size_bytes:
        raise OutputError(
            f"no space for {size_bytes / 1e6:.0f} MB in {folder}: {free / 1e6:.0f} MB are free"
        )


def free_bytes(folder: Path) -> int:
    """Return the free space on the disk of `folder`."""
    return shutil.disk_usage(folder).free


def _lock(
    folder: Path, *, wait_s: float = 0.0, on_wait: Tell | None = None
) -> contextlib.AbstractContextManager[None]:
    path = folder.parent / f".{folder.name}.lock"
    return locked(path, f"installation of '{folder.name}'", wait_s=wait_s, on_wait=on_wait)

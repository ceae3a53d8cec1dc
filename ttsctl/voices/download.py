"""Fetching a known voice: verified, resumable, and never half there.

A file gets its name only after its size and its digests are right: those of the catalogue, and the
one that the hub states.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ttsctl.errors import ModelNotFoundError
from ttsctl.files import make_folder
from ttsctl.voices import hub, shelf, store
from ttsctl.voices.hub import HubFile, Stated
from ttsctl.voices.known import KnownFile, KnownItem
from ttsctl.voices.store import Item

PARTS = ".downloads"  # folder of what is still being fetched, below the root of the store
PART_LIFE_S = 7 * 86_400  # after which nobody will go on with it

_SHA256, _GIT_SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")

OnProgress = Callable[[KnownFile, int], None]
"""Called with a file and how many of its bytes are here."""


@dataclass(frozen=True)
class Means:
    """How a download meets the world outside."""

    tell: shelf.Tell
    """Called with what the user should know."""

    on_progress: OnProgress
    free_bytes: Callable[[Path], int] = shelf.free_bytes
    sleep: Callable[[float], None] = time.sleep


def get(root: Path, item: KnownItem, means: Means) -> bool:
    """Fetch `item` into the store; returns False where it is there and whole.

    Raises:
        ModelNotFoundError: The hub cannot be reached, or what it has is not what it should be.
        OutputError: The disk is full, or the store cannot be written.
        BusyError: Another run has been fetching this voice for very long.
    """
    folder = root / item.engine / item.name
    with shelf.held(folder, means.tell):
        shelf.remove_leftovers(folder)
        present = store.read(folder)
        if present and present.source == item.source and store.is_whole(present):
            return False
        if present and present.source == store.LOCAL:
            means.tell(f"replacing the voice that was added as {item.id}")
        parts = _parts_folder(root)
        shelf.need_space(parts, item.size_bytes - _fetched(parts, item), means.free_bytes)
        with shelf.gathering(folder) as gathered:
            for file in item.files:
                _fetch(item, file, parts / _part_name(item, file), gathered / file.name, means)
            shelf.discard(folder)  # what is left there was altered, or is no item
            placed = Item(folder, item.source, item.language, item.quality, {})
            shelf.place(gathered, placed)
    return True


def _fetch(item: KnownItem, file: KnownFile, part: Path, target: Path, means: Means) -> None:
    repository, _, revision = item.source.partition("@")
    wanted = HubFile(repository, revision, file.path)
    facts = hub.stated(wanted, sleep=means.sleep)
    _check_stated(file, facts)
    if not _take_cached(wanted, file, facts, target):
        hub.download(
            wanted,
            facts,
            part,
            lambda size_bytes: means.on_progress(file, size_bytes),
            sleep=means.sleep,
        )
        if problem := _problem(part, file, facts):
            part.unlink()
            raise ModelNotFoundError(f"{file.path} came wrong: {problem}; run the command again")
        part.rename(target)
    means.on_progress(file, target.stat().st_size)


def _check_stated(file: KnownFile, facts: Stated) -> None:
    """Make sure that there is a digest to hold the file against, before any byte of it moves."""
    if file.sha256 and _SHA256.fullmatch(facts.digest) and facts.digest != file.sha256:
        raise ModelNotFoundError(
            f"the hub has another {file.path} than this ttsctl knows; update ttsctl,"
            " or check HF_ENDPOINT"
        )
    is_stated = _SHA256.fullmatch(facts.digest) or _GIT_SHA1.fullmatch(facts.digest)
    if not (is_stated or file.sha256 or file.md5):
        raise ModelNotFoundError(f"the hub states no digest of {file.path}; check HF_ENDPOINT")


def _problem(path: Path, file: KnownFile, facts: Stated) -> str:
    """Return what is wrong with a file that was fetched, or nothing."""
    size_bytes = path.stat().st_size
    for wanted_bytes in (file.size_bytes, facts.size_bytes):
        if wanted_bytes is not None and size_bytes != wanted_bytes:
            return f"{size_bytes} bytes instead of {wanted_bytes}"
    if file.md5 and store.digest(path, "md5") != file.md5:
        return "its MD5 is not the catalogue's"
    if file.sha256 and store.digest(path, "sha256") != file.sha256:
        return "its SHA-256 is not the catalogue's"
    if _SHA256.fullmatch(facts.digest) and store.digest(path, "sha256") != facts.digest:
        return "its SHA-256 is not the hub's"
    # Git names a file by the SHA-1 of its content behind a header (git-hash-object).
    header = f"blob {size_bytes}\0".encode()
    if _GIT_SHA1.fullmatch(facts.digest) and store.digest(path, "sha1", header) != facts.digest:
        return "its git digest is not the hub's"
    return ""


def _take_cached(wanted: HubFile, file: KnownFile, facts: Stated, target: Path) -> bool:
    """Link or copy the file from the hub's cache, if that has it as it should be."""
    local = hub.cached(wanted)
    if local is None or _problem(local, file, facts):
        return False
    try:
        os.link(local.resolve(), target)
    except OSError:  # on another disk
        shutil.copyfile(local, target)
    return True


def _parts_folder(root: Path) -> Path:
    """Return the folder of unfinished downloads, rid of those that nobody went on with."""
    folder = root / PARTS
    make_folder(folder)
    oldest_s = time.time() - PART_LIFE_S
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest_s:
                path.unlink()
    return folder


def _fetched(parts: Path, item: KnownItem) -> int:
    """Return how many bytes of the item earlier runs have fetched."""
    found = (parts / _part_name(item, file) for file in item.files)
    return sum(path.stat().st_size for path in found if path.exists())


def _part_name(item: KnownItem, file: KnownFile) -> str:
    """Return a name that only this content has: an older half is not gone on with."""
    digest = file.sha256 or file.md5 or "any"
    return f"{item.name}.{file.name}.{digest[:16]}.part"

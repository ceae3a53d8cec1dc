"""The installed voices on disk: what is there, and whether it is still what was installed.

An item is a folder below the folder of its engine. It exists if and only if its `installed.json`
does, which is written last and removed first, and which records the SHA-256 of every file.

The values are tuples: a frozen dataclass takes 1 ms to define, and `say` waits for this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from ttsctl.errors import ModelNotFoundError, OutputError
from ttsctl.files import write_whole

RECORD = "installed.json"
LOCAL = "local"  # the source of a voice that did not come from the hub
SCHEMA = 1

_BLOCK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileRecord(NamedTuple):
    """What a file was when it was verified."""

    size_bytes: int
    sha256: str
    mtime_ns: int


class Item(NamedTuple):
    """An installed voice, or the model that Kokoro voices share."""

    folder: Path

    source: str
    """ "owner/name@revision", or "local"."""

    language: str
    """BCP 47 tag."""

    quality: str
    """Of Piper: high, medium, low or x_low; empty where nobody said."""

    files: dict[str, FileRecord]

    @property
    def name(self) -> str:
        """Name of the folder, which is that of the voice."""
        return self.folder.name

    @property
    def size_bytes(self) -> int:
        """Size of the files together."""
        return sum(file.size_bytes for file in self.files.values())

    @property
    def remedy(self) -> str:
        """The command that brings the item back."""
        engine, name = self.folder.parent.name, self.name
        again = engine if (engine, name) == ("kokoro", "model") else f"{engine}:{name}"
        return f"ttsctl voices {'add PATH' if self.source == LOCAL else f'get {again}'}"


def read(folder: Path) -> Item | None:
    """Return the item in `folder`, or None where there is none, or none that can be read."""
    try:
        found = json.loads((folder / RECORD).read_bytes())
        files = {name: FileRecord(**fields) for name, fields in found["files"].items()}
        item = Item(folder, found["source"], found["language"], found["quality"], files)
        return item if found["schema"] == SCHEMA and _is_sound(item) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def find(engine_folder: Path, name: str) -> Item | None:
    """Return the item called `name`, which may be anything that a user types, or None."""
    return read(engine_folder / name) if _is_plain(name) else None


def items(folder: Path) -> list[Item]:
    """Return the items below the folder of an engine, by name."""
    try:
        names = sorted(name for name in os.listdir(folder) if _is_plain(name))
    except OSError:
        return []
    return [item for name in names if (item := read(folder / name)) is not None]


def check(item: Item, *, is_thorough: bool = False) -> None:
    """Make sure that the files are what was installed.

    A file of the recorded size and time is taken to be; any other is read again, and where its
    content is right the new time is recorded.

    Args:
        item: The item as `read` returned it.
        is_thorough: Whether to read every file, whatever its time.

    Raises:
        ModelNotFoundError: A file is missing or was altered.
    """
    renewed = {
        name: _checked(item, item.folder / name, record, is_thorough=is_thorough)
        for name, record in item.files.items()
    }
    if renewed != item.files:
        with contextlib.suppress(OutputError):  # a read-only folder: it costs time, nothing else
            write_record(item._replace(files=renewed))


def is_whole(item: Item) -> bool:
    """Whether every file is what was installed; each is read."""
    try:
        check(item, is_thorough=True)
    except ModelNotFoundError:
        return False
    return True


def write_record(item: Item) -> None:
    """Write what makes the folder an item."""
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "source": item.source,
        "language": item.language,
        "quality": item.quality,
        "files": {name: record._asdict() for name, record in item.files.items()},
    }
    write_whole(item.folder / RECORD, [json.dumps(fields, indent=1).encode()], replace=True)


def record_of(path: Path) -> FileRecord:
    """Return what the file is now."""
    facts = path.stat()
    return FileRecord(facts.st_size, digest(path, "sha256"), facts.st_mtime_ns)


def digest(path: Path, algorithm: str, prefix: bytes = b"") -> str:
    """Return the hexadecimal digest of `prefix` and the file's content."""
    state = hashlib.new(algorithm, prefix, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def short_digests(item: Item) -> str:
    """Return the beginnings of the digests of files, in order of their names, for a fingerprint."""
    return " ".join(item.files[name].sha256[:16] for name in sorted(item.files))


def _is_plain(name: str) -> bool:
    """Whether it names something in a folder, and nothing elsewhere; surrogates do not print."""
    is_inside = not name.startswith(".") and not {"/", "\\"} & set(name)
    return bool(name) and is_inside and name.isprintable()


def _is_sound(item: Item) -> bool:
    """Whether a record says what a record may say; anybody may have written the file."""
    texts = (item.source, item.language, item.quality)
    return (
        all(isinstance(text, str) and text.isprintable() for text in texts)
        and bool(item.files)
        and all(_is_plain(name) and _is_record(record) for name, record in item.files.items())
    )


def _is_record(record: FileRecord) -> bool:
    numbers = (record.size_bytes, record.mtime_ns)
    return all(type(number) is int for number in numbers) and bool(_SHA256.fullmatch(record.sha256))


def _checked(item: Item, path: Path, record: FileRecord, *, is_thorough: bool) -> FileRecord:
    try:
        facts = path.stat()
        is_as_recorded = (facts.st_size, facts.st_mtime_ns) == (record.size_bytes, record.mtime_ns)
        if is_as_recorded and not is_thorough:
            return record
        if facts.st_size == record.size_bytes and digest(path, "sha256") == record.sha256:
            return record._replace(mtime_ns=facts.st_mtime_ns)
    except OSError as error:
        raise ModelNotFoundError(f"{path} is missing or unreadable; run: {item.remedy}") from error
    raise ModelNotFoundError(f"{path} was altered since it was installed; run: {item.remedy}")

"""What has been made in an output folder: `.ttsctl/journal.jsonl`.

Append-only, and on the disk before it is relied upon; the latest line of a file wins. Before a run
makes anything it says which files it will make, so that a file whose maker was killed before it
could say so is known for ours. Only a line that says so makes an item done; one torn by a kill is
skipped, and the item is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ttsctl.errors import OutputError
from ttsctl.files import locked, reason
from ttsctl.workflows.batch.items import Item, Outcome, State
from ttsctl.workflows.speech_log import Unit

PRIVATE_FOLDER = ".ttsctl"
_FINISHED = ("done", "cached")
# What the same text would meet again; a voice that is missing or a full disk may be mended.
_LASTING = ("TTS_ENGINE_FAILED", "TTS_ENGINE_CRASHED", "TTS_TIMEOUT")


@dataclass(frozen=True)
class Made:
    """A file that an earlier run made."""

    key: str
    size_bytes: int
    duration_s: float
    digest: str
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True)
class Failure:
    """That an item failed in an earlier run, for reasons of its own."""

    key: str
    state: State
    code: str
    message: str


class Journal:
    """The journal of one output folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / PRIVATE_FOLDER / "journal.jsonl"
        self._files: dict[str, Made | Failure | None] = {}
        with _translated_errors(folder, "read"):
            for fields in _read(self._path):
                name, made = _entry(fields)
                self._files[name] = made

    def made(self, item: Item) -> Made | None:
        """Return what an earlier run made of `item`, if of the same request and still whole."""
        made = self._files.get(item.file)
        if not isinstance(made, Made) or made.key != item.key:
            return None
        try:
            size_bytes = os.stat(self._path_of(item.file)).st_size
        except OSError:
            return None
        return made if size_bytes == made.size_bytes else None

    def failure(self, item: Item) -> Failure | None:
        """Return how an earlier run failed on `item`, if it would do so again."""
        failure = self._files.get(item.file)
        return failure if isinstance(failure, Failure) and failure.key == item.key else None

    def others(self, wanted: Container[str]) -> list[str]:
        """Return the files of earlier runs that are still there and not among those `wanted`."""
        unwanted = (name for name in self._files if name not in wanted)
        return sorted(name for name in unwanted if os.path.isfile(self._path_of(name)))

    def is_foreign(self, name: str) -> bool:
        """Whether there is a file called `name` that no run has made, or begun."""
        return name not in self._files and os.path.exists(self._path_of(name))

    def _path_of(self, name: str) -> str:
        # A Path of each of a hundred thousand would take a second to make.
        return f"{self._folder}/{name}"

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Hold the folder's lock and record what happens in it; makes the folder.

        Raises:
            BusyError: Another run works in this folder.
            OutputError: The folder cannot be made or written.
        """
        with _translated_errors(self._folder):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._path.parent / "lock", f"batch in {self._folder}"):
            with _translated_errors(self._folder):
                is_torn = _is_torn(self._path)
                # Unbuffered: closing it must not try once more what a full disk refused.
                stream = self._path.open("ab", buffering=0)
            with stream:
                yield Recorder(stream, self._folder, is_torn=is_torn)
                with _translated_errors(self._folder):
                    os.fsync(stream.fileno())


class Recorder:
    """Writes to an open journal."""

    def __init__(self, stream: IO[bytes], folder: Path, *, is_torn: bool) -> None:
        self._stream = stream
        self._folder = folder
        if is_torn:
            self._write([b"\n"])

    def announce(self, names: Iterable[str]) -> None:
        """Say which files are about to be made; what was made of them before counts no more."""
        self._write(_line({"state": "begun", "file": name}) for name in names)

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Say what became of items; on the disk when this returns."""
        self._write(_line(_fields(outcome)) for outcome in outcomes)
        with _translated_errors(self._folder):
            os.fsync(self._stream.fileno())

    def _write(self, lines: Iterable[bytes]) -> None:
        with _translated_errors(self._folder):
            data = memoryview(b"".join(lines))
            while data:
                data = data[self._stream.write(data) :]


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that are whole and name a file."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            if isinstance(fields, dict) and isinstance(fields.get("file"), str):
                yield fields


def _fields(outcome: Outcome) -> dict[str, Any]:
    """Return the line of an outcome, which has a file and a key also where nothing was made."""
    if outcome.state in _FINISHED:
        # Times are as exact as they are: a later run places the item by them, to the sample.
        units = [[unit.text, unit.start_s, unit.end_s] for unit in outcome.units]
        return outcome.fields() | {"duration_s": outcome.duration_s, "units": units}
    return outcome.fields() | {"file": outcome.item.file, "key": outcome.item.key}


def _entry(fields: dict[str, Any]) -> tuple[str, Made | Failure | None]:
    name: str = fields["file"]
    try:
        if fields["state"] in _FINISHED:
            size_bytes, duration_s = int(fields["bytes"]), float(fields["duration_s"])
            units = tuple(Unit(str(text), float(a), float(b)) for text, a, b in fields["units"])
            return name, Made(fields["key"], size_bytes, duration_s, str(fields["sha256"]), units)
        if fields["state"] == "quarantined" or fields["error"]["code"] in _LASTING:
            error = fields["error"]
            return name, Failure(
                fields["key"], fields["state"], str(error["code"]), str(error["message"])
            )
    except (ValueError, KeyError, TypeError):
        pass  # not a line of ours, or of another release
    return name, None


def _is_torn(path: Path) -> bool:
    """Whether the last line was cut short."""
    if not path.exists():
        return False
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        return stream.read(1) not in (b"", b"\n")


@contextmanager
def _translated_errors(folder: Path, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot {verb} in {folder}: {reason(error)}") from error

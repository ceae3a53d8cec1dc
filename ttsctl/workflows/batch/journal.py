"""What has been made in an output folder: `.ttsctl/journal.jsonl`, one line an item that ended.

Append-only; the latest line of a file wins. A line torn by a kill is skipped, so the item that it
told of is made again, never taken for done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ttsctl.errors import OutputError
from ttsctl.files import locked, reason
from ttsctl.workflows.batch.items import Item, Outcome

PRIVATE_FOLDER = ".ttsctl"
_FINISHED = ("done", "cached")


@dataclass(frozen=True)
class Made:
    """A file that an earlier run made."""

    key: str
    size_bytes: int
    duration_s: float


class Journal:
    """The journal of one output folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / PRIVATE_FOLDER / "journal.jsonl"
        self._made = dict(_read(self._path))

    def knows(self, name: str) -> bool:
        """Whether the file called `name` was made by an earlier run."""
        return name in self._made

    def made(self, item: Item) -> Made | None:
        """Return what an earlier run made of `item`, if of the same request and still whole."""
        made = self._made.get(item.file)
        if made is None or made.key != item.key:
            return None
        try:
            size_bytes = (self._folder / item.file).stat().st_size
        except OSError:
            return None
        return made if size_bytes == made.size_bytes else None

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Hold the folder's lock and record outcomes.

        Raises:
            BusyError: Another run works in this folder.
            OutputError: The folder cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with (
                locked(self._path.parent / "lock", f"batch in {self._folder}"),
                self._path.open("ab") as stream,
            ):
                yield Recorder(stream.fileno(), is_torn=_is_torn(self._path))
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"cannot write in {self._folder}: {reason(error)}") from error


class Recorder:
    """Writes outcomes to an open journal, each line in one piece."""

    def __init__(self, descriptor: int, *, is_torn: bool) -> None:
        self._descriptor = descriptor
        if is_torn:
            os.write(descriptor, b"\n")

    def record(self, outcome: Outcome) -> None:
        """Append `outcome`."""
        line = json.dumps(outcome.fields(), ensure_ascii=False) + "\n"
        os.write(self._descriptor, line.encode())


def _read(path: Path) -> Iterator[tuple[str, Made]]:
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                fields = json.loads(line)
                if fields["state"] in _FINISHED:
                    made = Made(fields["key"], int(fields["bytes"]), float(fields["duration_s"]))
                    yield str(fields["file"]), made
            except (ValueError, KeyError, TypeError):
                continue


def _is_torn(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"

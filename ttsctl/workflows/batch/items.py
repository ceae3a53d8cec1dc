"""The values of a batch: what is to be made, what became of it, and the sum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

from ttsctl.audio.formats import Encoding
from ttsctl.speech import Voice
from ttsctl.text.rows import Row
from ttsctl.workflows.plan import Manner
from ttsctl.workflows.speech_log import Unit

State = Literal["done", "cached", "empty", "failed", "quarantined", "skipped"]
RESULTS_FILE = "results.jsonl"  # beside the files: one line an item, in input order

STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Item:
    """One row of an input and the file that it becomes."""

    index: int
    """Place among the items, from 1."""

    source: str
    """The input that it comes from, as the user named it."""

    row: Row

    file: str
    """Path of the file below the output folder; empty where there is nothing to speak."""

    key: str
    """Digest of everything that decides the file's content."""

    manner: Manner
    encoding: Encoding

    @property
    def id(self) -> str:
        """What the item is called in the journal and the results."""
        return self.row.id or str(self.index)

    @property
    def voice(self) -> Voice:
        """The voice that was asked for."""
        return self.manner.voice

    @property
    def slot_s(self) -> float | None:
        """Seconds that a timed row has; None for as many as it takes."""
        if self.row.start_s is None or self.row.end_s is None:
            return None
        return self.row.end_s - self.row.start_s

    def overrun_s(self, duration_s: float) -> float:
        """Return by how many seconds speech of `duration_s` is longer than the row's time."""
        return 0.0 if self.slot_s is None else max(0.0, duration_s - self.slot_s)

    @property
    def place(self) -> str:
        """Where it stands, for a message."""
        return place_of(self.source, self.row.line)


@dataclass(frozen=True)
class Problem:
    """A row that is wrong, and why."""

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{place_of(self.source, self.line)}: {self.message}"


def place_of(source: str, line: int) -> str:
    """Return where a row stands, for a message; 0 is for inputs that have no lines."""
    return f"{source} line {line}" if line else source


@dataclass(frozen=True)
class Outcome:
    """What became of an item."""

    item: Item
    state: State
    size_bytes: int = 0
    duration_s: float = 0.0

    digest: str = ""
    """SHA-256 of the file in hexadecimal; empty where none was made."""

    cache: str = "miss"

    units: tuple[Unit, ...] = ()
    """What was said when; empty where the cache had the finished file."""

    overrun_s: float = 0.0
    """By how many seconds a timed row is longer than the time it has."""

    spoken_by: Voice | None = None
    """The voice that spoke; None for the one that was asked for."""

    error_code: str | None = None
    error: str | None = None

    def fields(self) -> dict[str, object]:
        """Return the line for `results.jsonl` and the journal."""
        voice = self.spoken_by or self.item.voice
        made = self.state in ("done", "cached", "skipped")
        return {
            "id": self.item.id,
            "source": self.item.source,
            "line": self.item.row.line,
            "state": self.state,
            "file": self.item.file if made else None,
            "bytes": self.size_bytes,
            "sha256": self.digest or None,
            "duration_s": round(self.duration_s, 6),
            "engine": voice.engine,
            "voice": voice.id,
            "cache": self.cache if made else None,
            **({"overrun_s": round(self.overrun_s, 3)} if self.overrun_s else {}),
            # What another voice spoke is not what was asked for: the next run asks again.
            "key": self.item.key if voice == self.item.voice else None,
            "error": self.error_code and {"code": self.error_code, "message": self.error},
        }


@dataclass
class BatchReport:
    """The sum of a run; the counts of the states add up to `total`."""

    total: int
    jobs: int
    counts: Counter[State] = field(default_factory=Counter)

    audio_s: float = 0.0
    """Seconds of speech that this run wrote; what was there already is not counted."""

    wall_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether no item failed."""
        return not (self.counts["failed"] or self.counts["quarantined"])

    outcomes: list[Outcome] = field(default_factory=list)
    """What became of each item, in the order of the input."""

    def count(self, outcome: Outcome) -> None:
        """Add `outcome` to the sum."""
        self.counts[outcome.state] += 1
        if outcome.state != "skipped":
            self.audio_s += outcome.duration_s

    def fields(self) -> dict[str, object]:
        """Return the JSON object of `batch --json`."""
        return {
            "ok": self.is_complete,
            "total": self.total,
            **{state: self.counts[state] for state in STATES},
            "audio_s": round(self.audio_s, 3),
            "wall_s": round(self.wall_s, 3),
            "x_realtime": round(self.audio_s / self.wall_s, 1) if self.wall_s else 0.0,
            "jobs": self.jobs,
        }

"""What an input says is to be spoken: texts in order, and what is wrong where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One text, and how its input wants it spoken; None is what the input leaves open."""

    line: int
    """Line of the input that it begins on, from 1; 0 where the format has no lines."""

    text: str
    """As it was written, which may be nothing; markup and line breaks of the format are gone."""

    id: str | None = None
    voice: str | None = None

    speed: float | None = None
    """Multiplier in [0.25, 4]; 2.0 halves the duration."""

    language: str | None = None
    """BCP 47 tag, as it was written."""

    format: str | None = None

    output_file: str | None = None
    """Unchecked: it may be absolute, or lead anywhere."""

    speaker: str | None = None
    """Name or number of a speaker of the voice."""

    start_s: float | None = None
    """Seconds from the beginning of the film at which a cue is to be heard."""

    end_s: float | None = None
    """Later than `start_s`, and not later than the next cue's."""

    chapter: str | None = None
    """Title of the chapter that it stands in."""


@dataclass(frozen=True)
class RowError:
    """One row that cannot be used; those behind it can."""

    line: int
    """As in `Row`."""

    message: str
    """What is wrong, without the source and the line."""


Rows = Iterator[Row | RowError]

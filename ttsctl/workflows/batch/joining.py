"""The items of a batch as one file, in the order of the input, and what is said in it when.

A row with a time of its own is heard then, or as soon as the one before has ended; the others
follow one another with a pause.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.chapters import Chapter, encode_joined
from ttsctl.audio.encode import at_rate, head_of_file
from ttsctl.audio.formats import Encoding
from ttsctl.audio.m4b import DEFAULT_BITRATE_BPS, write_m4b
from ttsctl.audio.subtitles import Cue, SubtitleFormat, subtitles
from ttsctl.audio.wav import read_wav_clips
from ttsctl.files import write_whole
from ttsctl.speech import Clip, silence
from ttsctl.workflows.batch.items import Outcome


@dataclass(frozen=True)
class Placed:
    """An item and where it begins in the whole."""

    outcome: Outcome
    start_s: float

    @property
    def end_s(self) -> float:
        """When its last sample has sounded."""
        return self.start_s + self.outcome.duration_s


def place(outcomes: Sequence[Outcome]) -> list[Placed]:
    """Return the items that were made, each with its place in time."""
    placed: list[Placed] = []
    for outcome in outcomes:
        if outcome.state not in ("done", "cached", "skipped"):
            continue
        end_s = placed[-1].end_s if placed else 0.0
        pause_s = outcome.item.manner.pause_s("paragraph") if placed else 0.0
        wanted_s = outcome.item.row.start_s
        start_s = end_s + pause_s if wanted_s is None else max(end_s, wanted_s)
        placed.append(Placed(outcome, start_s))
    return placed


def chapters(placed: Sequence[Placed]) -> list[Chapter]:
    """Return a chapter for each run of rows that name the same one."""
    found: list[Chapter] = []
    for each in placed:
        title = each.outcome.item.row.chapter
        if title is not None and (not found or found[-1].title != title):
            found.append(Chapter(title, each.start_s))
    return found


def join_items(
    placed: Sequence[Placed], folder: Path, path: Path, encoding: Encoding | None
) -> None:
    """Write the items, which are WAV files in `folder`, to `path` as one file.

    Args:
        placed: The items in order; at least one.
        folder: Where their files are.
        path: The file to write, replaced if it exists.
        encoding: How to write it; None for an audio book in M4B.

    Raises:
        OutputError: A file cannot be read or written, or ffmpeg is missing.
    """
    clips, title = _clips(placed, folder), path.stem
    if encoding is None:
        write_m4b(path, clips, chapters(placed), title, DEFAULT_BITRATE_BPS)
        return
    blocks = encode_joined(clips, encoding, chapters(placed), title)
    write_whole(path, blocks, replace=True, head=head_of_file(encoding))


def cues(placed: Sequence[Placed]) -> Iterator[Cue]:
    """Yield what is said when, utterance by utterance where that is known."""
    for each in placed:
        if not each.outcome.units:
            yield Cue(each.start_s, each.end_s, each.outcome.item.row.text)
        for unit in each.outcome.units:
            yield Cue(each.start_s + unit.start_s, each.start_s + unit.end_s, unit.text)


def write_subtitles(placed: Sequence[Placed], path: Path, format: SubtitleFormat) -> None:
    """Write what is said when to `path`, which is replaced if it exists."""
    pieces = (piece.encode() for piece in subtitles(cues(placed), format))
    write_whole(path, pieces, replace=True)


def _clips(placed: Sequence[Placed], folder: Path) -> Iterator[Clip]:
    """Yield the sound of all, with the silence between, at the rate of the first."""
    sample_rate = heard = 0
    for each in placed:
        clips = read_wav_clips(folder / each.outcome.item.file)
        first = next(clips)
        sample_rate = sample_rate or first.sample_rate
        gap_s = each.start_s - heard / sample_rate
        if gap_s > 0:
            gap = silence(gap_s, sample_rate)
            heard += gap.frames
            yield gap
        for clip in _at_rate(sample_rate, first, clips):
            heard += clip.frames
            yield clip


def _at_rate(sample_rate: int, first: Clip, rest: Iterator[Clip]) -> Iterator[Clip]:
    if first.sample_rate != sample_rate:
        return at_rate(first, rest, sample_rate)
    return itertools.chain([first], rest)

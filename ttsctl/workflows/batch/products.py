"""What is made of the items of a batch once they are all there: one file, subtitles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.formats import Encoding
from ttsctl.audio.subtitles import SubtitleFormat
from ttsctl.workflows.batch.items import Outcome
from ttsctl.workflows.batch.joining import Placed, join_items, place, write_subtitles


@dataclass(frozen=True)
class Products:
    """What the user wants of the items."""

    join: Path | None
    """One file of all items; None for none."""

    encoding: Encoding | None
    """How to write it; None for an audio book in M4B."""

    subtitles: SubtitleFormat | None

    def files(self) -> list[Path]:
        """Return the files that stand outside of the items' own names."""
        if self.join is None:
            return []
        beside = [self.join.with_suffix(f".{self.subtitles}")] if self.subtitles else []
        return [self.join, *beside]


def make_products(products: Products, outcomes: Sequence[Outcome], folder: Path) -> list[Path]:
    """Make what is wanted of the items in `folder`, and return the files.

    Subtitles stand beside the joined file, or else beside each item's own.

    Raises:
        OutputError: A file cannot be read or written, or ffmpeg is missing.
    """
    placed = place(outcomes)
    if not placed:
        return []
    if products.join is not None:
        join_items(placed, folder, products.join, products.encoding)
        if products.subtitles:
            write_subtitles(placed, products.files()[1], products.subtitles)
        return products.files()
    made = []
    for each in placed if products.subtitles else ():
        path = (folder / each.outcome.item.file).with_suffix(f".{products.subtitles}")
        write_subtitles([Placed(each.outcome, 0.0)], path, products.subtitles or "srt")
        made.append(path)
    return made

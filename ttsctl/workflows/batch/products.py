"""What is made of the items of a batch once they are all there: one file, subtitles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.ffmpeg import find_ffmpeg
from ttsctl.audio.formats import Encoding
from ttsctl.audio.subtitles import SubtitleFormat
from ttsctl.errors import InvalidRequestError, OutputError
from ttsctl.workflows.batch.items import Outcome
from ttsctl.workflows.batch.joining import Placed, join_items, place, write_subtitles
from ttsctl.workflows.batch.planning import BatchPlan


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
        return [self.join, self.beside(self.join)] if self.subtitles else [self.join]

    def check(self, batch: BatchPlan, folder: Path, inputs: Iterable[Path]) -> None:
        """Stop before work where a product would take the place of an item or of an input.

        Raises:
            InvalidRequestError: It would, or two items would have the same subtitles.
            OutputError: The folder of the joined file is missing, or ffmpeg is.
        """
        if self.join is not None:
            self._check_join(self.join, folder)
        items = [*batch.tasks, *(outcome.item for outcome in batch.settled)]
        # Resolved once: a hundred thousand names would take seconds.
        root = folder.resolve()
        files = [root / item.file for item in items if item.file]
        products = [path.resolve() for path in self.files()]
        if self.join is None and self.subtitles:
            products = [self.beside(file) for file in files]
        taken = {*files, *(path.resolve() for path in inputs)} if products else set()
        for path in products:
            if path in taken:
                raise InvalidRequestError(f"{path} would replace an input, or what an item becomes")
            taken.add(path)

    def _check_join(self, join: Path, folder: Path) -> None:
        if self.encoding is None:
            find_ffmpeg()
        home = join.resolve().parent
        if not home.is_dir() and home != folder.resolve():  # that one is made
            raise OutputError(f"cannot write {join}: its folder does not exist")

    def beside(self, path: Path) -> Path:
        """Return the path of the subtitles of the sound in `path`."""
        return path.with_suffix(f".{self.subtitles}")


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
        path = products.beside(folder / each.outcome.item.file)
        write_subtitles([Placed(each.outcome, 0.0)], path, products.subtitles or "srt")
        made.append(path)
    return made

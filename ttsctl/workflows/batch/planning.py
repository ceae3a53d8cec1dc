"""What a batch will do, decided before it does anything: this is what `--dry-run` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ttsctl.audio.formats import Encoding
from ttsctl.cache.key import derived_key
from ttsctl.errors import EngineError, InvalidRequestError, OutputError, TextTooLongError
from ttsctl.text.rows import Row, RowError
from ttsctl.workflows.batch.items import RESULTS_FILE, Item, Outcome, Problem
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.names import check_path, file_name, slug, twin
from ttsctl.workflows.batch.rows import Wishes
from ttsctl.workflows.deliver import request_key
from ttsctl.workflows.plan import PlannedUtterance, plan


@dataclass(frozen=True)
class BatchRequest:
    """A batch as the user asked for it."""

    rows: Iterable[tuple[str, Row | RowError]]
    """The rows of all inputs in order, each with the name of its input."""

    folder: Path
    wishes: Wishes
    template: str

    is_anew: bool = False
    """Whether to make even what an earlier run made."""

    may_replace: bool = False
    """Whether to replace files that no batch made."""

    is_joined: bool = False
    """Whether the files are to be made one, for which they have to be WAV."""

    is_retrying: bool = False
    """Whether to try again what failed in an earlier run for reasons of its own."""


@dataclass(frozen=True)
class BatchPlan:
    """What is to be made, what is settled already, and what is wrong."""

    tasks: Sequence[Item]
    settled: Sequence[Outcome]
    problems: Sequence[Problem] = ()

    removed: Sequence[str] = ()
    """Files of earlier runs that no row asks for any more; they are left alone."""

    @property
    def total(self) -> int:
        """Number of items."""
        return len(self.tasks) + len(self.settled)


@dataclass
class _Sorter:
    """Sorts rows into what is to be made, what is settled and what is wrong."""

    request: BatchRequest
    journal: Journal
    tasks: list[Item] = field(default_factory=list)
    settled: list[Outcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    """The place of the row that has a name, by the twin of the name."""

    _ids: dict[str, str] = field(default_factory=dict)

    def sort(self, index: int, source: str, row: Row | RowError) -> None:
        if isinstance(row, RowError):
            self.problems.append(Problem(source, row.line, row.message))
            return
        try:
            item = _item(self.request, index, source, row)
            self._claim(item)
        except (InvalidRequestError, EngineError) as error:
            self.problems.append(Problem(source, row.line, error.message))
            return
        outcome = self._outcome(item)
        if outcome is None:
            self.tasks.append(item)
        else:
            self.settled.append(outcome)

    def _claim(self, item: Item) -> None:
        """Note the item's name and id, which nobody else may have."""
        if item.row.id is not None:
            _claim(self._ids, item.row.id, item.place, f"id '{item.row.id}'")
        if item.file:
            _claim(self._names, twin(item.file), item.place, f"file '{item.file}'")

    def _outcome(self, item: Item) -> Outcome | None:
        """Return what the item has become already; None for nothing yet."""
        if not item.key:
            return Outcome(item, "empty")
        if self.request.is_anew:
            return None
        if made := self.journal.made(item):
            return Outcome(
                item,
                "skipped",
                made.size_bytes,
                made.duration_s,
                made.digest,
                units=made.units,
                overrun_s=item.overrun_s(made.duration_s),
            )
        failure = None if self.request.is_retrying else self.journal.failure(item)
        if failure is None:
            return None
        return Outcome(item, failure.state, error_code=failure.code, error=failure.message)


def plan_batch(request: BatchRequest, journal: Journal) -> BatchPlan:
    """Decide what becomes of every row. Reads the folder's journal and files; writes nothing.

    Raises:
        InvalidRequestError: There is no row, the rows cannot be read to their end, or a file that
            is in the way was not made by a batch.
        OutputError: The output folder is a file.
    """
    if request.folder.exists() and not request.folder.is_dir():
        raise OutputError(f"cannot write in {request.folder}: not a directory")
    sorter = _Sorter(request, journal)
    for index, (source, row) in enumerate(request.rows, 1):
        sorter.sort(index, source, row)
    if not (sorter.tasks or sorter.settled or sorter.problems):
        raise InvalidRequestError("the input has nothing to speak")
    if not request.may_replace:
        _refuse_to_replace(request.folder, sorter.tasks, journal)
    wanted = {item.file for item in sorter.tasks} | {each.item.file for each in sorter.settled}
    removed = journal.others(wanted | {RESULTS_FILE})
    return BatchPlan(sorter.tasks, sorter.settled, sorter.problems, removed)


def _item(request: BatchRequest, index: int, source: str, row: Row) -> Item:
    manner, encoding = request.wishes.of(row)
    if request.is_joined and encoding.format != "wav":
        raise InvalidRequestError(f"with --join the items are wav, and not {encoding.format}")
    try:
        utterances = list(plan([row.text], manner))
    except TextTooLongError:
        raise
    except InvalidRequestError:
        return Item(index, source, row, "", "", manner, encoding)
    key = _key(row, utterances, encoding)
    if row.output_file:
        file = check_path(row.output_file)
        file = file if Path(file).suffix else file + encoding.suffix
    else:
        file = file_name(
            request.template,
            index=index,
            slug=slug(row.text),
            key=key,
            suffix=encoding.suffix,
            id=row.id,
        )
    return Item(index, source, row, file, key, manner, encoding)


def _key(row: Row, utterances: Sequence[PlannedUtterance], encoding: Encoding) -> str:
    key = request_key(utterances, encoding)
    if row.start_s is None or row.end_s is None:
        return key
    # How much time it has decides how fast it is spoken.
    return derived_key(key, f"{row.end_s - row.start_s:.3f}")


def _claim(taken: dict[str, str], name: str, place: str, what: str) -> None:
    if name in taken:
        raise InvalidRequestError(f"{what} is that of {taken[name]} already")
    taken[name] = place


def _refuse_to_replace(folder: Path, tasks: Sequence[Item], journal: Journal) -> None:
    """Stop before work where a file that no batch made stands in the way."""
    names = [*(item.file for item in tasks), RESULTS_FILE]
    foreign = [name for name in names if journal.is_foreign(name)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InvalidRequestError(
            f"{foreign[0]}{more} in {folder} exists and was not made by a batch;"
            " choose another --output-dir, or replace with --force"
        )

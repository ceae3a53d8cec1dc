"""What a batch will do, decided before it does anything: this is what `--dry-run` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.formats import Encoding
from ttsctl.errors import InvalidRequestError, OutputError
from ttsctl.workflows.batch.items import RESULTS_FILE, Item, Line, Outcome, Task
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.names import check_unique, file_name, slug
from ttsctl.workflows.deliver import request_key
from ttsctl.workflows.plan import Manner, plan


@dataclass(frozen=True)
class BatchRequest:
    """A batch as the user asked for it."""

    lines: Sequence[Line]
    folder: Path
    manner: Manner
    encoding: Encoding
    template: str

    is_anew: bool = False
    """Whether to make even what an earlier run made."""

    may_replace: bool = False
    """Whether to replace files that no batch made."""


@dataclass(frozen=True)
class BatchPlan:
    """What is to be made, and what is settled already."""

    tasks: Sequence[Task]
    settled: Sequence[Outcome]

    @property
    def total(self) -> int:
        """Number of items."""
        return len(self.tasks) + len(self.settled)


def plan_batch(request: BatchRequest, journal: Journal) -> BatchPlan:
    """Decide what becomes of every line. Reads the folder's journal and listing; writes nothing.

    Raises:
        InvalidRequestError: There is no item, two would have one name, or a file that is in the
            way was not made by a batch.
        TextTooLongError: A line is over the limit.
        OutputError: The output folder is a file.
    """
    if request.folder.exists() and not request.folder.is_dir():
        raise OutputError(f"cannot write in {request.folder}: not a directory")
    if not request.lines:
        raise InvalidRequestError("the input has no line to speak")
    items = [_item(request, index, line) for index, line in enumerate(request.lines, 1)]
    speakable = [item for item in items if item.key]
    check_unique((item.line.number, item.file) for item in speakable)
    settled = [Outcome(item, "empty") for item in items if not item.key]
    tasks = []
    for item in speakable:
        made = None if request.is_anew else journal.made(item)
        if made is not None:
            settled.append(Outcome(item, "skipped", made.size_bytes, made.duration_s))
        else:
            tasks.append(Task(item, request.folder, request.manner, request.encoding))
    if not request.may_replace:
        _refuse_to_replace(request.folder, tasks, journal)
    return BatchPlan(tasks, settled)


def _item(request: BatchRequest, index: int, line: Line) -> Item:
    try:
        utterances = list(plan([line.text], request.manner))
    except InvalidRequestError as error:
        if type(error) is not InvalidRequestError:
            raise type(error)(f"line {line.number}: {error.message}") from error
        return Item(index, line, "", "", request.manner.voice)
    key = request_key(utterances, request.encoding)
    name = file_name(
        request.template,
        index=index,
        slug=slug(line.text),
        key=key,
        suffix=request.encoding.suffix,
    )
    return Item(index, line, name, key, request.manner.voice)


def _refuse_to_replace(folder: Path, tasks: Sequence[Task], journal: Journal) -> None:
    """Stop before work where a file that no batch made stands in the way."""
    names = [*(task.item.file for task in tasks), RESULTS_FILE]
    foreign = [name for name in names if (folder / name).exists() and not journal.knows(name)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise InvalidRequestError(
            f"{foreign[0]}{more} in {folder} exists and was not made by a batch;"
            " choose another --output-dir, or replace with --force"
        )

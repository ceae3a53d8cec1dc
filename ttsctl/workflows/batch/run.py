"""Carrying a batch out: a pool makes the files, the coordinator keeps the books."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from ttsctl.errors import OutputError
from ttsctl.files import remove_leftovers, write_whole
from ttsctl.workflows import pool
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.batch.items import RESULTS_FILE, BatchReport, Outcome
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.making import chunks, lost, make_file
from ttsctl.workflows.batch.planning import BatchPlan


def run_batch(
    batch: BatchPlan,
    folder: Path,
    journal: Journal,
    config: SpeakerConfig,
    jobs: int,
    on_outcome: Callable[[Outcome], None],
) -> BatchReport:
    """Make every file of the plan and write `results.jsonl` beside them.

    Every item ends in exactly one state, and one that fails leaves the others untouched. A file is
    in its place, whole, before the journal says so: a kill at any moment costs the items in hand.

    Args:
        on_outcome: Called in this process after each item.

    Raises:
        BusyError: Another batch works in this folder.
        OutputError: The folder cannot be made or written, or the disk is full.
    """
    started_at = time.perf_counter()
    report = BatchReport(batch.total, jobs)
    results: dict[int, Outcome] = {}

    def settle(outcome: Outcome) -> None:
        report.count(outcome)
        results[outcome.item.index] = outcome
        on_outcome(outcome)

    with journal.recording() as recorder:
        recorder.announce([*(item.file for item in batch.tasks), RESULTS_FILE])
        for outcome in batch.settled:
            settle(outcome)
        with (
            _left_tidy(_folders(batch, folder)),
            closing(_outcomes(batch, folder, config, jobs)) as outcomes,
        ):
            for chunk in outcomes:
                recorder.record(chunk)
                for outcome in chunk:
                    if outcome.error_code == OutputError.code:
                        # A full disk is full for the others too.
                        raise OutputError(str(outcome.error))
                    settle(outcome)
        report.outcomes = [results[index] for index in sorted(results)]
        write_whole(folder / RESULTS_FILE, map(_result_line, report.outcomes), replace=True)
    report.wall_s = time.perf_counter() - started_at
    return report


@contextmanager
def _left_tidy(folders: Iterable[Path]) -> Iterator[None]:
    """Remove what killed workers left half-written: before the run, and after their pool ended."""
    try:
        for folder in folders:
            remove_leftovers(folder)
        yield
    finally:
        for folder in folders:
            remove_leftovers(folder)


def _folders(batch: BatchPlan, folder: Path) -> list[Path]:
    """Return the folders that files are made in, where they exist."""
    names = {str(Path(item.file).parent) for item in batch.tasks} | {"."}
    return [folder / name for name in sorted(names) if (folder / name).is_dir()]


def _outcomes(
    batch: BatchPlan, folder: Path, config: SpeakerConfig, jobs: int
) -> Generator[list[Outcome], None, None]:
    if batch.tasks:
        work = partial(make_file, config, folder)
        yield from pool.run(work, chunks(batch.tasks, jobs), jobs, lost)


def _result_line(outcome: Outcome) -> bytes:
    return json.dumps(outcome.fields(), ensure_ascii=False).encode() + b"\n"

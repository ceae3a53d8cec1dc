"""Carrying a batch out: a pool makes the files, the coordinator keeps the books."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from ttsctl.errors import OutputError, TtsctlError
from ttsctl.files import remove_leftovers, write_whole
from ttsctl.workflows import pool
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.batch.items import RESULTS_FILE, BatchReport, Outcome, State, Task
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.planning import BatchPlan
from ttsctl.workflows.deliver import SpeechRequest, to_file
from ttsctl.workflows.plan import plan


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
    results = {}
    with journal.recording() as recorder:
        recorder.announce([*(task.item.file for task in batch.tasks), RESULTS_FILE])
        with _left_tidy(folder), closing(_outcomes(batch, config, jobs)) as outcomes:
            for outcome in outcomes:
                if outcome.state != "skipped":
                    recorder.record(outcome)
                if outcome.error_code == OutputError.code:
                    raise OutputError(str(outcome.error))  # a full disk is full for the others too
                report.count(outcome)
                results[outcome.item.index] = _result_line(outcome)
                on_outcome(outcome)
        ordered = (results[index] for index in sorted(results))
        write_whole(folder / RESULTS_FILE, ordered, replace=True)
    report.wall_s = time.perf_counter() - started_at
    return report


@contextmanager
def _left_tidy(folder: Path) -> Iterator[None]:
    """Remove what killed workers left half-written: before the run, and after their pool ended."""
    remove_leftovers(folder)
    try:
        yield
    finally:
        remove_leftovers(folder)


def _outcomes(batch: BatchPlan, config: SpeakerConfig, jobs: int) -> Generator[Outcome, None, None]:
    yield from batch.settled
    if batch.tasks:
        # The longest first, so that no worker is left alone with a long one at the end.
        tasks = sorted(batch.tasks, key=lambda task: -len(task.item.line.text))
        yield from pool.run(partial(make_file, config), tasks, jobs, lost)


def make_file(config: SpeakerConfig, task: Task) -> Outcome:
    """Speak one item into its file. Runs in a pool process; raises nothing but bugs."""
    speaker = pool.process_speaker(config)
    try:
        utterances = list(plan([task.item.line.text], task.manner))
        request = SpeechRequest(task.manner.voice, utterances)
        path = task.folder / task.item.file
        report = to_file(speaker, request, path, task.encoding, replace=True)
    except TtsctlError as error:
        return Outcome(task.item, "failed", error_code=error.code, error=error.message)
    state: State = "done" if report.log.cache == "miss" else "cached"
    return Outcome(
        task.item,
        state,
        report.size_bytes,
        report.log.duration_s,
        report.log.cache,
        spoken_by=report.voice_used,
    )


def lost(task: Task) -> Outcome:
    """Return the outcome of a task whose pool process was killed."""
    return Outcome(
        task.item,
        "quarantined",
        error_code="TTS_SERVICE_ERROR",
        error="two processes died with it in hand, for want of memory perhaps; try fewer --jobs",
    )


def _result_line(outcome: Outcome) -> bytes:
    return json.dumps(outcome.fields(), ensure_ascii=False).encode() + b"\n"

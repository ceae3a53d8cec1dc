"""The process pool of everything that runs many items at once; the only importer of joblib.

A pool process never runs an engine itself: it holds a `Speaker`, whose engine lives in a worker
process of its own. An engine that crashes costs the item in hand and a restart, not the pool.
"""

from __future__ import annotations

import atexit
import functools
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, redirect_stderr
from multiprocessing import resource_tracker
from typing import TypeVar

import joblib
from joblib.externals.loky import ProcessPoolExecutor

from ttsctl.errors import EngineCrashError
from ttsctl.workflows.assembly import SpeakerConfig, make_speaker
from ttsctl.workflows.speak import Speaker

T = TypeVar("T")
R = TypeVar("R")

MAX_DEATHS = 2  # of processes with one task in hand, before it is given up
_MAX_STILLBORN = 20  # processes in a row that died before they had a task
_WATCH_S = 1.0  # how soon a pool process notices that its coordinator is gone


@functools.lru_cache(maxsize=1)
def process_speaker(config: SpeakerConfig) -> Speaker:
    """Return the one speaker of this process. Runs in a pool process.

    It lives as long as the process does: at the end it completes its writes to the cache. Where
    the process is killed, its worker sees the pipe close and ends too.
    """
    speaker = make_speaker(config)
    atexit.register(speaker.close)
    return speaker


def default_jobs() -> int:
    """Return the number of physical cores that this process may use."""
    # Where the program lscpu is missing, loky prints a traceback and counts all of them.
    with redirect_stderr(io.StringIO()):
        return int(joblib.cpu_count(only_physical_cores=True))


def run(
    function: Callable[[T], R], chunks: Sequence[Sequence[T]], jobs: int, give_up: Callable[[T], R]
) -> Generator[list[R], None, None]:
    """Yield `function(task)` for every task of a chunk, chunk by chunk in the order they end.

    Where a process dies, all tasks that may have been in its hands are run again, one by one: the
    one with which two processes more die is given up, and the others go on.

    Args:
        function: A module-level function; it runs in the pool and should not raise.
        chunks: Picklable tasks, as many together as make the way to a process worth while; the
            longest first for the best balance.
        jobs: Number of processes.
        give_up: Makes the result of a task in whose hands two processes died; runs here.

    Raises:
        EngineCrashError: The processes of the pool die before they have anything to do.
    """
    waiting = dict(enumerate(chunks))
    while waiting:
        try:
            with closing(_parallel(function, waiting, jobs)) as answers:
                for index, answer in answers:
                    del waiting[index]
                    yield answer
        except BrokenProcessPool:
            # Chunks are handed out in order, at most two ahead for each process.
            for index in list(waiting)[: 2 * jobs]:
                yield _one_by_one(function, waiting.pop(index), give_up)


def _one_by_one(
    function: Callable[[T], R], tasks: Sequence[T], give_up: Callable[[T], R]
) -> list[R]:
    """Run `tasks` so that it is known in whose hands a process dies."""
    answers: list[R] = []
    deaths = stillborn = 0
    while len(answers) < len(tasks):
        with _interrupts_held_back():
            executor = ProcessPoolExecutor(1, initializer=_die_with, initargs=(os.getpid(),))
        with executor:
            is_born = False
            try:
                with _interrupts_held_back():
                    birth = executor.submit(os.getpid)
                is_born = birth.result() > 0
                stillborn = 0
                for task in tasks[len(answers) :]:
                    answers.append(executor.submit(function, task).result())
                    deaths = 0
            except BrokenProcessPool:
                deaths += is_born
                stillborn += not is_born
        if deaths == MAX_DEATHS:
            answers.append(give_up(tasks[len(answers)]))
            deaths = 0
        if stillborn == _MAX_STILLBORN:
            raise EngineCrashError(
                f"{stillborn} processes died as they started; is the memory used up?"
            )
    return answers


def _parallel(
    function: Callable[[T], R], waiting: dict[int, Sequence[T]], jobs: int
) -> Generator[tuple[int, list[R]], None, None]:
    parallel = joblib.Parallel(
        n_jobs=jobs,
        backend="loky",
        batch_size=1,
        return_as="generator_unordered",
        initializer=_die_with,
        initargs=(os.getpid(),),
    )
    calls = joblib.delayed(_numbered)
    with _interrupts_held_back():
        answers = parallel(calls(function, *numbered) for numbered in list(waiting.items()))
    # Closed with this generator, so that the pool has ended when its user goes on.
    with closing(answers):
        yield from answers


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that leave Ctrl-C to this one: they inherit the mask, which is then lifted.

    A terminal sends the signal to all of them at once, and each would print a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Before the mask: starting it, as the pool does, would lift the mask again.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _numbered(function: Callable[[T], R], index: int, tasks: Sequence[T]) -> tuple[int, list[R]]:
    return index, [function(task) for task in tasks]


def _die_with(coordinator: int) -> None:
    """Have this pool process end soon after its coordinator; loky would wait five minutes."""

    def watch() -> None:
        while os.getppid() == coordinator:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

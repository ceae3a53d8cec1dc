"""The process pool of everything that runs many items at once; the only importer of joblib.

A pool process never runs an engine itself: it holds a `Speaker`, whose engine lives in a worker
process of its own. An engine that crashes costs the item in hand and a restart, not the pool.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from typing import TypeVar

import joblib

from ttsctl.workflows.assembly import SpeakerConfig, make_speaker
from ttsctl.workflows.speak import Speaker

T = TypeVar("T")
R = TypeVar("R")

# How often a pool may die without an answer in between before its tasks are given up.
_MAX_BARREN_DEATHS = 2
_WATCH_S = 1.0


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
    return int(joblib.cpu_count(only_physical_cores=True))


def run(
    function: Callable[[T], R], tasks: Sequence[T], jobs: int, give_up: Callable[[T], R]
) -> Generator[R, None, None]:
    """Yield `function(task)` for every task, in the order in which they end.

    Args:
        function: A module-level function; it runs in the pool and should not raise.
        tasks: Picklable tasks, the longest first for the best balance.
        jobs: Number of processes.
        give_up: Makes the result of a task that the pool died of; runs in this process.
    """
    waiting = dict(enumerate(tasks))
    barren_deaths = 0
    while waiting and barren_deaths < _MAX_BARREN_DEATHS:
        barren_deaths += 1
        try:
            with closing(_parallel(function, waiting, jobs)) as answers:
                for index, answer in answers:
                    del waiting[index]
                    barren_deaths = 0
                    yield answer
        except BrokenProcessPool:
            continue  # a process was killed from outside, for want of memory say
    for task in waiting.values():
        yield give_up(task)


def _parallel(
    function: Callable[[T], R], waiting: dict[int, T], jobs: int
) -> Generator[tuple[int, R], None, None]:
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
        answers = parallel(calls(function, index, task) for index, task in list(waiting.items()))
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
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _numbered(function: Callable[[T], R], index: int, task: T) -> tuple[int, R]:
    return index, function(task)


def _die_with(coordinator: int) -> None:
    """Have this pool process end soon after its coordinator; loky would wait five minutes."""

    def watch() -> None:
        while os.getppid() == coordinator:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

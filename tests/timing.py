"""Waiting for what happens in other threads, on however busy a machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

LONG_S = 60.0  # longer than anything in the tests takes


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fail where it does not for a long time."""
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def run_threads(works: Iterable[Callable[[], None]]) -> None:
    """Run each of `works` in a thread of its own, and raise what one of them raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LONG_S)
        assert not thread.is_alive(), "a thread does not end"
    if failures:
        raise failures[0]


def wait_for_threads_since(before: Iterable[threading.Thread]) -> None:
    """Return once no thread is left of those that have begun after `before` was listed."""
    known = set(before)
    wait_until(lambda: set(threading.enumerate()) <= known)

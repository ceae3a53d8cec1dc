"""A pool process that dies takes nothing with it but the task that kills every process."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from ttsctl.workflows import pool


def act(task: int) -> str:
    """Runs in a pool process; task 7 is poison."""
    if task == 7:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    return f"done {task}"


def give_up(task: int) -> str:
    return f"gave up {task}"


@pytest.mark.slow
def test_poison_is_isolated_and_the_others_are_done() -> None:
    chunks = [range(start, start + 3) for start in range(0, 30, 3)]
    answers = sorted(answer for chunk in pool.run(act, chunks, 2, give_up) for answer in chunk)
    assert answers == sorted("gave up 7" if n == 7 else f"done {n}" for n in range(30))


def test_one_job_needs_no_pool() -> None:
    answers = list(pool.run(give_up, [[0, 1], [2]], 1, give_up))
    assert answers == [["gave up 0", "gave up 1"], ["gave up 2"]]


def test_uses_at_least_one_core() -> None:
    assert 1 <= pool.default_jobs() <= (os.cpu_count() or 1)


def stumble(folder: str, task: int) -> str:
    """Runs in a pool process, which dies at the first two tries of each task."""
    tries = [Path(folder) / f"{task}.{number}" for number in range(2)]
    for each in tries:
        if not each.exists():
            each.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return f"done {task}"


@pytest.mark.slow
def test_a_death_that_may_be_another_task_s_does_not_count(tmp_path: Path) -> None:
    """One among others and one alone are not two with it in hand for certain."""
    answers = list(pool.run(partial(stumble, str(tmp_path)), [[1], [2]], 2, give_up))
    assert sorted(answers) == [["done 1"], ["done 2"]]

"""One at a time, whoever asks."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.cache.remembered import FORK, key_of, run_all
from ttsctl.cache.locks import acquire

KEY = key_of("a")


def test_a_held_key_is_not_to_be_had_and_another_is(tmp_path: Path) -> None:
    lock = acquire(tmp_path / KEY, 0)
    other = acquire(tmp_path / key_of("b"), 0)
    assert lock is not None
    assert other is not None

    assert acquire(tmp_path / KEY, 0.02) is None

    lock.release()
    again = acquire(tmp_path / KEY, 0)
    assert again is not None
    again.release()
    other.release()


def test_no_files_are_left(tmp_path: Path) -> None:
    for name in range(20):
        lock = acquire(tmp_path / key_of(name), 0)
        assert lock is not None
        lock.release()

    assert list(tmp_path.iterdir()) == []


def test_who_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    lock = acquire(tmp_path / KEY, 0)
    assert lock is not None
    threading.Timer(0.1, lock.release).start()

    waited = acquire(tmp_path / KEY, 30)

    assert waited is not None
    waited.release()


def test_threads_and_processes_are_never_inside_together(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()

    def enter(_: int) -> None:
        for _ in range(20):
            lock = acquire(locks / KEY, 30)
            assert lock is not None
            # An exclusive creation fails if another is inside.
            descriptor = os.open(tmp_path / "inside", os.O_CREAT | os.O_EXCL)
            os.close(descriptor)
            (tmp_path / "inside").unlink()
            lock.release()

    def in_threads(n: int) -> None:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                enter(n)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(len(failures))

    assert run_all(4, in_threads) == [0] * 4
    assert list(locks.iterdir()) == []


def test_the_death_of_the_holder_frees_it(tmp_path: Path) -> None:
    def hold() -> None:
        assert acquire(tmp_path / KEY, 0) is not None
        (tmp_path / "held").touch()
        time.sleep(60)

    child = FORK.Process(target=hold)
    child.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.005)
    assert acquire(tmp_path / KEY, 0) is None
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()

    lock = acquire(tmp_path / KEY, 0)

    assert lock is not None
    lock.release()


@pytest.mark.parametrize("place", ["missing", "file"])
def test_a_folder_of_no_use_gives_no_lock_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()

    assert acquire(tmp_path / place / KEY, 3600) is None


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / KEY).symlink_to(tmp_path / "elsewhere")

    assert acquire(tmp_path / KEY, 3600) is None
    assert not (tmp_path / "elsewhere").exists()

"""Work in the background."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from ttsctl.cache.writer import Writer


def test_jobs_are_done_in_order() -> None:
    done: list[int] = []
    writer = Writer()
    for number in range(100):
        assert writer.submit(lambda number=number: done.append(number))  # type: ignore[misc]

    assert writer.close(10)
    assert done == list(range(100))


def test_flush_waits_for_what_was_asked_before() -> None:
    done: list[str] = []
    gate = threading.Event()
    writer = Writer()
    writer.submit(gate.wait)
    writer.submit(lambda: done.append("written"))

    assert not writer.flush(0.02)
    gate.set()
    assert writer.flush(10)
    assert done == ["written"]
    writer.close(10)


def test_without_a_job_there_is_no_thread() -> None:
    before = threading.active_count()
    writer = Writer()
    done: list[str] = []
    writer.after_pending(lambda: done.append("at once"))
    assert writer.flush(0)

    assert done == ["at once"]
    assert threading.active_count() == before
    assert writer.close(0)


def test_it_can_be_used_again_after_it_was_closed() -> None:
    done: list[str] = []
    writer = Writer()
    for word in ("first", "second"):
        writer.submit(lambda word=word: done.append(word))  # type: ignore[misc]
        assert writer.close(10)

    assert done == ["first", "second"]


@pytest.mark.slow
def test_a_full_queue_turns_jobs_away_but_not_the_last_word() -> None:
    gate = threading.Event()
    writer = Writer()
    while writer.submit(gate.wait):
        pass
    said: list[str] = []
    writer.after_pending(lambda: said.append("released"))

    assert said == ["released"]
    gate.set()
    assert writer.close(10)


def test_a_job_that_fails_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    writer = Writer()
    writer.submit(lambda: done.append([][0]))
    writer.submit(lambda: done.append("next"))
    writer.close(10)

    assert done == ["next"]
    assert "bug" in caplog.text


def test_a_job_that_hangs_does_not_keep_the_process_alive() -> None:
    script = (
        "import threading\n"
        "from ttsctl.cache.writer import Writer\n"
        "writer = Writer()\n"
        "writer.submit(threading.Event().wait)\n"
        "print(writer.close(0.05))\n"
    )

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)

    assert (ended.returncode, ended.stdout) == (0, b"False\n")

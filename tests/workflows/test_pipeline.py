"""Work is done side by side and heard in order, bounded, and ended when nobody listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timing import LONG_S, wait_for_threads_since, wait_until
from ttsctl.errors import EngineError
from ttsctl.workflows.pipeline import in_order


class Workshop:
    """Work that counts how much of it is going on, and can be made to wait."""

    def __init__(self, durations_s: list[float] | None = None, results: int = 3) -> None:
        self.durations_s = durations_s or []
        self.results = results
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.lock = threading.Lock()
        self.at_work = self.most_at_work = 0
        self.begun: list[int] = []
        self.ahead: list[bool] = []
        self.ended: list[int] = []
        self.threads: set[threading.Thread] = set()

    def work(self, item: int, is_ahead: bool) -> Generator[str, None, None]:
        with self.lock:
            self.begun.append(item)
            self.ahead.append(is_ahead)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            self.threads.add(threading.current_thread())
        try:
            for number in range(self.results):
                time.sleep(self.durations_s[item] if self.durations_s else 0.0)
                yield f"{item}.{number}"
                self.may_go_on.wait(LONG_S)
        finally:
            with self.lock:
                self.at_work -= 1
                self.ended.append(item)


def consume(pieces: Iterator[tuple[int, Iterator[str]]]) -> list[tuple[int, list[str]]]:
    return [(item, list(results)) for item, results in pieces]


def expected(items: list[int], results: int) -> list[tuple[int, list[str]]]:
    return [(item, [f"{item}.{number}" for number in range(results)]) for item in items]


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 4), max_size=8),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_the_results_are_in_order_whatever_takes_how_long(
    milliseconds: list[int], at_once: int, results: int
) -> None:
    workshop = Workshop([each / 1000 for each in milliseconds], results)
    items = list(range(len(milliseconds)))
    assert consume(in_order(items, workshop.work, at_once)) == expected(items, results)
    assert workshop.most_at_work <= at_once


def test_as_many_are_at_work_as_are_allowed_and_no_more() -> None:
    workshop = Workshop()
    workshop.may_go_on.clear()
    pieces = in_order(range(10), workshop.work, 3)
    _, results = next(pieces)
    wait_until(lambda: workshop.at_work == 3)
    time.sleep(0.05)
    assert workshop.begun == [0, 1, 2]
    workshop.may_go_on.set()
    assert list(results) == ["0.0", "0.1", "0.2"]
    assert consume(pieces) == expected(list(range(1, 10)), 3)
    assert workshop.most_at_work == 3


def test_one_at_a_time_is_done_by_the_caller_when_it_asks() -> None:
    workshop = Workshop()
    pieces = in_order(iter(range(3)), workshop.work, 1)
    item, results = next(pieces)
    assert (item, workshop.begun) == (0, [])
    assert next(results) == "0.0"
    assert workshop.begun == [0]
    assert list(results) == ["0.1", "0.2"]
    assert consume(pieces) == expected([1, 2], 3)
    assert workshop.threads == {threading.current_thread()}
    assert workshop.ahead == [False] * 3


def test_a_slow_listener_is_not_run_away_from() -> None:
    workshop = Workshop(results=1)
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    pieces = in_order(items(), workshop.work, 2)
    next(pieces)
    wait_until(lambda: len(workshop.ended) == 6)
    time.sleep(0.05)
    # Two at work, and two finished for each of them; one more item is in the hand of the feeder.
    assert (len(workshop.begun), len(taken)) == (6, 7)
    next(pieces)
    wait_until(lambda: len(workshop.ended) == 7)
    pieces.close()  # type: ignore[attr-defined]


def test_the_first_is_never_ahead_of_what_is_heard() -> None:
    workshop = Workshop()
    pieces = in_order(range(4), workshop.work, 2)
    next(pieces)
    wait_until(lambda: len(workshop.ended) == 4)
    assert workshop.ahead == [False, True, True, True]
    pieces.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_failure_comes_in_its_place(at_once: int) -> None:
    def work(item: int, _: bool) -> Generator[str, None, None]:
        if item == 1:
            time.sleep(0.02)
        yield f"{item}.0"
        if item == 2:
            raise EngineError("two cannot")
        yield f"{item}.1"

    heard: list[str] = []
    pieces = in_order(range(50), work, at_once)
    with pytest.raises(EngineError, match="two cannot"):
        heard.extend(result for _, results in pieces for result in results)
    assert heard == ["0.0", "0.1", "1.0", "1.1", "2.0"]


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_failure_of_the_items_comes_after_those_before(at_once: int) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ValueError("no more")

    workshop = Workshop()
    heard: list[tuple[int, list[str]]] = []
    pieces = in_order(items(), workshop.work, at_once)
    with pytest.raises(ValueError, match="no more"):
        heard.extend((item, list(results)) for item, results in pieces)
    assert heard == expected([0, 1, 2], 3)


def test_after_a_failure_nothing_new_is_begun() -> None:
    workshop = Workshop(results=1)

    def work(item: int, is_ahead: bool) -> Generator[str, None, None]:
        yield from workshop.work(item, is_ahead)
        if item == 0:
            raise EngineError("zero cannot")

    before = threading.enumerate()
    with pytest.raises(EngineError):
        consume(in_order(range(1000), work, 2))
    wait_for_threads_since(before)
    assert len(workshop.begun) < 20


@pytest.mark.parametrize("consumed", [0, 1, 2, 5])
def test_closing_early_ends_the_work_and_its_threads(consumed: int) -> None:
    before = threading.enumerate()
    workshop = Workshop()
    workshop.may_go_on.clear()
    pieces = in_order(range(100), workshop.work, 2)
    next(pieces)
    wait_until(lambda: len(workshop.begun) == 2)
    if consumed:
        workshop.may_go_on.set()
    for _ in range(consumed):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    workshop.may_go_on.set()
    wait_for_threads_since(before)
    assert sorted(workshop.ended) == sorted(workshop.begun)
    assert len(workshop.begun) <= consumed + 8


def test_closing_ends_the_work_in_hand_at_its_next_result() -> None:
    results: list[int] = []
    goes_on = threading.Semaphore(0)
    has_ended = threading.Event()

    def work(_: int, __: bool) -> Generator[int, None, None]:
        try:
            for number in range(1000):
                results.append(number)
                yield number
                goes_on.acquire()
        finally:
            has_ended.set()

    pieces = in_order([0], work, 2)
    _, heard = next(pieces)
    assert next(heard) == 0
    pieces.close()  # type: ignore[attr-defined]
    goes_on.release()
    assert has_ended.wait(LONG_S)
    assert results == [0, 1]


def test_an_item_that_is_long_in_coming_does_not_hold_up_what_is_there() -> None:
    workshop = Workshop()
    may_come = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        yield 1
        may_come.wait(LONG_S)
        yield 2

    pieces = in_order(items(), workshop.work, 2)
    for item in range(2):
        number, results = next(pieces)
        assert (number, list(results)) == (item, [f"{item}.{each}" for each in range(3)])
    may_come.set()
    assert consume(pieces) == expected([2], 3)


def test_who_waits_for_an_item_can_be_closed() -> None:
    before = threading.enumerate()
    workshop = Workshop()
    may_come = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        may_come.wait(LONG_S)
        yield 1

    pieces = in_order(items(), workshop.work, 2)
    _, results = next(pieces)
    assert len(list(results)) == 3
    pieces.close()  # type: ignore[attr-defined]
    may_come.set()
    wait_for_threads_since(before)
    assert workshop.begun == [0]


@pytest.mark.parametrize("at_once", [1, 2])
def test_nothing_to_do_is_done_at_once(at_once: int) -> None:
    assert consume(in_order([], Workshop().work, at_once)) == []


def test_results_may_be_left_alone() -> None:
    before = threading.enumerate()
    assert [item for item, _ in in_order(range(20), Workshop().work, 2)] == list(range(20))
    wait_for_threads_since(before)

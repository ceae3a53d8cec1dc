"""A model whose workers keep dying is left alone, and is given another chance later."""

from __future__ import annotations

import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.remembered import FakeClock
from tests.timing import run_threads
from ttsctl.errors import EngineError
from ttsctl.workers.breaker import MAX_DEATHS, WINDOW_S, Breaker


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="breaker")
def _breaker(clock: FakeClock) -> Breaker:
    return Breaker("engine 'tone'", clock)


def is_open(breaker: Breaker) -> bool:
    try:
        breaker.check()
    except EngineError:
        return True
    return False


def test_the_wait_before_a_start_doubles_with_each_death(breaker: Breaker) -> None:
    waits = [breaker.back_off_s()]
    for _ in range(4):
        breaker.died()
        waits.append(breaker.back_off_s())
    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8])


def test_an_answer_ends_the_waiting(breaker: Breaker) -> None:
    breaker.died()
    breaker.died()
    breaker.answered()
    assert breaker.back_off_s() == 0.0
    breaker.died()
    assert breaker.back_off_s() == pytest.approx(0.1)


def test_five_deaths_in_a_minute_are_enough(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(4):
        breaker.died()
        clock.advance(14.9)
    assert not is_open(breaker)
    assert breaker.wait_s == 0.0
    breaker.died()
    with pytest.raises(
        EngineError,
        match=r"engine 'tone' has died 5 times in a row .* try again in 60 s, or see `ttsctl doc",
    ):
        breaker.check()
    assert breaker.wait_s == pytest.approx(WINDOW_S)


def test_an_answer_between_begins_the_count_anew(breaker: Breaker) -> None:
    for _ in range(3):
        for _ in range(4):
            breaker.died()
        breaker.answered()
    assert not is_open(breaker)


def test_deaths_that_are_spread_over_more_than_a_minute_are_no_reason(
    breaker: Breaker, clock: FakeClock
) -> None:
    for _ in range(50):
        breaker.died()
        clock.advance(WINDOW_S / 4 + 0.01)
        assert not is_open(breaker)


def test_the_model_is_tried_again_a_minute_after_the_last_death(
    breaker: Breaker, clock: FakeClock
) -> None:
    for _ in range(5):
        breaker.died()
    clock.advance(WINDOW_S - 1)
    assert is_open(breaker)
    clock.advance(1.5)
    assert not is_open(breaker)
    assert breaker.wait_s <= 0


def test_one_more_death_then_is_enough_to_give_it_up_again(
    breaker: Breaker, clock: FakeClock
) -> None:
    for _ in range(5):
        breaker.died()
    for _ in range(3):
        clock.advance(WINDOW_S + 1)
        assert not is_open(breaker)
        breaker.died()
        assert is_open(breaker)
        assert breaker.wait_s == pytest.approx(WINDOW_S)


def test_one_answer_then_is_enough_to_trust_it_again(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(5):
        breaker.died()
    clock.advance(WINDOW_S + 1)
    breaker.answered()
    for _ in range(4):
        breaker.died()
        assert not is_open(breaker)
    breaker.died()
    assert is_open(breaker)


def test_an_answer_of_another_worker_closes_it_at_once(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.died()
    breaker.answered()
    assert not is_open(breaker)


def test_each_change_is_logged_once(
    breaker: Breaker, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(8):
            breaker.died()
        clock.advance(WINDOW_S + 1)
        breaker.died()
        breaker.answered()
        breaker.answered()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "engine 'tone' has died 5 times in a row: given up"),
        ("WARNING", "engine 'tone' answers again"),
    ]


def test_threads_count_every_death_and_log_once(caplog: pytest.LogCaptureFixture) -> None:
    breaker = Breaker("engine 'tone'", lambda: 0.0)
    together = threading.Barrier(16)

    def die() -> None:
        together.wait()
        breaker.died()

    with caplog.at_level(logging.WARNING):
        run_threads([die] * 16)
    assert is_open(breaker)
    assert breaker.back_off_s() == 30.0  # the longest
    assert len(caplog.records) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["died", "answered", "nothing"]), st.floats(0, 40)), max_size=40
    )
)
def test_it_behaves_like_its_description(events: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    clock.now_s = 0.0
    breaker = Breaker("engine 'tone'", clock)
    deaths: list[float] = []
    given_up_at: float | None = None
    for what, passes_s in events:
        clock.advance(passes_s)
        if what == "answered":
            breaker.answered()
            deaths, given_up_at = [], None
        if what == "died":
            breaker.died()
            deaths.append(clock.now_s)
            recent = [then for then in deaths if clock.now_s - then < WINDOW_S]
            if given_up_at is not None or len(recent) >= MAX_DEATHS:
                given_up_at = clock.now_s
        expected = given_up_at is not None and clock.now_s < given_up_at + WINDOW_S
        assert is_open(breaker) == expected
        assert 0 <= breaker.back_off_s() <= 30

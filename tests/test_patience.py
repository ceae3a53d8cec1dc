"""A request is waited for until its time is up or nobody wants it, and the error says which."""

from __future__ import annotations

import threading

import pytest

from tests.cache.remembered import FakeClock
from tests.timing import LONG_S
from ttsctl.errors import BusyError, CancelledError, DeadlineError, OutOfTimeError
from ttsctl.patience import Patience


def test_it_is_endless_unless_told_otherwise() -> None:
    clock = FakeClock()
    patience = Patience(clock)
    clock.advance(1e9)
    patience.check()


def test_it_ends_after_the_time_that_it_was_given_and_not_before() -> None:
    clock = FakeClock()
    patience = Patience(clock)
    clock.advance(100)
    patience.end_in(2.5)
    clock.advance(2.4)
    patience.check()
    clock.advance(0.2)
    for _ in range(2):
        with pytest.raises(OutOfTimeError) as caught:
            patience.check()
    assert caught.value.message == (
        "the request took longer than 2.5 s; "
        "send a shorter text, or start the service with a longer --request-timeout"
    )
    assert caught.value.code == "TTS_TIMEOUT"


def test_its_time_can_be_set_anew() -> None:
    clock = FakeClock()
    patience = Patience(clock)
    patience.end_in(1)
    clock.advance(2)
    patience.end_in(1)
    patience.check()


def test_a_cancelled_request_is_not_wanted_any_more() -> None:
    patience = Patience()
    patience.cancel()
    patience.cancel()
    for _ in range(2):
        with pytest.raises(CancelledError) as caught:
            patience.check()
    assert caught.value.message == "the request was cancelled"
    assert caught.value.code == "TTS_CANCELLED"


def test_a_request_that_is_both_late_and_cancelled_was_cancelled() -> None:
    clock = FakeClock()
    patience = Patience(clock)
    patience.end_in(1)
    clock.advance(2)
    patience.cancel()
    with pytest.raises(CancelledError):
        patience.check()


def test_another_thread_can_cancel() -> None:
    patience = Patience()
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            while True:
                patience.check()
        except CancelledError as error:
            outcome.append(error)

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    patience.cancel()
    waiter.join(LONG_S)
    assert len(outcome) == 1


def test_who_gives_up_is_not_taken_for_an_engine_that_hangs() -> None:
    assert issubclass(CancelledError, BusyError)
    assert not issubclass(CancelledError, DeadlineError)
    assert issubclass(OutOfTimeError, DeadlineError)

"""So many work, so many wait, the rest is turned away: first come, first served."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.cache.remembered import FakeClock
from tests.timing import LONG_S, run_threads, wait_until
from ttsctl.errors import BusyError, CancelledError, OutOfTimeError
from ttsctl.patience import Patience
from ttsctl.service.turns import Turns


class Guest:
    """A request that works until it is told to stop."""

    def __init__(self, turns: Turns, served: list[str], name: str) -> None:
        self.patience = Patience()
        self.may_leave = threading.Event()
        self.failure: BaseException | None = None
        self.is_working = False
        self._turns, self._served, self.name = turns, served, name
        turns.come_in()
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def _visit(self) -> None:
        try:
            with self._turns.turn(self.patience):
                self._served.append(self.name)
                self.is_working = True
                self.may_leave.wait(LONG_S)
                self.is_working = False
        except BusyError as error:
            self.failure = error
        finally:
            self._turns.leave()

    def join(self) -> None:
        self.may_leave.set()
        self._thread.join(LONG_S)
        assert not self._thread.is_alive()


class House:
    """Turns, and guests who came in one after the other."""

    def __init__(self, at_once: int, max_waiting: int) -> None:
        self.turns = Turns(at_once, max_waiting)
        self.at_once = at_once
        self.served: list[str] = []
        self.guests: list[Guest] = []

    def admit(self, name: str) -> Guest:
        self._settle()
        self.guests.append(Guest(self.turns, self.served, name))
        self._settle()
        return self.guests[-1]

    def _settle(self) -> None:
        """Wait until as many are at work as may be, and the others wait."""
        inside = self.turns.inside
        wait_until(lambda: self.working == min(inside, self.at_once))
        wait_until(lambda: self.turns.waiting == inside - self.working)

    @property
    def working(self) -> int:
        return sum(guest.is_working for guest in self.guests)

    def empty(self) -> None:
        for guest in self.guests:
            guest.join()


def test_more_than_may_wait_are_turned_away_at_once() -> None:
    house = House(at_once=1, max_waiting=2)
    for name in "abc":
        house.admit(name)
    for _ in range(3):
        with pytest.raises(BusyError, match="2 requests wait already; try again") as caught:
            house.turns.come_in()
        assert caught.value.code == "TTS_BUSY"
    assert (house.turns.inside, house.turns.waiting, house.working) == (3, 2, 1)
    house.guests[0].join()
    wait_until(lambda: house.turns.inside == 2)
    house.admit("d")
    house.empty()
    assert house.served == list("abcd")
    assert (house.turns.inside, house.turns.waiting) == (0, 0)


def test_the_first_to_come_is_the_first_to_work() -> None:
    house = House(at_once=1, max_waiting=10)
    for name in "abcdefgh":
        house.admit(name)
    house.empty()
    assert house.served == list("abcdefgh")


def test_who_needs_no_turn_does_not_wait_for_one() -> None:
    house = House(at_once=1, max_waiting=2)
    house.admit("a")
    house.admit("b")
    house.turns.come_in()
    house.turns.leave()
    house.empty()


def test_who_is_cancelled_while_waiting_goes_and_holds_up_nobody() -> None:
    house = House(at_once=1, max_waiting=3)
    house.admit("a")
    impatient = house.admit("b")
    house.admit("c")
    impatient.patience.cancel()
    wait_until(lambda: impatient.failure is not None)
    assert isinstance(impatient.failure, CancelledError)
    wait_until(lambda: house.turns.inside == 2)
    house.empty()
    assert house.served == ["a", "c"]


def test_whose_time_is_up_while_waiting_goes() -> None:
    clock = FakeClock()
    turns = Turns(1, 1)
    patience = Patience(clock)
    patience.end_in(1)
    clock.advance(2)
    with turns.turn(Patience()), pytest.raises(OutOfTimeError), turns.turn(patience):
        pass
    assert turns.waiting == 0


def test_a_failure_ends_the_turn() -> None:
    turns = Turns(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn(Patience()):
            raise ZeroDivisionError


def test_after_closing_nobody_comes_in_and_who_is_in_is_served() -> None:
    house = House(at_once=1, max_waiting=5)
    house.admit("a")
    house.admit("b")
    house.turns.close()
    with pytest.raises(BusyError, match="shutting down"):
        house.turns.come_in()
    assert not house.turns.wait_empty(0.01)
    house.empty()
    assert house.turns.wait_empty(LONG_S)
    assert house.served == ["a", "b"]


def test_waiting_for_the_end_ends_with_the_last_one() -> None:
    house = House(at_once=2, max_waiting=5)
    for name in "abc":
        house.admit(name)
    is_empty: list[bool] = []
    waiter = threading.Thread(target=lambda: is_empty.append(house.turns.wait_empty(LONG_S)))
    waiter.start()
    house.empty()
    waiter.join(LONG_S)
    assert is_empty == [True]


def test_many_threads_never_work_more_than_allowed_and_all_are_served() -> None:
    turns = Turns(3, 5)
    lock = threading.Lock()
    working = served = refused = 0

    def visit(number: int) -> None:
        nonlocal working, served, refused
        order = random.Random(number)
        for _ in range(30):
            try:
                turns.come_in()
            except BusyError:
                with lock:
                    refused += 1
                time.sleep(0.001)
                continue
            try:
                with turns.turn(Patience()):
                    with lock:
                        working += 1
                        assert working <= 3
                    time.sleep(order.random() / 2000)
                    with lock:
                        working -= 1
                        served += 1
            finally:
                turns.leave()

    run_threads([lambda number=number: visit(number) for number in range(16)])  # type: ignore[misc]
    assert served + refused == 16 * 30
    assert served
    assert (turns.inside, turns.waiting) == (0, 0)


class TurnsMachine(RuleBasedStateMachine):
    """Guests come, leave and give up in any order; a list says who should be at work."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(at_once=2, max_waiting=3)
        self.turns = self.house.turns
        self.present: list[Guest] = []
        self.count = 0
        self.is_closed = False

    @rule()
    def come(self) -> None:
        if self.is_closed or len(self.present) >= 5:
            with pytest.raises(BusyError):
                self.turns.come_in()
            return
        self.count += 1
        self.present.append(self.house.admit(str(self.count)))

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        guest = data.draw(st.sampled_from(self.present[:2]))
        self.present.remove(guest)
        guest.join()

    @precondition(lambda self: len(self.present) > 2)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        guest = data.draw(st.sampled_from(self.present[2:]))
        self.present.remove(guest)
        guest.patience.cancel()
        guest.join()
        assert isinstance(guest.failure, CancelledError)

    @precondition(lambda self: self.count > 5)
    @rule()
    def close(self) -> None:
        self.turns.close()
        self.is_closed = True

    @invariant()
    def those_who_came_first_are_at_work(self) -> None:
        wait_until(lambda: [guest.is_working for guest in self.present[:2]].count(False) == 0)
        assert not any(guest.is_working for guest in self.present[2:])
        assert self.turns.inside == len(self.present)
        wait_until(lambda: self.turns.waiting == max(0, len(self.present) - 2))

    def teardown(self) -> None:
        for guest in self.present:
            guest.join()
        assert self.turns.wait_empty(LONG_S)
        assert [int(name) for name in self.house.served] == sorted(map(int, self.house.served))


TestTurnsMachine = pytest.mark.slow(TurnsMachine.TestCase)
TestTurnsMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_turns_can_be_nested_in_one_thread_where_there_is_room() -> None:
    turns = Turns(3, 0)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(turns.turn(Patience()))
        assert turns.waiting == 0

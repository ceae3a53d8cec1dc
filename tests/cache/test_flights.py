"""Among the threads of a process one makes a sound, and the others find it made."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from pathlib import Path

import pytest

from tests.cache.remembered import key_of, record_of
from tests.timing import LONG_S, run_threads, wait_until
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.flights import Flights
from ttsctl.cache.locks import acquire
from ttsctl.cache.tiers import Cache


def test_a_key_is_held_by_one_at_a_time() -> None:
    flights = Flights()
    inside: dict[str, int] = {"a": 0, "b": 0}

    def work(number: int) -> None:
        order = random.Random(number)
        for _ in range(50):
            key = order.choice("ab")
            with flights.alone(key, LONG_S, lambda: None) as is_alone:
                assert is_alone
                inside[key] += 1
                assert inside[key] == 1
                time.sleep(order.random() / 10_000)
                inside[key] -= 1

    run_threads([lambda number=number: work(number) for number in range(8)])  # type: ignore[misc]
    assert flights._flights == {}


def test_keys_do_not_wait_for_one_another() -> None:
    flights = Flights()
    with flights.alone("a", 0.0, lambda: None) as a, flights.alone("b", 0.0, lambda: None) as b:
        assert (a, b) == (True, True)


def test_who_waits_too_long_goes_on_alone_in_vain() -> None:
    flights = Flights()
    waited: list[bool] = []

    def wait() -> None:
        with flights.alone("a", 0.05, lambda: None) as is_alone:
            waited.append(is_alone)

    with flights.alone("a", LONG_S, lambda: None):
        run_threads([wait] * 4)
        assert waited == [False] * 4
    assert flights._flights == {}
    with flights.alone("a", 0.0, lambda: None) as is_alone:
        assert is_alone


def test_a_failure_lets_go() -> None:
    flights = Flights()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), flights.alone("a", 0.0, lambda: None):
            raise ZeroDivisionError
    assert flights._flights == {}


def test_of_many_that_want_a_sound_at_once_one_makes_it(folder: Path) -> None:
    together = threading.Barrier(16)
    made: list[int] = []
    tiers: list[str] = []
    with Cache(folder, CacheLimits()) as cache:

        def want(number: int) -> None:
            together.wait()
            with cache.single_flight(key_of("a"), LONG_S) as is_alone:
                assert is_alone
                hit = cache.get(key_of("a"))
                if hit is None:
                    made.append(number)
                    time.sleep(0.05)
                    cache.put(key_of("a"), record_of())
                else:
                    tiers.append(hit.tier)

        run_threads([lambda number=number: want(number) for number in range(16)])  # type: ignore[misc]
        assert len(made) == 1
        assert tiers == ["memory"] * 15
        assert cache._flights._flights == {}


def test_those_that_find_it_made_leave_the_lock_of_other_processes_alone(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        with cache.single_flight(key_of("a"), LONG_S):
            cache.put(key_of("a"), record_of())
        cache.flush()
        lock = acquire(folder / "locks" / key_of("a"), LONG_S)
        assert lock is not None, "somebody still holds it"
        with cache.single_flight(key_of("a"), 0.0) as is_alone:
            assert is_alone
        lock.release()


def test_another_process_is_waited_for_and_not_longer_than_told(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        assert cache.is_usable()
        lock = acquire(folder / "locks" / key_of("a"), LONG_S)
        assert lock is not None
        with cache.single_flight(key_of("a"), 0.05) as is_alone:
            assert not is_alone
        lock.release()
        with cache.single_flight(key_of("a"), LONG_S) as is_alone:
            assert is_alone


def test_where_the_maker_fails_the_next_one_makes_it(folder: Path) -> None:
    attempts: list[int] = []
    with Cache(folder, CacheLimits()) as cache:

        def want(number: int) -> None:
            with cache.single_flight(key_of("a"), LONG_S):
                if cache.get(key_of("a")) is not None:
                    return
                attempts.append(number)
                if len(attempts) < 3:
                    raise OSError("it failed")
                cache.put(key_of("a"), record_of())

        def forgiving(number: int) -> None:
            with contextlib.suppress(OSError):
                want(number)

        run_threads([lambda number=number: forgiving(number) for number in range(8)])  # type: ignore[misc]
        assert len(attempts) == 3
        wait_until(lambda: cache._flights._flights == {})

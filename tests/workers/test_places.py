"""The workers are a pool: bounded in number and memory, the best one first, the oldest one out."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.remembered import FakeClock
from tests.timing import LONG_S, run_threads, wait_until
from ttsctl.errors import CancelledError, OutOfTimeError
from ttsctl.patience import Patience
from ttsctl.speech import Errand, Voice
from ttsctl.workers.parent import Worker
from ttsctl.workers.place import Place, PoolLimits
from ttsctl.workers.places import Places

MIB = 1 << 20


def voice_of(model: str, name: str = "v") -> Voice:
    return Voice("acme", name, "und", "1", model)


class FakeWorker:
    """A process that is none: it can only be ended."""

    _numbers = itertools.count(1)

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.engine = voice.engine
        self.process_id = next(self._numbers)
        self.is_alive = True

    def end_process(self) -> None:
        self.is_alive = False

    def kill(self) -> None:
        self.is_alive = False


class Pool:
    """Places whose workers are fakes, with a clock and a memory that tests can set."""

    def __init__(
        self,
        *,
        at_once: int = 1,
        processes: int = 8,
        memory_mb: int | None = None,
        idle_s: float = 60.0,
        start_cost_s: float = 0.0,
    ) -> None:
        self.clock = FakeClock()
        self.memory: dict[int, int] = {}
        self.workers: list[FakeWorker] = []
        limits = PoolLimits(
            at_once=at_once,
            processes=processes,
            memory_bytes=None if memory_mb is None else memory_mb * MIB,
            idle_s=idle_s,
            start_cost_s=start_cost_s,
            memory_of=lambda process_id: self.memory.get(process_id, 0),
        )
        self.places = Places(limits, self.clock)

    def use(self, voice: Voice, *, memory_mb: int = 0) -> FakeWorker:
        """Have something said in `voice`, after which its worker takes so much memory."""
        self.clock.advance(1)
        with self.places.held(voice) as place:
            worker = self.occupy(place, voice)
            place.answered()
            self.memory[worker.process_id] = memory_mb * MIB
        return worker

    def occupy(self, place: Place, voice: Voice) -> FakeWorker:
        """Start the worker of a place that is held, if there is none, and load the voice."""
        if place.worker is None or not place.worker.is_alive:
            place.end()
            self.workers.append(FakeWorker(voice))
            place.worker = cast(Worker, self.workers[-1])
        place.worker.voice = voice
        return cast(FakeWorker, place.worker)

    @property
    def alive(self) -> list[FakeWorker]:
        return [worker for worker in self.workers if worker.is_alive]


# --- which place ---


def test_a_place_that_has_the_voice_is_preferred() -> None:
    pool = Pool(at_once=2)
    one, other = voice_of("m", "one"), voice_of("m", "other")
    with pool.places.held(one) as first, pool.places.held(other) as second:
        pool.occupy(first, one)
        pool.occupy(second, other)
    for voice, place in [(one, first), (other, second), (one, first), (one, first)]:
        with pool.places.held(voice) as held:
            assert held is place


def test_then_one_that_has_the_model_and_was_used_last() -> None:
    pool = Pool(at_once=2)
    with pool.places.held(voice_of("m", "a")) as a, pool.places.held(voice_of("m", "b")) as b:
        pool.occupy(a, voice_of("m", "a"))
        pool.occupy(b, voice_of("m", "b"))
    pool.use(voice_of("m", "b"))
    with pool.places.held(voice_of("m", "c")) as held:
        assert held is b


def test_then_a_new_one() -> None:
    pool = Pool()
    first = pool.use(voice_of("m"))
    assert pool.use(voice_of("n")) is not first
    assert pool.use(Voice("other", "v", "und", "1", "m")) is not first
    assert len(pool.alive) == 3


def test_a_worker_that_was_started_ahead_is_used_by_the_first_voice_of_its_engine() -> None:
    pool = Pool()
    started = FakeWorker(voice_of(""))
    pool.places.add(cast(Worker, started))
    assert pool.use(voice_of("m")) is started
    assert pool.use(voice_of("n")) is not started
    assert pool.use(voice_of("m")) is started


def test_deaths_are_counted_by_model_also_of_a_worker_that_was_started_ahead() -> None:
    pool = Pool(at_once=2)
    pool.places.add(cast(Worker, FakeWorker(voice_of(""))))
    with pool.places.held(voice_of("m")) as first, pool.places.held(voice_of("m")) as second:
        assert first is not second
        assert first.breaker is second.breaker
    with pool.places.held(voice_of("n")) as third:
        assert third.breaker is not first.breaker


def test_a_busy_worker_of_the_model_is_waited_for_rather_than_another_one_started() -> None:
    pool = Pool(at_once=2, start_cost_s=LONG_S)
    found: list[Place] = []

    def take() -> None:
        with pool.places.held(voice_of("m")) as place:
            found.append(place)

    with pool.places.held(voice_of("m")) as place:
        waiter = threading.Thread(target=take, daemon=True)
        waiter.start()
        with pool.places.held(voice_of("n")) as other:  # another model has nothing to wait for
            assert other is not place
        assert found == []
    waiter.join(LONG_S)
    assert found == [place]


def test_it_is_not_waited_for_longer_than_a_start_takes() -> None:
    pool = Pool(at_once=2, start_cost_s=0.05)
    with pool.places.held(voice_of("m")) as place, pool.places.held(voice_of("m")) as other:
        assert other is not place


def test_who_waits_for_a_busy_worker_can_be_cancelled() -> None:
    pool = Pool(at_once=2, start_cost_s=LONG_S)
    errand = Errand()
    with pool.places.held(voice_of("m")):
        threading.Timer(0.05, errand.patience.cancel).start()
        with pytest.raises(CancelledError), pool.places.held(voice_of("m"), errand):
            pass


# --- how many ---


def test_no_more_are_held_at_once_than_the_limit() -> None:
    pool = Pool(at_once=3)
    together = threading.Barrier(3)
    held: set[int] = set()
    most = 0
    lock = threading.Lock()

    def work(number: int) -> None:
        nonlocal most
        order = random.Random(number)
        for _ in range(25):
            voice = voice_of("m", order.choice("abc"))
            with pool.places.held(voice) as place:
                with lock:
                    assert id(place) not in held, "two hold one place"
                    held.add(id(place))
                    most = max(most, len(held))
                    pool.occupy(place, voice)
                time.sleep(order.random() / 2000)
                with lock:
                    held.remove(id(place))

    def meet() -> None:
        with pool.places.held(voice_of("m")):
            together.wait(LONG_S)

    run_threads([meet] * 3)
    run_threads([lambda number=number: work(number) for number in range(16)])  # type: ignore[misc]
    assert most <= 3
    assert len(pool.alive) <= 3


def test_the_one_used_least_recently_makes_room_for_a_new_model() -> None:
    pool = Pool(processes=3)
    workers = {name: pool.use(voice_of(name)) for name in "abc"}
    pool.use(voice_of("a"))
    pool.use(voice_of("d"))
    assert not workers["b"].is_alive
    assert len(pool.alive) == 3
    assert pool.use(voice_of("a")) is workers["a"]
    assert pool.use(voice_of("c")) is workers["c"]


def test_nobody_has_to_go_while_there_is_room() -> None:
    pool = Pool(processes=8)
    workers = [pool.use(voice_of(str(number))) for number in range(8)]
    assert pool.alive == workers


def test_one_that_is_held_is_not_ended_for_room() -> None:
    pool = Pool(at_once=3, processes=3)
    with ExitStack() as stack:
        for name in "ab":
            place = stack.enter_context(pool.places.held(voice_of(name)))
            pool.occupy(place, voice_of(name))
        pool.use(voice_of("c"))
        pool.use(voice_of("d"))
        assert [worker.voice.model for worker in pool.alive] == ["a", "b", "d"]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 5))
def test_the_workers_are_the_models_used_last(models: list[str], processes: int) -> None:
    pool = Pool(processes=processes)
    last_used: list[str] = []
    for model in models:
        pool.use(voice_of(model))
        last_used = [model, *(other for other in last_used if other != model)]
        alive = {worker.voice.model for worker in pool.alive}
        assert alive == set(last_used[:processes])
        assert len(pool.alive) == len(alive)


# --- memory ---


def test_where_all_take_too_much_the_idle_ones_used_least_recently_go() -> None:
    pool = Pool(memory_mb=100)
    for name in "abcd":
        pool.use(voice_of(name), memory_mb=30)
    assert [worker.voice.model for worker in pool.alive] == ["b", "c", "d"]
    pool.use(voice_of("b"), memory_mb=60)
    assert [worker.voice.model for worker in pool.alive] == ["b", "d"]


def test_one_that_alone_takes_too_much_is_ended_after_its_work() -> None:
    pool = Pool(memory_mb=100)
    pool.use(voice_of("a"), memory_mb=101)
    assert pool.alive == []
    assert pool.places.all() == []


def test_one_that_is_held_is_not_ended_for_memory() -> None:
    pool = Pool(at_once=2, memory_mb=100)
    with pool.places.held(voice_of("a")) as place:
        held = pool.occupy(place, voice_of("a"))
        pool.use(voice_of("b"), memory_mb=60)
        pool.use(voice_of("c"), memory_mb=60)
        assert [worker.voice.model for worker in pool.alive] == ["a", "c"]
    assert held.is_alive


@pytest.mark.parametrize(("grown_mb", "is_replaced"), [(299, False), (301, True)])
def test_one_that_has_grown_too_much_since_its_first_answer_is_replaced(
    grown_mb: int, is_replaced: bool
) -> None:
    pool = Pool()
    worker = pool.use(voice_of("m"), memory_mb=500)
    assert pool.use(voice_of("m"), memory_mb=600) is worker
    pool.use(voice_of("m"), memory_mb=500 + grown_mb)
    assert worker.is_alive is not is_replaced
    assert (pool.use(voice_of("m"), memory_mb=500) is worker) is not is_replaced


def test_the_memory_of_a_model_that_was_still_loading_is_no_measure_of_growth() -> None:
    pool = Pool()
    voice = voice_of("m")
    with pool.places.idle(voice) as place:  # as a warm-up does, or a load that is cancelled
        assert place is not None
        worker = pool.occupy(place, voice)
        pool.memory[worker.process_id] = 10 * MIB
    assert pool.use(voice, memory_mb=450) is worker
    assert worker.is_alive
    pool.use(voice, memory_mb=751)
    assert not worker.is_alive


def test_the_successor_of_a_worker_that_died_is_measured_by_itself() -> None:
    pool = Pool()
    worker = pool.use(voice_of("m"), memory_mb=100)
    worker.kill()
    successor = pool.use(voice_of("m"), memory_mb=450)
    assert successor.is_alive
    assert pool.use(voice_of("m"), memory_mb=740) is successor
    assert successor.is_alive


# --- rest ---


def test_those_that_nobody_has_used_for_long_are_ended() -> None:
    pool = Pool(idle_s=60)
    old, young = pool.use(voice_of("old")), pool.use(voice_of("young"))
    pool.clock.advance(30)
    pool.use(voice_of("young"))
    pool.clock.advance(40)
    pool.places.tidy()
    assert (old.is_alive, young.is_alive) == (False, True)
    pool.clock.advance(30)
    pool.places.tidy()
    assert pool.alive == []
    assert pool.places.report() == []


def test_one_at_work_is_not_ended_however_long_it_takes() -> None:
    pool = Pool(idle_s=60)
    with pool.places.held(voice_of("m")) as place:
        worker = pool.occupy(place, voice_of("m"))
        pool.clock.advance(1000)
        pool.places.tidy()
        assert worker.is_alive
    pool.places.tidy()
    assert worker.is_alive  # it has just been used


def test_without_a_limit_they_stay() -> None:
    pool = Pool(idle_s=float("inf"))
    worker = pool.use(voice_of("m"))
    pool.clock.advance(1e9)
    pool.places.tidy()
    assert worker.is_alive


def test_one_that_has_rested_is_held_out_of_turn_once() -> None:
    pool = Pool()
    pool.use(voice_of("m"))
    pool.clock.advance(9)
    with pool.places.resting(10) as place:
        assert place is None
    pool.clock.advance(2)
    with pool.places.resting(10) as place:
        assert place is not None
        assert place.is_busy
    with pool.places.resting(10) as again:
        assert again is None


def test_being_asked_how_it_is_does_not_count_as_use() -> None:
    pool = Pool(idle_s=60)
    worker = pool.use(voice_of("m"))
    for _ in range(7):
        pool.clock.advance(10)
        with pool.places.resting(9) as place:
            assert place is not None
    pool.places.tidy()
    assert not worker.is_alive


def test_nobody_is_asked_how_it_is_while_others_want_to_work() -> None:
    pool = Pool(at_once=1)
    pool.use(voice_of("m"))
    pool.clock.advance(100)
    with pool.places.held(voice_of("n")), pool.places.resting(10) as place:
        assert place is None
    with pool.places.resting(10) as place:
        assert place is not None


# --- whose turn ---


class Queue:
    """Threads that want a place, in an order that is known, and what became of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._threads: list[threading.Thread] = []
        self.served: list[str] = []
        self.failures: list[BaseException] = []

    def add(self, name: str, errand: Errand) -> None:
        waiting = len(self._pool.places._waiting)
        self._threads.append(threading.Thread(target=self._wait, args=(name, errand), daemon=True))
        self._threads[-1].start()
        wait_until(lambda: len(self._pool.places._waiting) == waiting + 1)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(LONG_S)
            assert not thread.is_alive()

    def _wait(self, name: str, errand: Errand) -> None:
        try:
            with self._pool.places.held(voice_of("m"), errand):
                self.served.append(name)
        except BaseException as error:
            self.failures.append(error)


@pytest.fixture(name="pool")
def _pool() -> Pool:
    return Pool(at_once=1, start_cost_s=LONG_S)


@pytest.fixture(name="queue")
def _queue(pool: Pool) -> Queue:
    return Queue(pool)


def test_the_first_to_come_is_the_first_to_be_served(pool: Pool, queue: Queue) -> None:
    with pool.places.held(voice_of("m")):
        for name in "abcdef":
            queue.add(name, Errand())
    queue.join()
    assert queue.served == list("abcdef")


def test_those_that_are_ahead_of_what_is_heard_let_others_go_first(
    pool: Pool, queue: Queue
) -> None:
    with pool.places.held(voice_of("m")):
        for name, is_ahead in [("a2", True), ("a3", True), ("b1", False), ("c1", False)]:
            queue.add(name, Errand(is_ahead=is_ahead))
    queue.join()
    assert queue.served == ["b1", "c1", "a2", "a3"]


def test_who_is_cancelled_stops_waiting_and_holds_up_nobody(pool: Pool, queue: Queue) -> None:
    errand = Errand()
    with pool.places.held(voice_of("m")):
        queue.add("impatient", errand)
        queue.add("patient", Errand())
        errand.patience.cancel()
        wait_until(lambda: bool(queue.failures))
        assert isinstance(queue.failures[0], CancelledError)
    queue.join()
    assert queue.served == ["patient"]


def test_whose_time_is_up_stops_waiting(pool: Pool, queue: Queue) -> None:
    patience = Patience(pool.clock)
    patience.end_in(5)
    with pool.places.held(voice_of("m")):
        queue.add("late", Errand(patience))
        pool.clock.advance(6)
        wait_until(lambda: bool(queue.failures))
    assert isinstance(queue.failures[0], OutOfTimeError)


def test_the_time_of_waiting_is_told(pool: Pool, queue: Queue) -> None:
    errand = Errand()
    with pool.places.held(voice_of("m")):
        queue.add("a", errand)
        pool.clock.advance(7)
    queue.join()
    assert errand.queue_s == pytest.approx(7)


def test_a_failure_frees_the_place(pool: Pool) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), pool.places.held(voice_of("m")):
            raise ZeroDivisionError
    assert len(pool.places._places) == 1


def test_a_warm_up_never_waits(pool: Pool, queue: Queue) -> None:
    with pool.places.held(voice_of("m")):
        with pool.places.idle(voice_of("m")) as place:
            assert place is None
        queue.add("a", Errand())
    queue.join()
    with pool.places.idle(voice_of("m")) as place:
        assert place is not None
        with pool.places.idle(voice_of("m")) as other:
            assert other is None


# --- what is told ---


def test_the_report_tells_of_each_worker() -> None:
    pool = Pool(at_once=2)
    worker = pool.use(voice_of("m"), memory_mb=30)
    pool.clock.advance(4)
    with pool.places.held(voice_of("n")) as place:
        busy = pool.occupy(place, voice_of("n"))
        report = pool.places.report()
    assert report == [
        {
            "engine": "acme",
            "voice": "acme:v",
            "state": "idle",
            "process_id": worker.process_id,
            "memory_bytes": 30 * MIB,
            "idle_s": 4.0,
        },
        {
            "engine": "acme",
            "voice": "acme:v",
            "state": "busy",
            "process_id": busy.process_id,
            "memory_bytes": 0,
            "idle_s": 0.0,
        },
    ]


def test_it_is_told_where_a_model_is_left_alone() -> None:
    pool = Pool()
    with pool.places.held(voice_of("m")) as place:
        for _ in range(5):
            assert not pool.places.has_given_up()
            place.breaker.died()
    assert pool.places.has_given_up()
    pool.clock.advance(61)
    assert not pool.places.has_given_up()


def test_in_the_end_all_are_ended() -> None:
    pool = Pool(at_once=2)
    pool.use(voice_of("a"))
    with pool.places.held(voice_of("b")) as place:
        pool.occupy(place, voice_of("b"))
        pool.places.end_all()
        assert pool.alive == []


@pytest.fixture(name="hold")
def _hold() -> Iterator[Callable[[Pool, Voice], Place]]:
    """Holds a place until the end of the test."""
    with ExitStack() as stack:
        yield lambda pool, voice: stack.enter_context(pool.places.held(voice))


def test_held_places_of_one_model_are_distinct(hold: Callable[[Pool, Voice], Place]) -> None:
    pool = Pool(at_once=4)
    places = [hold(pool, voice_of("m")) for _ in range(4)]
    assert len(set(map(id, places))) == 4

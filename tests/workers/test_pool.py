"""Several workers at once: each request gets its own sound, and nobody waits for the dead."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import psutil
import pytest

from tests.cache.remembered import FakeClock
from tests.timing import LONG_S, run_threads, wait_until
from ttsctl.engines.tone import request_digest
from ttsctl.errors import (
    CancelledError,
    EngineCrashError,
    EngineError,
    InvalidVoiceError,
    OutOfTimeError,
)
from ttsctl.patience import Patience
from ttsctl.speech import Clip, Errand, Utterance, Voice, join
from ttsctl.workers.breaker import WINDOW_S
from ttsctl.workers.parent import Worker
from ttsctl.workers.place import PoolLimits
from ttsctl.workers.supervisor import PROBE_AFTER_S, Supervisor

MakeSupervisor = Callable[..., Supervisor]


@pytest.fixture(name="make")
def _make() -> Iterator[MakeSupervisor]:
    """Makes supervisors that do not wait before they start a worker again."""
    made: list[Supervisor] = []

    def make(at_once: int = 1, retries: int = 0, **options: object) -> Supervisor:
        options = {"sleep": lambda _: None, **options}
        limits = PoolLimits(at_once, start_cost_s=0.0)
        made.append(Supervisor(limits, retries=retries, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.close()


def utterance(voice: Voice, text: str) -> Utterance:
    return Utterance((text,), voice, "und")


def speak(
    supervisor: Supervisor, voice: Voice, text: str, patience: Patience | None = None
) -> Clip:
    errand = Errand(patience or Patience())
    return join(list(supervisor.stream(utterance(voice, text), errand)))


def is_own(clip: Clip, voice: Voice, text: str) -> bool:
    return clip.pcm.startswith(request_digest(utterance(voice, text)))


def fill(supervisor: Supervisor, *voices: Voice) -> None:
    """Have a worker started for each of `voices`, all at work at the same time."""
    streams = [supervisor.stream(utterance(voice, "one")) for voice in voices]
    for stream in streams:
        next(stream)
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]


def states(supervisor: Supervisor) -> list[str]:
    return [worker["state"] for worker in supervisor.workers()]


class Asker:
    """A request in a thread of its own."""

    def __init__(self, supervisor: Supervisor, voice: Voice, text: str) -> None:
        self.patience = Patience()
        self.clips: list[Clip] = []
        self.failure: BaseException | None = None
        self._work = (supervisor, utterance(voice, text))
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        supervisor, wanted = self._work
        try:
            for clip in supervisor.stream(wanted, Errand(self.patience)):
                self.clips.append(clip)
        except BaseException as error:
            self.failure = error

    def join(self) -> None:
        self._thread.join(LONG_S)
        assert not self._thread.is_alive()


# --- side by side ---


def test_two_utterances_are_synthesized_at_the_same_time(
    make: MakeSupervisor, faulty: Voice
) -> None:
    supervisor = make(at_once=2)
    askers = [Asker(supervisor, faulty, f"{name} !slow=800") for name in "ab"]
    wait_until(lambda: states(supervisor) == ["busy", "busy"])
    for asker, name in zip(askers, "ab", strict=True):
        asker.join()
        assert is_own(join(asker.clips), faulty, f"{name} !slow=800")
    assert len(supervisor.worker_process_ids()) == 2


def test_one_at_a_time_is_one_process(make: MakeSupervisor, faulty: Voice) -> None:
    supervisor = make(at_once=1)
    askers = [Asker(supervisor, faulty, f"{number} !slow=20") for number in range(4)]
    for asker in askers:
        asker.join()
        assert asker.failure is None
    assert len(supervisor.worker_process_ids()) == 1


def test_voices_of_one_engine_keep_their_workers(
    make: MakeSupervisor, tone: Voice, faulty: Voice
) -> None:
    supervisor = make(at_once=2)
    fill(supervisor, tone, faulty)
    before = supervisor.worker_process_ids()
    for voice in (tone, faulty, faulty, tone, faulty):
        assert is_own(speak(supervisor, voice, "c"), voice, "c")
        assert {worker["voice"] for worker in supervisor.workers()} == {tone.id, faulty.id}
    assert supervisor.worker_process_ids() == before


@pytest.mark.slow
def test_3200_requests_of_16_threads_over_two_workers_are_not_crossed(
    make: MakeSupervisor, tone: Voice, faulty: Voice
) -> None:
    supervisor = make(at_once=2)
    fill(supervisor, tone, faulty)
    wrong: list[str] = []

    def ask(thread: int) -> None:
        for number in range(200):
            voice = tone if number % 3 else faulty
            text = f"{thread} {number}"
            if not is_own(speak(supervisor, voice, text), voice, text):
                wrong.append(text)

    run_threads([lambda thread=thread: ask(thread) for thread in range(16)])  # type: ignore[misc]
    assert wrong == []
    assert len(supervisor.worker_process_ids()) == 2


@pytest.mark.slow
def test_listeners_that_leave_and_engines_that_die_cross_nothing(
    make: MakeSupervisor, faulty: Voice
) -> None:
    # By this clock no two deaths are within a minute, so that the model is never left alone.
    supervisor = make(at_once=2, clock=partial(next, itertools.count(0.0, 2 * WINDOW_S)))
    wrong: list[str] = []

    def ask(thread: int) -> None:
        for number in range(40):
            text = f"{thread} {number} " + ("!partial", "!raise", "fine", "fine")[number % 4]
            stream = supervisor.stream(utterance(faulty, text))
            try:
                first = next(stream)
                if number % 3:
                    list(stream)
                else:
                    stream.close()  # type: ignore[attr-defined]
            except EngineError:
                continue
            if not is_own(first, faulty, text):
                wrong.append(text)

    run_threads([lambda thread=thread: ask(thread) for thread in range(8)])  # type: ignore[misc]
    assert wrong == []
    assert is_own(speak(supervisor, faulty, "after"), faulty, "after")


# --- deaths ---


@pytest.mark.parametrize("text", ["!segv", "!exit"])
def test_a_crash_before_the_first_sound_is_tried_again_once(
    make: MakeSupervisor, faulty: Voice, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = make(retries=1)
    with caplog.at_level(logging.WARNING), pytest.raises(EngineCrashError):
        speak(supervisor, faulty, text)
    assert supervisor.restarts == 1
    assert caplog.text.count("trying again") == 1


def test_who_was_killed_by_the_text_before_gets_another_worker(
    make: MakeSupervisor, faulty: Voice
) -> None:
    supervisor = make(retries=1)
    speak(supervisor, faulty, "hello")
    (process_id,) = supervisor.worker_process_ids()
    asker = Asker(supervisor, faulty, "a !slow=300")
    wait_until(lambda: states(supervisor) == ["busy"])
    os.kill(process_id, signal.SIGKILL)
    asker.join()
    assert is_own(join(asker.clips), faulty, "a !slow=300")


def test_a_crash_after_the_first_sound_is_not_tried_again(
    make: MakeSupervisor, faulty: Voice
) -> None:
    supervisor = make(retries=1)
    heard: list[Clip] = []
    with pytest.raises(EngineCrashError):
        heard.extend(supervisor.stream(utterance(faulty, "!partial")))
    assert supervisor.restarts == 0


@pytest.mark.parametrize("text", ["!raise", "!endless"])
def test_what_is_no_crash_is_not_tried_again(
    make: MakeSupervisor, faulty: Voice, text: str
) -> None:
    supervisor = make(retries=1)
    with pytest.raises(EngineError):
        speak(supervisor, faulty, text)
    assert supervisor.restarts == 0


def test_after_five_deaths_the_model_is_left_alone_for_a_minute(
    make: MakeSupervisor, faulty: Voice
) -> None:
    clock = FakeClock()
    started: list[str] = []

    def start(engine: str) -> Worker:
        started.append(engine)
        return Worker(engine)

    supervisor = make(clock=clock, start_worker=start)
    for _ in range(5):
        with pytest.raises(EngineCrashError):
            speak(supervisor, faulty, "!exit")
    for _ in range(3):
        with pytest.raises(EngineError, match="left alone; try again in 60 s"):
            speak(supervisor, faulty, "fine")
    assert supervisor.is_given_up()
    assert len(started) == 5
    clock.advance(WINDOW_S + 1)
    assert not supervisor.is_given_up()
    assert is_own(speak(supervisor, faulty, "fine"), faulty, "fine")
    with pytest.raises(EngineCrashError):
        speak(supervisor, faulty, "!exit")
    assert is_own(speak(supervisor, faulty, "fine"), faulty, "fine")


def test_requests_that_nobody_wants_any_more_are_no_deaths_of_the_model(
    make: MakeSupervisor, faulty: Voice
) -> None:
    """An engine that does not let go is killed, which is not its fault."""
    waits: list[float] = []
    supervisor = make(sleep=waits.append)
    speak(supervisor, faulty, "hello")
    (process_id,) = supervisor.worker_process_ids()
    asker = Asker(supervisor, faulty, "!hang")
    wait_until(lambda: states(supervisor) == ["busy"])
    asker.patience.cancel()
    asker.join()
    assert isinstance(asker.failure, CancelledError)
    assert is_own(speak(supervisor, faulty, "hello"), faulty, "hello")
    assert supervisor.worker_process_ids() != [process_id]
    assert (waits, supervisor.restarts) == ([], 0)


# --- patience ---


@pytest.mark.parametrize("text", ["a !slow=400", "!hang"])
def test_a_cancelled_utterance_ends_soon_and_the_next_is_spoken(
    make: MakeSupervisor, faulty: Voice, text: str
) -> None:
    supervisor = make()
    speak(supervisor, faulty, "hello")
    asker = Asker(supervisor, faulty, text)
    wait_until(lambda: states(supervisor) == ["busy"])
    cancelled_at = time.monotonic()
    asker.patience.cancel()
    asker.join()
    assert isinstance(asker.failure, CancelledError)
    assert time.monotonic() - cancelled_at < 10
    assert asker.clips == []
    assert is_own(speak(supervisor, faulty, "next"), faulty, "next")


def test_an_engine_that_lets_go_is_not_replaced(make: MakeSupervisor, faulty: Voice) -> None:
    supervisor = make()
    speak(supervisor, faulty, "hello")
    before = supervisor.worker_process_ids()
    asker = Asker(supervisor, faulty, "a !slow=200")
    wait_until(lambda: states(supervisor) == ["busy"])
    asker.patience.cancel()
    asker.join()
    assert is_own(speak(supervisor, faulty, "next"), faulty, "next")
    assert supervisor.worker_process_ids() == before


def test_an_utterance_whose_time_is_up_is_ended(make: MakeSupervisor, faulty: Voice) -> None:
    supervisor = make()
    patience = Patience()
    patience.end_in(0.2)
    with pytest.raises(OutOfTimeError, match=r"took longer than 0\.2 s"):
        speak(supervisor, faulty, "!hang", patience)
    assert is_own(speak(supervisor, faulty, "next"), faulty, "next")


def test_an_engine_that_never_pauses_can_be_interrupted(
    make: MakeSupervisor, faulty: Voice
) -> None:
    supervisor = make()
    errand = Errand()
    stream = supervisor.stream(utterance(faulty, "x" * 1000 + " !endless"), errand)
    next(stream)
    errand.patience.cancel()
    with pytest.raises(CancelledError):
        list(stream)
    assert is_own(speak(supervisor, faulty, "next"), faulty, "next")


def test_a_request_that_waits_for_a_worker_can_be_cancelled(
    make: MakeSupervisor, faulty: Voice
) -> None:
    supervisor = make()
    busy = Asker(supervisor, faulty, "a !slow=500")
    wait_until(lambda: states(supervisor) == ["busy"])
    waiting = Asker(supervisor, faulty, "b")
    waiting.patience.cancel()
    waiting.join()
    assert isinstance(waiting.failure, CancelledError)
    busy.join()
    assert is_own(join(busy.clips), faulty, "a !slow=500")


class InterruptedWaitError(CancelledError):
    """Ends a wait for a worker."""


def interrupt() -> None:
    raise InterruptedWaitError("enough")


def stopped(worker: Worker) -> psutil.Process:
    """Have the process of `worker` stand still, so that it answers nothing for now."""
    process = psutil.Process(worker.process_id)
    process.suspend()
    return process


def test_a_start_that_is_given_up_half_way_leaves_no_answer_behind(tone: Voice) -> None:
    worker = Worker("tone")
    process = stopped(worker)
    with pytest.raises(InterruptedWaitError):
        worker.load(tone, interrupt)
    process.resume()
    with closing(worker.stream(utterance(tone, "mine"), LONG_S)) as clips:
        assert is_own(join(list(clips)), tone, "mine")
    worker.kill()


@pytest.mark.parametrize("next_name", ["faulty", "sine"])
def test_a_load_that_is_given_up_half_way_leaves_no_answer_behind(
    tone: Voice, faulty: Voice, next_name: str
) -> None:
    worker = Worker("tone")
    worker.load(tone)
    process = stopped(worker)
    with pytest.raises(InterruptedWaitError):
        worker.load(faulty, interrupt)
    process.resume()
    voice = faulty if next_name == "faulty" else tone
    worker.load(voice)
    for text in ("mine", "mine too"):
        with closing(worker.stream(utterance(voice, text), LONG_S)) as clips:
            assert is_own(join(list(clips)), voice, text)
    assert worker.voice == voice
    assert [each.name for each in worker.voices()] == ["sine", "faulty"]
    worker.kill()


def test_a_load_that_is_given_up_and_then_fails_is_nobodys_failure(tone: Voice) -> None:
    worker = Worker("tone")
    worker.wait_ready()
    process = stopped(worker)
    with pytest.raises(InterruptedWaitError):
        worker.load(Voice("tone", "nobody", "und", ""), interrupt)
    process.resume()
    worker.load(tone)
    with closing(worker.stream(utterance(tone, "mine"), LONG_S)) as clips:
        assert is_own(join(list(clips)), tone, "mine")
    worker.kill()


def test_the_last_of_the_voices_that_were_warmed_up_is_the_one_that_is_waited_for(
    make: MakeSupervisor, tone: Voice, faulty: Voice
) -> None:
    """Each load is answered: none of the answers may be taken for that to the next request."""
    nobody = Voice("tone", "nobody", "und", "")
    supervisor = make()
    for voice in (tone, nobody, faulty, tone, faulty):
        supervisor.warm_up(voice)
    for number, voice in enumerate((faulty, faulty, tone, faulty)):
        assert is_own(speak(supervisor, voice, f"text {number}"), voice, f"text {number}")
    supervisor.warm_up(nobody)
    supervisor.warm_up(tone)
    assert is_own(speak(supervisor, faulty, "another one"), faulty, "another one")
    supervisor.warm_up(tone)
    supervisor.warm_up(nobody)
    with pytest.raises(InvalidVoiceError):
        supervisor.load(nobody)
    assert is_own(speak(supervisor, tone, "the last one"), tone, "the last one")
    assert len(supervisor.worker_process_ids()) == 1


def test_a_voice_that_cannot_be_loaded_everywhere_leaves_no_answer_behind(
    make: MakeSupervisor, tone: Voice
) -> None:
    supervisor = make(at_once=2)
    with pytest.raises(InvalidVoiceError):
        supervisor.load_everywhere(Voice("tone", "nobody", "und", ""))
    supervisor.load_everywhere(tone)
    assert len(supervisor.worker_process_ids()) == 2
    askers = [Asker(supervisor, tone, name) for name in "abcd"]
    for asker, name in zip(askers, "abcd", strict=True):
        asker.join()
        assert is_own(join(asker.clips), tone, name)


# --- rest and the end ---


def test_a_worker_that_is_well_is_probed_when_it_has_rested(
    make: MakeSupervisor, faulty: Voice
) -> None:
    clock = FakeClock()
    supervisor = make(clock=clock)
    speak(supervisor, faulty, "hello")
    clock.advance(PROBE_AFTER_S + 1)
    used_before = supervisor.workers()[0]["idle_s"]
    supervisor.probe()
    supervisor.probe()
    (worker,) = supervisor.workers()
    assert worker["idle_s"] == used_before
    assert supervisor.restarts == 0
    assert is_own(speak(supervisor, faulty, "hello"), faulty, "hello")


@pytest.mark.slow
def test_a_worker_that_is_stopped_is_found_and_replaced(
    make: MakeSupervisor, faulty: Voice, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    supervisor = make(clock=clock)
    speak(supervisor, faulty, "hello")
    (process_id,) = supervisor.worker_process_ids()
    os.kill(process_id, signal.SIGSTOP)
    supervisor.probe()  # it has not rested for long enough
    assert supervisor.worker_process_ids() == [process_id]
    clock.advance(PROBE_AFTER_S + 1)
    with caplog.at_level(logging.WARNING):
        supervisor.probe()
    assert "was not well" in caplog.text
    (successor,) = supervisor.worker_process_ids()
    assert successor != process_id
    assert is_own(speak(supervisor, faulty, "hello"), faulty, "hello")
    assert supervisor.restarts == 1


def test_a_worker_that_died_in_its_sleep_is_found_and_replaced(
    make: MakeSupervisor, faulty: Voice
) -> None:
    clock = FakeClock()
    supervisor = make(clock=clock)
    speak(supervisor, faulty, "hello")
    (process_id,) = supervisor.worker_process_ids()
    os.kill(process_id, signal.SIGKILL)
    wait_until(lambda: supervisor.worker_process_ids() == [])
    clock.advance(PROBE_AFTER_S + 1)
    supervisor.probe()
    assert supervisor.worker_process_ids() not in ([], [process_id])
    assert supervisor.restarts == 1
    assert is_own(speak(supervisor, faulty, "hello"), faulty, "hello")


def test_a_closed_supervisor_starts_nothing_new(make: MakeSupervisor, tone: Voice) -> None:
    supervisor = make()
    speak(supervisor, tone, "hello")
    supervisor.close()
    supervisor.close()
    for attempt in (
        lambda: speak(supervisor, tone, "hello"),
        lambda: supervisor.load(tone),
        lambda: supervisor.voices("tone"),
    ):
        with pytest.raises(EngineError, match="about to end"):
            attempt()
    supervisor.warm_up(tone)
    assert supervisor.worker_process_ids() == []


@pytest.mark.parametrize("text", ["a !slow=5000", "!hang"])
def test_what_is_in_hand_fails_in_order_when_the_supervisor_is_closed(
    make: MakeSupervisor, faulty: Voice, text: str
) -> None:
    supervisor = make(at_once=2, retries=1)
    speak(supervisor, faulty, "hello")
    askers = [Asker(supervisor, faulty, text) for _ in range(2)]
    wait_until(lambda: states(supervisor) == ["busy", "busy"])
    processes = [psutil.Process(each) for each in supervisor.worker_process_ids()]
    supervisor.close()
    for asker in askers:
        asker.join()
        assert isinstance(asker.failure, EngineError)
    gone, _ = psutil.wait_procs(processes, timeout=LONG_S)
    assert len(gone) == len(processes)


def test_a_worker_that_starts_while_the_supervisor_is_closed_is_ended(
    make: MakeSupervisor, tone: Voice
) -> None:
    started: list[Worker] = []

    def start(engine: str) -> Worker:
        started.append(Worker(engine))
        supervisor.close()
        return started[-1]

    supervisor = make(start_worker=start)
    with pytest.raises(EngineError, match="about to end"):
        speak(supervisor, tone, "hello")
    assert not started[0].is_alive

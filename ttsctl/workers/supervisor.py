"""Keeps engines available through crashes: the `Synthesizer` that everything above uses."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from ttsctl.errors import CancelledError, EngineCrashError, EngineError, TtsctlError
from ttsctl.speech import Clip, Errand, Utterance, Voice
from ttsctl.workers.parent import Worker
from ttsctl.workers.place import Place, PoolLimits
from ttsctl.workers.places import Places

MIN_DEADLINE_S = 30.0
DEADLINE_FACTOR = 20  # times the length of the audio that the text is expected to make
LONGEST_S_PER_CHARACTER = 10.0
PROBE_AFTER_S, PROBE_DEADLINE_S = 10.0, 5.0
SECONDS_PER_CHARACTER = 0.08  # generous: ordinary English speech takes about 0.065

_PROBE = ("a",)

_logger = logging.getLogger(__name__)


def expected_s(text: str, speed: float) -> float:
    """Return about how many seconds of speech `text` makes."""
    return len(text) * SECONDS_PER_CHARACTER / speed


def deadline_s(utterance: Utterance) -> float:
    """Return how many seconds an engine may take over `utterance` before it counts as hung."""
    return max(MIN_DEADLINE_S, DEADLINE_FACTOR * expected_s(utterance.text, utterance.speed))


def longest_sound_s(utterance: Utterance) -> float:
    """Return how many seconds of sound `utterance` may make before its engine counts as stuck.

    A sign that a voice cannot read is spelled out by its code point, which takes up to 6 s.
    """
    characters = len(utterance.text)
    return max(MIN_DEADLINE_S, characters * LONGEST_S_PER_CHARACTER) / utterance.speed


class Supervisor:
    """A pool of workers, each started when first needed and replaced after it died.

    Safe to use from several threads: one request at a time enters an engine, and no more than the
    limits say are in engines at all; the others wait. So a thread must finish or close a stream
    before it asks again. See `Breaker` for what happens to a model that keeps dying.

    Args:
        limits: How many workers, and how much they may take.
        start_worker: Makes a worker of an engine.
        started: A worker that runs already.
        retries: How often an utterance whose worker died is given to another one, where nothing of
            it had been heard.
        deadline_s: See the function of that name.
    """

    def __init__(
        self,
        limits: PoolLimits = PoolLimits(),  # noqa: B008 - it is frozen
        *,
        start_worker: Callable[[str], Worker] = Worker,
        started: Worker | None = None,
        retries: int = 0,
        deadline_s: Callable[[Utterance], float] = deadline_s,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start_worker = start_worker
        self._retries = retries
        self._deadline_s = deadline_s
        self._sleep = sleep
        self._clock = clock
        self._at_once = limits.at_once
        self._places = Places(limits, clock)
        self._is_closed = False
        self.restarts = 0
        if started is not None:
            self._places.add(started)

    def stream(self, utterance: Utterance, errand: Errand | None = None) -> Iterator[Clip]:
        """Yield the sound of `utterance` from a worker of its engine."""
        errand = errand or Errand()
        for retries_left in range(self._retries, -1, -1):
            is_begun = False
            try:
                for clip in self._attempt(utterance, errand):
                    is_begun = True
                    yield clip
            except EngineCrashError as error:
                if is_begun or not retries_left:
                    raise
                _logger.warning("trying again: %s", error.message)
            else:
                return

    def warm_up(self, voice: Voice, *, has_trial: bool = False) -> None:
        """Start a worker now and have it load `voice`, unless all are busy."""
        # A warm-up that fails is not an error: the voice loads, or fails, on first use.
        with contextlib.suppress(TtsctlError), self._places.idle(voice) as place:
            if place is not None and place.voice != voice:
                self._running(place).begin_load(voice, has_trial=has_trial)

    def load(self, voice: Voice) -> None:
        """Wait until `voice` is loaded in a worker of its engine."""
        with self._places.held(voice) as place:
            self._loaded(place, voice, Errand())

    def load_everywhere(self, voice: Voice) -> None:
        """Wait until as many workers as may work at the same time have `voice` loaded."""
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(self._places.held(voice)) for _ in range(self._at_once)]
            for place in held:
                self._running(place).begin_load(voice, has_trial=True)
            for place in held:
                self._loaded(place, voice, Errand())

    def voices(self, engine: str) -> list[Voice]:
        """Return the voices that `engine` reports."""
        with self._places.held(Voice(engine, "", "", "")) as place:
            return self._running(place).voices()

    def tidy(self) -> None:
        """End the workers that have not been used for so long as the limits say."""
        self._places.tidy()

    def probe(self) -> None:
        """Have each worker that has rested for 10 s say a word; one that does not is ended.

        An open pipe proves nothing: a worker may be stopped, or stuck.
        """
        is_done = False
        while not is_done:
            with self._places.resting(PROBE_AFTER_S) as place:
                is_done = place is None
                if place is not None:
                    self._probe(place)

    def is_given_up(self) -> bool:
        """Tell whether a model is being left alone because its workers kept dying."""
        return self._places.has_given_up()

    def workers(self) -> list[dict[str, Any]]:
        """Return what there is to tell of each worker, by name."""
        return self._places.report()

    def worker_process_ids(self) -> list[int]:
        """Return the process ids of the workers that run."""
        workers = [place.worker for place in self._places.all()]
        return [worker.process_id for worker in workers if worker and worker.is_alive]

    def close(self) -> None:
        """End the workers, in the middle of a request if need be; no new ones are started."""
        self._is_closed = True
        self._places.end_all()

    def _attempt(self, utterance: Utterance, errand: Errand) -> Iterator[Clip]:
        with self._places.held(utterance.voice, errand) as place:
            worker = self._loaded(place, utterance.voice, errand)
            limit_s = longest_sound_s(utterance)
            heard_s = 0.0
            deadline_s = self._deadline_s(utterance)
            check = errand.patience.check
            with _unblamed(place), closing(worker.stream(utterance, deadline_s, check)) as clips:
                for clip in clips:
                    check()  # the worker asks only where it has to wait
                    heard_s += clip.duration_s
                    if heard_s > limit_s:
                        raise EngineError(f"the engine does not stop: {heard_s:.0f} s so far")
                    yield clip
            place.answered()

    def _probe(self, place: Place) -> None:
        worker, voice = place.worker, place.voice
        if worker is None or voice is None:
            return
        try:
            if worker.is_alive:
                trial = Utterance(_PROBE, voice, voice.language)
                for _ in worker.stream(trial, PROBE_DEADLINE_S):
                    pass
        except TtsctlError as error:
            _logger.warning("a worker was not well: %s", error.message)
            worker.kill()
        if not worker.is_alive:
            _logger.warning("the worker of '%s' is replaced", voice.id)
            with contextlib.suppress(TtsctlError):  # the next request meets it again
                self._running(place).begin_load(voice, has_trial=True)

    def _loaded(self, place: Place, voice: Voice, errand: Errand) -> Worker:
        """Return the running worker of `place` with `voice` loaded."""
        asked_at = self._clock()
        worker = self._running(place)
        if not worker.has_loaded(voice):  # or the time of doing nothing would count as loading
            worker.load(voice, errand.patience.check)
            loaded_s = self._clock() - asked_at
            errand.load_s += loaded_s
            errand.patience.extend(loaded_s)  # a request has its time for speaking
        errand.moments = {
            "worker_started": worker.started_at,
            "worker_ready": worker.ready_at or worker.started_at,
            "voice_loaded": time.perf_counter(),
        }
        return worker

    def _running(self, place: Place) -> Worker:
        """Return the worker of `place`, a new one where there is none or it died."""
        self._check_open()
        is_dead = place.worker is not None and not place.worker.is_alive
        if is_dead:
            place.end()
            place.breaker.died()
            self.restarts += 1
        place.breaker.check()
        if is_dead:
            self._sleep(place.breaker.back_off_s())
        if place.worker is None:
            place.worker = self._start_worker(place.model[0])
            self._check_open()  # whoever closed it in the meantime did not see this one
        return place.worker

    def _check_open(self) -> None:
        if self._is_closed:
            raise EngineError("ttsctl is about to end; nothing new is spoken")


@contextmanager
def _unblamed(place: Place) -> Iterator[None]:
    """Not take it for a death where a worker was killed because its listener had gone."""
    try:
        yield
    except (CancelledError, GeneratorExit):
        if place.worker is not None and not place.worker.is_alive:
            place.end()
        raise

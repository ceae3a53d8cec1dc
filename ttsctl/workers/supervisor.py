"""Keeps an engine available through crashes: the `Synthesizer` that everything above uses."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from ttsctl.errors import EngineError, TtsctlError
from ttsctl.speech import Clip, Utterance, Voice
from ttsctl.workers.parent import Worker

FIRST_BACK_OFF_S = 0.1
MAX_BACK_OFF_S = 30.0
MIN_DEADLINE_S = 30.0
DEADLINE_FACTOR = 20  # times the length of the audio that the text is expected to make
LONGEST_S_PER_CHARACTER = 10.0
SECONDS_PER_CHARACTER = 0.08  # generous: ordinary English speech takes about 0.065


def deadline_s(utterance: Utterance) -> float:
    """Return how many seconds an engine may take over `utterance` before it counts as hung."""
    expected_s = len(utterance.text) * SECONDS_PER_CHARACTER / utterance.speed
    return max(MIN_DEADLINE_S, DEADLINE_FACTOR * expected_s)


def longest_sound_s(utterance: Utterance) -> float:
    """Return how many seconds of sound `utterance` may make before its engine counts as stuck.

    A sign that a voice cannot read is spelled out by its code point, which takes up to 6 s.
    """
    characters = len(utterance.text)
    return max(MIN_DEADLINE_S, characters * LONGEST_S_PER_CHARACTER) / utterance.speed


class Supervisor:
    """One worker an engine, started when first needed and replaced after it died.

    After a death the next start waits 0.1 s, doubling with each further death up to 30 s; an
    answered request sets it back. Safe to use from several threads: one request at a time enters an
    engine, the others wait; so a thread must finish or close a stream before it asks again.

    Args:
        started: A worker that runs already.
    """

    def __init__(
        self,
        *,
        start_worker: Callable[[str], Worker] = Worker,
        started: Worker | None = None,
        deadline_s: Callable[[Utterance], float] = deadline_s,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._start_worker = start_worker
        self._deadline_s = deadline_s
        self._sleep = sleep
        self._slots: dict[str, _Slot] = {}
        self._slots_lock = threading.Lock()
        if started is not None:
            self._slot(started.engine).worker = started

    def stream(self, utterance: Utterance) -> Iterator[Clip]:
        """Yield the sound of `utterance` from its engine's worker."""
        slot = self._slot(utterance.voice.engine)
        with slot.lock:
            worker = slot.running(self._start_worker, self._sleep)
            limit_s = longest_sound_s(utterance)
            heard_s = 0.0
            with closing(worker.stream(utterance, self._deadline_s(utterance))) as clips:
                for clip in clips:
                    heard_s += clip.duration_s
                    if heard_s > limit_s:
                        raise EngineError(f"the engine does not stop: {heard_s:.0f} s so far")
                    yield clip
            slot.deaths = 0

    def warm_up(self, voice: Voice) -> None:
        """Start the worker now and load `voice` in the background."""
        slot = self._slot(voice.engine)
        with slot.lock:
            slot.running(self._start_worker, self._sleep)
        threading.Thread(target=self._try_to_load, args=(voice,), daemon=True).start()

    def load(self, voice: Voice) -> None:
        """Wait until `voice` is loaded in its engine's worker."""
        slot = self._slot(voice.engine)
        with slot.lock:
            slot.running(self._start_worker, self._sleep).load(voice)

    def voices(self, engine: str) -> list[Voice]:
        """Return the voices that `engine` reports."""
        slot = self._slot(engine)
        with slot.lock:
            return slot.running(self._start_worker, self._sleep).voices()

    def worker_process_ids(self) -> list[int]:
        """Return the process ids of the workers that run."""
        workers = [slot.worker for slot in self._slots.values()]
        return [worker.process_id for worker in workers if worker and worker.is_alive]

    def close(self) -> None:
        """End the workers, in the middle of a request if need be."""
        for slot in self._slots.values():
            if slot.worker is not None:
                slot.worker.kill()

    def _slot(self, engine: str) -> _Slot:
        with self._slots_lock:
            return self._slots.setdefault(engine, _Slot(engine))

    def _try_to_load(self, voice: Voice) -> None:
        # A warm-up that fails is not an error: the voice loads, or fails, on first use.
        with contextlib.suppress(TtsctlError, OSError, ValueError):
            self.load(voice)


class _Slot:
    """The place of an engine's worker, dead or alive."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.lock = threading.Lock()
        self.worker: Worker | None = None
        self.deaths = 0

    def running(
        self, start_worker: Callable[[str], Worker], sleep: Callable[[float], None]
    ) -> Worker:
        """Return the worker, a new one where there is none or it died; the lock is held."""
        if self.worker is not None and not self.worker.is_alive:
            self.worker.kill()  # frees its pipes
            self.worker = None
            sleep(min(FIRST_BACK_OFF_S * 2**self.deaths, MAX_BACK_OFF_S))
            self.deaths += 1
        if self.worker is None:
            self.worker = start_worker(self.engine)
        return self.worker

"""Which workers there are, who has them, and which of them go first.

A worker keeps one model loaded, so the workers are the pool of loaded models: bounded in number and
in memory, the one used least recently goes first, and to unload a model its process is ended.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ttsctl.speech import Errand, Voice
from ttsctl.workers.breaker import Breaker
from ttsctl.workers.parent import Worker
from ttsctl.workers.place import Model, Place, PoolLimits

_GROWTH_BYTES = 300 << 20  # a worker that has grown by so much leaks, and is replaced
_CHECK_EVERY_S = 0.05


class Places:
    """The places of a pool. Safe to use from several threads."""

    def __init__(self, limits: PoolLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._places: list[Place] = []
        self._breakers: dict[Model, Breaker] = {}
        self._turn = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[tuple[bool, int]] = []
        self._is_over = False

    def add(self, worker: Worker) -> None:
        """Take in a worker that runs already; the model it has is not known."""
        self._places.append(self._new_place((worker.engine, ""), worker))

    @contextmanager
    def held(self, voice: Voice, errand: Errand | None = None) -> Iterator[Place]:
        """Hold a place for `voice` for the length of the block; waits for its turn.

        Those that are ahead of what is heard let the others go first. The worker of the place may
        be missing or dead.
        """
        errand = errand or Errand()
        asked_at = self._clock()
        place = self._take(voice, errand)
        errand.queue_s += self._clock() - asked_at
        try:
            yield place
        finally:
            self._give_back(place)

    @contextmanager
    def idle(self, voice: Voice) -> Iterator[Place | None]:
        """Hold a place for `voice` like `held`, or None where that would have to be waited for."""
        with self._turn:
            place = self._choose(voice) if self._has_room() and not self._waiting else None
        try:
            yield place
        finally:
            if place is not None:
                self._give_back(place)

    @contextmanager
    def resting(self, rest_s: float) -> Iterator[Place | None]:
        """Hold a place whose worker has neither answered nor been held so for `rest_s` seconds.

        None where there is none. Counts as no use.
        """
        with self._turn:
            since = self._clock() - rest_s
            places = [each for each in self._idle_ones() if each.worker and each.seen_at < since]
            place = places[0] if places and self._has_room() and not self._waiting else None
            if place is not None:
                place.is_busy = True
        try:
            yield place
        finally:
            if place is not None:
                self._give_back(place, is_used=False)

    def has_given_up(self) -> bool:
        """Tell whether a model is being left alone because its workers kept dying."""
        with self._turn:
            return any(breaker.wait_s > 0 for breaker in self._breakers.values())

    def all(self) -> list[Place]:
        """Return the places that have a worker."""
        with self._turn:
            return [place for place in self._places if place.worker is not None]

    def tidy(self) -> None:
        """End the workers that have not been used for so long as the limits say."""
        since = self._clock() - self._limits.idle_s
        with self._turn:
            for place in [place for place in self._idle_ones() if place.used_at < since]:
                self._remove(place)

    def end_all(self) -> None:
        """End all workers, in the middle of a request if need be."""
        with self._turn:
            self._is_over = True
            for place in self._places:
                if place.is_busy and place.worker is not None:
                    place.worker.end_process()  # its holder may be reading from it, and frees it
                else:
                    place.end()

    def _take(self, voice: Voice, errand: Errand) -> Place:
        with self._turn:
            self._hold_back(voice, errand)
            ticket = (errand.is_ahead, next(self._numbers))
            self._waiting.append(ticket)
            try:
                while not (self._has_room() and min(self._waiting) == ticket):
                    self._turn.wait(_CHECK_EVERY_S)
                    errand.patience.check()
                return self._choose(voice)
            finally:
                self._waiting.remove(ticket)
                self._turn.notify_all()

    def _hold_back(self, voice: Voice, errand: Errand) -> None:
        """Wait a moment for a worker that has the model, rather than start another one at once."""
        model, deadline = (voice.engine, voice.model), time.monotonic() + self._limits.start_cost_s
        while time.monotonic() < deadline:
            having = [place.is_busy for place in self._places if place.model == model]
            if not having or not all(having) or not self._has_room():
                return  # where there is no room the queue decides, in the order of arrival
            self._turn.wait(_CHECK_EVERY_S)
            errand.patience.check()

    def _give_back(self, place: Place, *, is_used: bool = True) -> None:
        with self._turn:
            place.is_busy = False
            place.seen_at = self._clock()
            if is_used:
                place.used_at = place.seen_at
            if self._is_over:
                place.end()
            self._measure(place)
            self._turn.notify_all()

    def _has_room(self) -> bool:
        return sum(place.is_busy for place in self._places) < self._limits.at_once

    def _choose(self, voice: Voice) -> Place:
        """Return the best place: with the voice loaded, with its model, or a new one."""
        model = (voice.engine, voice.model)
        idle = [place for place in self._idle_ones() if place.model in (model, (model[0], ""))]
        idle.sort(key=lambda place: (place.voice != voice, place.model != model, -place.used_at))
        place = idle[0] if idle else self._new_place(model)
        if not idle:
            self._make_room()
            self._places.append(place)
        place.model, place.breaker, place.is_busy = model, self._breaker(model), True
        return place

    def _new_place(self, model: Model, worker: Worker | None = None) -> Place:
        now = self._clock()
        return Place(model, self._breaker(model), now, now, worker)

    def _breaker(self, model: Model) -> Breaker:
        return self._breakers.setdefault(model, Breaker(f"engine '{model[0]}'", self._clock))

    def _idle_ones(self) -> list[Place]:
        """Return the places that nobody holds, the one used least recently first."""
        idle = [place for place in self._places if not place.is_busy]
        return sorted(idle, key=lambda place: place.used_at)

    def _make_room(self) -> None:
        too_many = max(0, len(self._places) + 1 - self._limits.processes)
        for place in self._idle_ones()[:too_many]:
            self._remove(place)

    def _measure(self, place: Place) -> None:
        """End the worker of `place` where it leaks, and others where all take too much."""
        if place.worker is None:
            return
        place.memory_bytes = self._limits.memory_of(place.worker.process_id)
        if place.has_answered:
            place.first_bytes = place.first_bytes or place.memory_bytes
        if place.first_bytes and place.memory_bytes > place.first_bytes + _GROWTH_BYTES:
            self._remove(place)
        if self._limits.memory_bytes is None:
            return
        for other in self._idle_ones():
            if sum(each.memory_bytes for each in self._places) <= self._limits.memory_bytes:
                break
            self._remove(other)

    def _remove(self, place: Place) -> None:
        place.end()
        self._places.remove(place)

    def report(self) -> list[dict[str, Any]]:
        """Return what `status` tells of each worker."""
        now = self._clock()
        return [
            {
                "engine": place.model[0],
                "voice": place.voice and place.voice.id,
                "state": "busy" if place.is_busy else "idle",
                "process_id": place.worker and place.worker.process_id,
                "memory_bytes": place.memory_bytes,
                "idle_s": 0.0 if place.is_busy else round(now - place.used_at, 1),
            }
            for place in self.all()
        ]

"""A worker's place in the pool, and how many places there may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ttsctl.speech import Voice
from ttsctl.workers.breaker import Breaker
from ttsctl.workers.parent import Worker

Model = tuple[str, str]  # engine, and folder of the model


@dataclass(frozen=True)
class PoolLimits:
    """How much the workers of one program may take."""

    at_once: int = 1
    """Utterances that are being synthesized at the same time."""

    processes: int = 8
    """Workers at most, idle ones included; at least `at_once`."""

    memory_bytes: int | None = None
    """Resident memory of the workers together; None for no limit."""

    idle_s: float = math.inf
    """After how many seconds without use a worker is ended by `Places.tidy`."""

    start_cost_s: float = 0.25
    """How long a busy worker of a model is waited for before another one is started.

    About what the start takes, with a small voice on two cores; quick engines are free before.
    """

    memory_of: Callable[[int], int] = field(default=lambda _: 0, compare=False)
    """From a process id to its resident bytes; 0 where it is gone."""


@dataclass(eq=False)
class Place:
    """A worker and what is known of it. Belongs to whoever holds it."""

    model: Model
    breaker: Breaker
    used_at: float
    seen_at: float
    """When its worker was last known to answer."""

    worker: Worker | None = None
    is_busy: bool = False
    has_answered: bool = False
    first_bytes: int = 0
    """Resident memory after its first answer; 0 until then, for a model that loads grows a lot."""

    memory_bytes: int = 0
    """Resident memory after its latest answer."""

    @property
    def voice(self) -> Voice | None:
        """The voice that its worker has loaded, or is loading."""
        return self.worker.voice if self.worker else None

    def answered(self) -> None:
        """Note that the worker has answered."""
        self.has_answered = True
        self.breaker.answered()

    def end(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.kill()
        self.worker, self.has_answered = None, False
        self.first_bytes = self.memory_bytes = 0

"""How long to leave a model alone whose workers keep dying, and when not to try at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ttsctl.errors import EngineError

FIRST_BACK_OFF_S = 0.1
MAX_BACK_OFF_S = 30.0
MAX_DEATHS, WINDOW_S = 5, 60.0

_logger = logging.getLogger(__name__)


class Breaker:
    """Counts the deaths of one model's workers since its last answer.

    After a death the next start waits 0.1 s, doubling with each further death up to 30 s. After 5
    deaths within 60 s it is not tried any more until 60 s after the last; one more death then is
    enough to give it up again. Safe to use from several threads.

    Args:
        model: What it is called in the log.
        clock: Seconds from any origin.
    """

    def __init__(self, model: str, clock: Callable[[], float]) -> None:
        self._model = model
        self._clock = clock
        self._deaths: list[float] = []
        self._is_open = False
        self._lock = threading.Lock()

    @property
    def wait_s(self) -> float:
        """For how many seconds more the model is left alone; 0 or less where it is not."""
        with self._lock:
            return self._deaths[-1] + WINDOW_S - self._clock() if self._is_open else 0.0

    def check(self) -> None:
        """Raise `EngineError` while the model is being left alone."""
        wait_s = self.wait_s
        if wait_s > 0:
            raise EngineError(
                f"{self._model} has died {MAX_DEATHS} times in a row and is left alone;"
                f" try again in {wait_s:.0f} s, or see `ttsctl doctor`"
            )

    def died(self) -> None:
        """Note a death."""
        with self._lock:
            now = self._clock()
            self._deaths = [then for then in self._deaths if now - then < WINDOW_S] + [now]
            is_given_up = len(self._deaths) >= MAX_DEATHS and not self._is_open
            self._is_open = self._is_open or is_given_up
        if is_given_up:
            _logger.error("%s has died %d times in a row: given up", self._model, MAX_DEATHS)

    def answered(self) -> None:
        """Note that the model has answered."""
        with self._lock:
            self._deaths.clear()
            is_back, self._is_open = self._is_open, False
        if is_back:
            _logger.warning("%s answers again", self._model)

    def back_off_s(self) -> float:
        """Return how long to wait before the next start."""
        with self._lock:
            deaths = len(self._deaths)
        return min(FIRST_BACK_OFF_S * 2 ** (deaths - 1), MAX_BACK_OFF_S) if deaths else 0.0

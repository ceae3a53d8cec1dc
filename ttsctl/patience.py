"""How long a request is waited for: until its time is up, or until nobody wants it any more."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from ttsctl.errors import CancelledError, OutOfTimeError


class Patience:
    """Asked again and again by whoever works on a request; endless unless told otherwise.

    Safe to share between threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit_s = self._deadline = math.inf
        self._is_cancelled = threading.Event()

    def end_in(self, limit_s: float) -> None:
        """Let the time be up `limit_s` seconds from now."""
        self._limit_s, self._deadline = limit_s, self._clock() + limit_s

    def extend(self, seconds: float) -> None:
        """Put off the end by time that does not count."""
        self._deadline += seconds

    def cancel(self) -> None:
        """Have everybody stop at the next opportunity."""
        self._is_cancelled.set()

    def check(self) -> None:
        """Return where the request is still wanted.

        Raises:
            CancelledError: It was cancelled.
            OutOfTimeError: Its time is up.
        """
        if self._is_cancelled.is_set():
            raise CancelledError("the request was cancelled")
        if self._clock() > self._deadline:
            raise OutOfTimeError(
                f"the request took longer than {self._limit_s:g} s; "
                "send a shorter text, or start the service with a longer --request-timeout"
            )

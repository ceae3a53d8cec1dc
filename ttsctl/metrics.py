"""Measuring: where the time of a pipeline goes, and what a set of measurements says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def timed(
    items: Iterable[T],
    add: Callable[[float], None],
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[T]:
    """Yield `items`, telling `add` how many seconds each took to come.

    The time of the consumer is not counted, so stages of a pipeline can be told apart.
    """
    iterator = iter(items)
    while True:
        asked_at = clock()
        try:
            item = next(iterator)
        except StopIteration:
            return
        finally:
            add(clock() - asked_at)
        yield item


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` per cent of `values` do not exceed.

    The nearest-rank definition: always a value that was measured, however few there are.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def milliseconds(seconds: float) -> float:
    """Return `seconds` in milliseconds, to a hundredth, as reports have it."""
    return round(seconds * 1000, 2)

"""Engine options, which arrive as text: `--option noise_scale=0.4`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ttsctl.errors import InvalidRequestError, nearest

Reader = Callable[[str], Any]


def read_options(
    engine: str, options: Iterable[tuple[str, str]], readers: Mapping[str, Reader]
) -> dict[str, Any]:
    """Return the values of `options` by name.

    Args:
        engine: Name of the engine, for messages.
        options: Pairs of name and text, as in `Utterance.options`.
        readers: What the engine knows: by name, what turns the text into a value. It raises
            `ValueError` whose message says what would have been right.

    Raises:
        InvalidRequestError: An option is unknown, or its value is not what it takes.
    """
    values = {}
    for name, text in options:
        if name not in readers:
            known = ", ".join(sorted(readers)) or "none"
            raise InvalidRequestError(
                f"engine '{engine}' has no option '{name}'{nearest(name, readers)}; it has: {known}"
            )
        try:
            values[name] = readers[name](text)
        except ValueError as error:
            raise InvalidRequestError(f"option {name}={text} is not {error}") from error
    return values


def number_within(low: float, high: float) -> Reader:
    """Return the reader of a number from `low` to `high`."""

    def read(text: str) -> float:
        expected = f"a number from {low:g} to {high:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(expected)
        return value

    return read


def one_of(*words: str) -> Reader:
    """Return the reader of one of `words`."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def whole_number(text: str) -> int:
    """Read a whole number that is not negative."""
    if not text.isdecimal():
        raise ValueError("a whole number")
    return int(text)

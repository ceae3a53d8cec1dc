"""A line of JSON read with suspicion: one object, whose fields are asked for by name and type.

What cannot be read, such as a number beyond all bounds or a field given twice, spoils its own place
only: the rest stays readable, so that the refusal can still carry the id of the request.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ttsctl.errors import InvalidRequestError

T = TypeVar("T")

MAX_DEPTH = 100  # levels of a value that is sent back: far less than what json can write
_MAX_DIGITS = 300  # a longer whole number fits no float, and from 640 on Python may refuse it
_SHOWN_CHARS = 60  # of a name that came from outside, in a message

_TYPE_NAMES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True)
class Spoilt:
    """What stands in the place of a value that could not be read."""

    reason: str
    """What a message says of it after the name of the field."""


_TOO_LARGE = Spoilt("is a number too large to hold")
_TWICE = Spoilt("appears twice; leave one out")


class Fields:
    """The fields of one object; of several names given for a field, any one may be used.

    A field that is null counts as left out. Every method raises `InvalidRequestError` where the
    value is of another type, or two names of a field are given values that differ.
    """

    def __init__(self, values: dict[str, Any], faults: list[str]) -> None:
        self._values = values  # Any: what the outside sent, before its type is known
        self._faults = faults

    def check(self) -> None:
        """Raise `InvalidRequestError` where something in the line, in any field, is not JSON."""
        if self._faults:
            raise InvalidRequestError(self._faults[0])

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def is_returnable(self, name: str) -> bool:
        """Tell whether the field is there and its value can be sent back as it came."""
        return name in self._values and _is_sound(self._values[name])

    def value(self, name: str) -> Any:
        """Return the field's value of whatever JSON type; None also where it is left out."""
        return self._values.get(name)

    def text(self, *names: str) -> str | None:
        """Return a text of any characters, NUL and lone surrogates included."""
        return self._one(names, _text)

    def name(self, *names: str) -> str | None:
        """Return a text that a path can hold: no NUL and no lone surrogate."""
        return self._one(names, _name)

    def number(self, *names: str) -> float | None:
        """Return a finite number."""
        return self._one(names, _number)

    def whole(self, *names: str) -> int | None:
        """Return a whole number; 8000.0 is one, as there are languages that write it so."""
        return self._one(names, _whole)

    def is_set(self, *names: str) -> bool:
        """Tell whether a flag is given and true."""
        return bool(self._one(names, _flag))

    def options(self, *names: str) -> tuple[tuple[str, str], ...]:
        """Return an object of plain values as pairs of text, sorted; true and false as on, off."""
        return self._one(names, _options) or ()

    def _one(self, names: Iterable[str], convert: Callable[[str, Any], T]) -> T | None:
        found = {
            name: convert(name, self._values[name])
            for name in names
            if self._values.get(name) is not None
        }
        values = list(found.values())
        if any(value != values[0] for value in values):
            raise InvalidRequestError(f"fields {' and '.join(found)} disagree; leave one out")
        return values[0] if values else None


def read_fields(line: bytes) -> Fields:
    """Return the fields of the object that `line` holds.

    Raises:
        InvalidRequestError: It is not UTF-8, not JSON, or not an object.
    """
    faults: list[str] = []
    try:
        value = _decoder(faults).decode(line.decode())
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"the line is not UTF-8: byte {error.start + 1} is 0x{line[error.start]:02x};"
            " send UTF-8, or escape what is not ASCII"
        ) from error
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"the line is not JSON: {error.msg.lower().rstrip(': ')} (character {error.pos + 1});"
            " send one JSON object a line"
        ) from error
    except RecursionError as error:
        raise InvalidRequestError("the line is nested too deeply; a request is flat") from error
    if not isinstance(value, dict):
        what = _TYPE_NAMES.get(type(value), "a number that cannot be held")
        raise InvalidRequestError(f"the line holds {what}; send one JSON object a line")
    return Fields(value, faults)


def shown(text: str) -> str:
    """Return `text` for a message: in quotes, and not longer than a message should be."""
    return f"'{text}'" if len(text) <= _SHOWN_CHARS else f"'{text[:_SHOWN_CHARS]}...'"


def _decoder(faults: list[str]) -> json.JSONDecoder:
    """Return a decoder that adds to `faults` what is not JSON, and goes on."""

    def constant(word: str) -> Spoilt:
        faults.append(f"{word} is not JSON; send a number, or leave the field out")
        return Spoilt(f"is {word}, which is not JSON")

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            doubled = [name for name in values if counts[name] > 1]
            faults.append(f"field {shown(doubled[0])} {_TWICE.reason}")
            values.update(dict.fromkeys(doubled, _TWICE))
        return values

    return json.JSONDecoder(
        parse_constant=constant,
        parse_float=_read_float,
        parse_int=_read_int,
        object_pairs_hook=mapping,
    )


def _read_float(digits: str) -> float | Spoilt:
    value = float(digits)
    return value if math.isfinite(value) else _TOO_LARGE


def _read_int(digits: str) -> int | Spoilt:
    return int(digits) if len(digits) <= _MAX_DIGITS else _TOO_LARGE


def _is_sound(value: Any) -> bool:
    """Tell whether nothing in `value` is spoilt and it is not too deep; level by level."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if any(isinstance(each, Spoilt) for each in level):
            return False
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _must_be(what: str, name: str, value: Any) -> InvalidRequestError:
    if isinstance(value, Spoilt):
        return InvalidRequestError(f"field {shown(name)} {value.reason}")
    given = _TYPE_NAMES[type(value)]
    return InvalidRequestError(f"field {shown(name)} must be {what}, not {given}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _must_be("a string", name, value)
    return value


def _name(name: str, value: Any) -> str:
    text = _text(name, value)
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidRequestError(
            f"field {shown(name)} holds a NUL or half a surrogate pair; no name has these"
        )
    return text


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _must_be("a number", name, value)
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not _number(name, value).is_integer():
        raise InvalidRequestError(f"field {shown(name)} must be a whole number, not {value:g}")
    return int(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _must_be("true or false", name, value)
    return value


def _options(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise _must_be("an object", name, value)
    return tuple(sorted((_name(name, key), _option(key, each)) for key, each in value.items()))


def _option(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        return repr(value).removesuffix(".0")  # engines take a whole number without it
    if isinstance(value, str):
        return _name(name, value)
    raise _must_be("a string, a number, or true or false", name, value)

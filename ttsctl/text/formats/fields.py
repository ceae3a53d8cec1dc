"""The fields of a manifest, the same in a table and in JSON: names, types, ranges.

`speaker_id` and `output_file` are what piper's `--json-input` calls them; like there, `speaker_id`
wins over `speaker`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ttsctl.errors import nearest
from ttsctl.speech import MAX_SPEED, MIN_SPEED
from ttsctl.text.rows import Row, RowError

FIELDS = {
    "text": "text",
    "id": "id",
    "voice": "voice",
    "speed": "speed",
    "lang": "language",
    "language": "language",
    "format": "format",
    "output_file": "output_file",
    "speaker": "speaker",
    "speaker_id": "speaker_id",
}
"""What a field may be called, and what it is."""

_NUMBERED = frozenset(("id", "speaker", "speaker_id"))  # may be whole numbers
_MAX_NAME_CHARS = 40  # of a name in a message
_MAX_PROBLEMS = 3  # of one row in a message

_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")

_TYPES = {str: "a string", bool: "true or false", int: "a number", float: "a number"}


class _FieldError(Exception):
    """What is wrong with one field."""


def unknown(name: str, what: str) -> str:
    """Return what to say of a name that is no field; `what` is "field" or "column"."""
    shown = name if len(name) <= _MAX_NAME_CHARS else name[:_MAX_NAME_CHARS] + "..."
    return f"unknown {what} '{shown}'{nearest(shown.lower(), FIELDS)}"


def row_of(line: int, named: Iterable[tuple[str, object]]) -> Row | RowError:
    """Return the row that the fields make, or what is wrong with the first few that are."""
    values: dict[str, object] = {}
    problems: list[str] = []
    for name, value in named:
        try:
            field, checked = _checked(name, value)
        except _FieldError as error:
            problems.append(str(error))
        else:
            if field in values:
                problems.append(f"{name} is given twice")
            values[field] = checked
        if len(problems) == _MAX_PROBLEMS:
            break
    if not problems and "text" not in values:
        problems = ["text is missing"]
    return RowError(line, "; ".join(problems)) if problems else _row(line, values)


def _checked(name: str, value: object) -> tuple[str, object]:
    """Return the field that is meant and its value; None where it is left open."""
    field = FIELDS.get(name)
    if field is None:
        raise _FieldError(unknown(name, "field"))
    if value is None and field != "text":
        return field, None
    if field == "speed":
        return field, _speed(value)
    if field in _NUMBERED and isinstance(value, int) and not isinstance(value, bool):
        return field, str(value)
    if not isinstance(value, str):
        raise _FieldError(f"{name} is {_type_of(value)}, not a string")
    if found := _UNSPEAKABLE.search(value):
        raise _FieldError(f"{name} has U+{ord(found[0]):04X} in it, which is no text")
    return field, value if field == "text" else value.strip() or None


def _speed(value: object) -> float:
    if isinstance(value, str):
        raise _FieldError(f"speed '{value[:_MAX_NAME_CHARS]}' is a string, not a number")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _FieldError(f"speed is {_type_of(value)}, not a number")
    if not MIN_SPEED <= value <= MAX_SPEED:  # as NaN is not either
        raise _FieldError(f"speed {value:g} is outside {MIN_SPEED:g} to {MAX_SPEED:g}; 1 is normal")
    return float(value)


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    return _TYPES.get(type(value), "a list or an object")


def _row(line: int, values: dict[str, object]) -> Row:
    def string(field: str) -> str | None:
        value = values.get(field)
        return value if isinstance(value, str) else None

    speed = values.get("speed")
    return Row(
        line,
        string("text") or "",
        id=string("id"),
        voice=string("voice"),
        speed=speed if isinstance(speed, float) else None,
        language=string("language"),
        format=string("format"),
        output_file=string("output_file"),
        speaker=string("speaker_id") or string("speaker"),
    )

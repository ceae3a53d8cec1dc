"""JSON lines: an object a line, blank lines are none. What piper takes, this takes.

JSON has traps that Python's reader walks into: a key given twice, NaN, a number of five thousand
digits, an array ten thousand deep. Here each of them is an error of its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ttsctl.text.formats.fields import row_of
from ttsctl.text.formats.lines import TOO_LONG, read_lines
from ttsctl.text.rows import Row, RowError, Rows

_BLANK = " \t\r\n"
_MAX_DIGITS = 18


class _Object(list[tuple[str, object]]):
    """A JSON object with its keys as they stand, so that one given twice is seen."""


def object_rows(pieces: Iterable[str]) -> Rows:
    """Yield a row for every line that is not blank."""
    for number, line in read_lines(pieces):
        if line is None:
            yield RowError(number, f"the line is {TOO_LONG}")
        elif line.strip(_BLANK):
            yield _row(number, line)


def _row(number: int, line: str) -> Row | RowError:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg[0].lower()}{error.msg[1:]} at column {error.colno}"
        return RowError(number, message)
    except RecursionError:
        return RowError(number, "not an object of fields: nested too deep")
    except ValueError as error:
        return RowError(number, str(error))
    if not isinstance(value, _Object):
        return RowError(number, 'not an object; a line is {"text": "...", ...}')
    return row_of(number, value)


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_int=_integer, parse_constant=_constant)

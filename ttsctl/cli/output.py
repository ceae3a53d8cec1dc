"""The only printer. stdout is audio or one JSON object or a table; everything else is stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ttsctl.errors import OutputError, TtsctlError
from ttsctl.files import reason


def result(fields: dict[str, Any], *, is_json: bool, lines: Iterable[str] = ()) -> None:
    """Print the result of a command: `fields` as one JSON object, or `lines` for a person."""
    texts = [json.dumps(fields, ensure_ascii=False)] if is_json else map(escape, lines)
    with _translated_errors():
        for text in texts:
            print(text, flush=True)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table on stdout; numbers are the caller's to format."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(escape(cell)) for cell in row))
    with _translated_errors():
        Console(soft_wrap=True).print(grid)
        sys.stdout.flush()


def say(message: str) -> None:
    """Tell the user something, on stderr."""
    print(escape(message), file=sys.stderr, flush=True)


def progress(message: str) -> None:
    """Tell how far a long command is, on stderr, where somebody watches."""
    if sys.stderr.isatty():
        say(message)


def warn(message: str) -> None:
    """Warn the user, on stderr."""
    say(f"warning: {message}")


def show_warnings() -> None:
    """Have what the rooms below log shown from now on."""
    logging.getLogger("ttsctl").addHandler(_WarningHandler(logging.WARNING))


def show_details() -> None:
    """Have also what is of interest only to those who look for a fault shown, with the time."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.addFilter(lambda record: record.levelno < logging.WARNING)
    logger = logging.getLogger("ttsctl")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


class _WarningHandler(logging.Handler):
    """Shows what the rooms below log, such as a cache that is of no use, as warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one warning."""
        with contextlib.suppress(OSError):  # a warning that nobody can see must stop nothing
            warn(record.getMessage())


def failure(error: TtsctlError, *, is_json: bool) -> None:
    """Report why a command failed: one line on stderr, or an error object on stdout."""
    for_stdout, for_stderr = described(error, is_json=is_json)
    print(for_stdout, end="", flush=True)
    print(for_stderr, end="", file=sys.stderr, flush=True)


def described(error: TtsctlError, *, is_json: bool) -> tuple[str, str]:
    """Return what is to be printed of `error` on stdout, and on stderr."""
    if not is_json:
        return "", f"error: {escape(error.message)}\n"
    fields = {"code": error.code, "message": error.message}
    return json.dumps({"ok": False, "error": fields}, ensure_ascii=False) + "\n", ""


def escape(text: str) -> str:
    """Return `text` with control and direction-changing characters made visible.

    Names and texts come from anywhere; printed raw they could rewrite the terminal.
    """
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def write_audio(block: bytes) -> None:
    """Write audio to stdout at once."""
    with _translated_errors():
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()  # what is left in its buffer would fail once more at exit
        raise OutputError(f"cannot write to standard output: {reason(error)}") from error


def silence_stdout() -> None:
    """Point stdout at nothing, after its reader went away, so that closing it cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

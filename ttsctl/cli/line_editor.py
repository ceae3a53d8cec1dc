"""Lines from the terminal, edited with the keys of a shell and remembered from run to run.

The history is a text file of our own making, a line an entry: GNU readline and its stand-in libedit
write formats that the other does not read, and neither makes the file private by itself.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ttsctl.errors import OutputError
from ttsctl.files import make_folder, write_whole

MAX_LINES = 1_000


@contextlib.contextmanager
def line_editor(history: Path | None) -> Iterator[Callable[[str], str]]:
    """Give the function that shows a prompt and reads a line; at the end, save the history.

    It raises EOFError at the end of the input and KeyboardInterrupt at Ctrl-C. Where Python has no
    readline, or nobody types, there is neither editing nor history. A history that cannot be read
    or written is no error.

    Args:
        history: The file of the history; only the user may read it. None to keep none.
    """
    readline = _load_readline() if sys.stdin.isatty() else None
    if readline is None or history is None:
        yield _read_line
        return
    for line in _read_history(history):
        readline.add_history(line)
    known = readline.get_current_history_length()
    try:
        yield _read_line
    finally:
        total = readline.get_current_history_length()
        remember(history, [readline.get_history_item(n + 1) for n in range(known, total)])


def remember(history: Path, lines: list[str]) -> None:
    """Add `lines` to the file, and keep the last 1,000 that are in it then.

    What another prompt wrote in the meantime is kept: only the new lines are ours.
    """
    if not lines:
        return
    added = [" ".join(line.splitlines()) for line in lines]  # a paste may be of several
    kept = [*_read_history(history), *added][-MAX_LINES:]
    data = "".join(f"{line}\n" for line in kept).encode(errors="replace")
    with contextlib.suppress(OutputError):
        make_folder(history.parent, 0o700)
        write_whole(history, [data], replace=True, mode=0o600)


def _read_history(history: Path) -> list[str]:
    try:
        text = history.read_bytes().decode(errors="replace")
    except OSError:
        return []
    return text.replace("\0", "").splitlines()[-MAX_LINES:]  # readline refuses a NUL


def _read_line(prompt: str) -> str:
    if sys.stdout.isatty():
        return input(prompt)
    with contextlib.redirect_stdout(sys.stderr):  # where `input` shows the prompt; stdout is data
        return input(prompt)


def _load_readline() -> Any:
    """Return the module that edits for `input` once it is imported; None where Python has none."""
    try:
        import readline
    except ImportError:
        return None
    return readline

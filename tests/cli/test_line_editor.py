"""Lines typed at a terminal, and what is remembered of them."""

from __future__ import annotations

import os
import pty
import stat
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.cli.line_editor import MAX_LINES, remember
from ttsctl.settings import state_folder

PROGRAM = """
    import sys
    from pathlib import Path
    from ttsctl.cli.line_editor import line_editor
    with line_editor(Path(sys.argv[1])) as read_line:
        while True:
            try:
                print("got", read_line("> "))
            except EOFError:
                break
            except KeyboardInterrupt:
                print("interrupted")
"""


UP, CTRL_C, CTRL_D = b"\x1b[A", b"\x03", b"\x04"


def typed(history: Path, *keys: bytes) -> str:
    """Return what a terminal shows after each of `keys` was typed at a prompt."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "dumb", "INPUTRC": "/dev/null"}
        os.execv(sys.executable, [sys.executable, "-c", textwrap.dedent(PROGRAM), str(history)])
    shown = b""
    for key in keys:
        prompts = shown.count(b"> ")
        shown += read_until(terminal, prompts_more=1)
        assert shown.count(b"> ") > prompts
        os.write(terminal, key.removesuffix(CTRL_C))
        if key.endswith(CTRL_C):
            # Python's readline misses a signal that comes while it takes in a key, until the next.
            time.sleep(0.3)
            os.write(terminal, CTRL_C)
    shown += read_until(terminal, prompts_more=1_000)
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
    return shown.decode()


def read_until(terminal: int, prompts_more: int) -> bytes:
    shown = b""
    while shown.count(b"> ") < prompts_more:
        try:
            block = os.read(terminal, 1_000)
        except OSError:  # the other side has closed it
            break
        if not block:
            break
        shown += block
    return shown


def test_lines_are_edited_and_remembered_in_a_private_file(tmp_path: Path) -> None:
    history = tmp_path / "state" / "ttsctl" / "prompt-history"
    shown = typed(history, b"first lime\x7f\x7fne\r", "zweite ä\r".encode(), CTRL_D)

    assert "got first line" in shown
    assert history.read_text() == "first line\nzweite ä\n"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.parent.stat().st_mode) == 0o700


def test_the_next_prompt_has_the_lines_of_the_last(tmp_path: Path) -> None:
    history = tmp_path / "prompt-history"
    typed(history, b"once\r", CTRL_D)

    assert "got once" in typed(history, UP + b"\r", CTRL_D)


def test_ctrl_c_clears_the_line(tmp_path: Path) -> None:
    shown = typed(tmp_path / "prompt-history", b"gone" + CTRL_C, b"kept\r", CTRL_D)

    assert "interrupted" in shown
    assert "got kept" in shown
    assert (tmp_path / "prompt-history").read_text() == "kept\n"


@pytest.mark.parametrize("trouble", ["folder", "no rights to make it", "bytes"])
def test_a_history_that_is_of_no_use_is_no_error(tmp_path: Path, trouble: str) -> None:
    history = tmp_path / "prompt-history"
    if trouble == "folder":
        history.mkdir()
    elif trouble == "bytes":
        history.write_bytes(b"\xff\xfe\x00\n\x1b[2J\n\n")
    else:
        history = Path("/proc/ttsctl/prompt-history")

    assert "got hello" in typed(history, b"hello\r", CTRL_D)


def test_no_more_than_the_last_1000_lines_are_kept(tmp_path: Path) -> None:
    history = tmp_path / "prompt-history"
    remember(history, [f"line {number}" for number in range(MAX_LINES)])
    remember(history, ["last\nof two", "line"])

    lines = history.read_text().splitlines()
    assert len(lines) == MAX_LINES
    assert (lines[0], lines[-2:]) == ("line 2", ["last of two", "line"])


def test_two_prompts_at_once_keep_the_lines_of_both(tmp_path: Path) -> None:
    history = tmp_path / "prompt-history"
    remember(history, ["of one"])
    remember(history, ["of the other"])

    assert history.read_text().splitlines() == ["of one", "of the other"]


@given(lines=st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_every_entry_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    history = tmp_path_factory.mktemp("state") / "prompt-history"
    remember(history, lines)

    assert len(history.read_bytes().splitlines()) <= history.read_bytes().count(b"\n") == len(lines)


def test_nothing_is_written_where_nothing_was_typed(tmp_path: Path) -> None:
    typed(tmp_path / "prompt-history", CTRL_D)

    assert list(tmp_path.iterdir()) == []


def test_the_state_folder_is_the_users(tmp_path: Path) -> None:
    assert state_folder().is_relative_to(tmp_path / "home")

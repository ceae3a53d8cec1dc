"""Graphs are made ready once, and whoever only opens them waits for nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttsctl.engines.prepared import make_prepared
from ttsctl.errors import BusyError
from ttsctl.files import locked


def write(draft: Path) -> None:
    (draft / "graph").write_text("made")


def test_what_is_there_is_not_made_again_nor_waited_for(tmp_path: Path) -> None:
    """Two workers of a batch open the same voice at the same moment."""
    folder = tmp_path / "voice-1"
    make_prepared(folder, write)
    with locked(tmp_path / ".voice-1.lock", "test"):
        make_prepared(folder, lambda _: pytest.fail("it was made again"))
    assert (folder / "graph").read_text() == "made"


def test_two_do_not_make_the_same_at_once(tmp_path: Path) -> None:
    with locked(tmp_path / ".voice-1.lock", "test"), pytest.raises(BusyError):
        make_prepared(tmp_path / "voice-1", write)


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        write(draft)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        make_prepared(tmp_path / "voice-1", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".voice-1.lock"]

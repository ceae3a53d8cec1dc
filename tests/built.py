"""Small voices of true architecture: what they say is noise, how they say it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TINY = "en_US-tiny-low"
CHOIR = "en_US-choir-low"
N_SPEAKERS = 3

_ROOT = Path(__file__).parents[1]
_BUILD = f"""
import sys
from pathlib import Path
from benchmarks.piper_voice import build_piper
folder = Path(sys.argv[1])
build_piper(folder, {TINY!r}, size="tiny")
build_piper(folder, {CHOIR!r}, size="tiny", speakers={N_SPEAKERS})
"""


def build_piper_models(folder: Path) -> None:
    """Write a voice of one speaker and one of three into `folder`."""
    # In a process of its own: the tests are about what runs without PyTorch.
    command = [sys.executable, "-W", "ignore", "-c", _BUILD, str(folder)]
    subprocess.run(command, check=True, cwd=_ROOT)

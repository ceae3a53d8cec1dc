"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Answer]


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Run:
    """Runs the installed command in an empty folder; both streams are pipes."""

    def run(*arguments: object, stdin: bytes = b"", **environment: str) -> Answer:
        finished = subprocess.run(
            [sys.executable, "-m", "ttsctl", *map(str, arguments)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=60,
            check=False,
        )
        stderr = finished.stderr.decode()
        assert "Traceback" not in stderr, stderr
        return Answer(finished.returncode, finished.stdout, stderr)

    return run

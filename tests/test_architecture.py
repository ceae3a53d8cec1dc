"""What the layout promises beyond what import-linter can say."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "soundfile",
    "joblib",
    "diskcache",
    "soxr",
    "pyogg",
    "miniaudio",
    "espeakng_loader",
)


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has after `statement`."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(finished.stdout.split())


def test_the_command_line_starts_without_anything_heavy() -> None:
    loaded = loaded_by("import ttsctl.cli.app")
    assert loaded.isdisjoint(HEAVY)
    assert "rich" not in loaded
    assert not any(name.startswith("ttsctl.engines") for name in loaded)


def test_speaking_a_phrase_into_a_wav_file_needs_no_numpy() -> None:
    loaded = loaded_by("import ttsctl.workflows.say, ttsctl.workflows.assembly")
    assert loaded.isdisjoint({"numpy", "soundfile", "joblib", "soxr", "pyogg", "espeakng_loader"})
    assert not any(name.startswith("ttsctl.engines") for name in loaded)


@pytest.mark.parametrize("room", ["workers.child", "engines.espeak", "engines.tone"])
def test_a_worker_starts_without_the_parents_libraries(room: str) -> None:
    assert loaded_by(f"import ttsctl.{room}").isdisjoint({"numpy", "typer", "rich", "diskcache"})

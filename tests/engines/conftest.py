"""Small voices of true architecture, built once a run: what they say is noise, how is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ttsctl.engines.piper.prepare import prepare
from ttsctl.speech import Voice

TINY = "en_US-tiny-low"
CHOIR = "en_US-choir-low"
N_SPEAKERS = 3

_ROOT = Path(__file__).parents[2]
_BUILD = f"""
import sys
from pathlib import Path
from benchmarks.piper_voice import build_piper
folder = Path(sys.argv[1])
build_piper(folder, {TINY!r}, size="tiny")
build_piper(folder, {CHOIR!r}, size="tiny", speakers={N_SPEAKERS})
"""


@pytest.fixture(name="piper_models", scope="session")
def _piper_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a voice of one speaker and one of three."""
    folder = tmp_path_factory.mktemp("piper")
    # In a process of its own: the tests are about what runs without PyTorch.
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _BUILD, str(folder)], check=True, cwd=_ROOT
    )
    return folder


@pytest.fixture(name="tiny", scope="session")
def _tiny(piper_models: Path) -> Voice:
    return Voice("piper", TINY, "en-us", "tiny", str(piper_models))


@pytest.fixture(name="choir", scope="session")
def _choir(piper_models: Path) -> Voice:
    return Voice("piper", CHOIR, "en-us", "choir", str(piper_models))


@pytest.fixture(name="prepared", scope="session")
def _prepared(piper_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared folders of all models, by the name of the model."""
    folder = tmp_path_factory.mktemp("prepared")
    for model in piper_models.glob("*.onnx"):
        prepare(model, folder / model.stem)
    return folder

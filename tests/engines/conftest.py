"""The voices that engines are tested with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.built import CHOIR, TINY
from ttsctl.engines.piper.prepare import prepare
from ttsctl.speech import Voice


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


@pytest.fixture(name="root", scope="session")
def _root(kokoro_models: Path) -> Path:
    return kokoro_models

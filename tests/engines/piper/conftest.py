"""Prepared models, and an engine that uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttsctl.engines.piper.engine import PiperEngine
from ttsctl.engines.piper.model import open_prepared
from ttsctl.engines.piper.windows import StagedModel, WholeModel


@pytest.fixture(name="engine")
def _engine(prepared: Path) -> PiperEngine:
    """An engine that opens prepared models, and starts nothing in the background."""

    def open_model(model: Path, _fingerprint: str) -> StagedModel | WholeModel:
        return open_prepared(prepared / model.stem)

    return PiperEngine(open_model)

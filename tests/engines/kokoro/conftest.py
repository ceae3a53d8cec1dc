"""A small Kokoro of the true architecture, built and exported once a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ttsctl.engines.kokoro.engine import KokoroEngine
from ttsctl.speech import Voice


@pytest.fixture(name="prepared", scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder in which the model is prepared."""
    folder = tmp_path_factory.mktemp("cache")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="heart")
def _heart(root: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Voice:
    monkeypatch.setenv("XDG_CACHE_HOME", str(prepared))
    return Voice("kokoro", "af_heart", "en-us", "test", str(root))


@pytest.fixture(name="engine", scope="session")
def _engine() -> KokoroEngine:
    """One for all tests: it keeps the model open."""
    return KokoroEngine()

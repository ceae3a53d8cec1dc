"""What every test stands on: a user of its own, with no settings and an empty cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ttsctl.speech import Voice
from ttsctl.workers.supervisor import Supervisor


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from the settings and the cache of whoever runs them."""
    for name in os.environ:
        if name.startswith("TTSCTL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))


@pytest.fixture(name="supervisor")
def _supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.close()


@pytest.fixture(name="tone")
def _tone() -> Voice:
    return Voice("tone", "sine", "und", "tone 1")


@pytest.fixture(name="faulty")
def _faulty() -> Voice:
    """The voice that does the harm that its text asks for."""
    return Voice("tone", "faulty", "und", "tone 1")


@pytest.fixture(name="english")
def _english() -> Voice:
    return Voice("espeak", "en-us", "en-us", "test")

"""What every test stands on: a user of its own, with no settings and an empty cache."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.built import build_piper_models
from ttsctl.speech import Voice
from ttsctl.workers.supervisor import Supervisor

# No time limit for an example: on a busy machine it would fail what is right.
settings.register_profile("ttsctl", deadline=None)
settings.load_profile("ttsctl")


@pytest.fixture(autouse=True, scope="session")
def _signals_heeded() -> None:
    """Have signals end what is started, also where nohup or an & has started the tests."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from the settings and the cache of whoever runs them."""
    for name in os.environ:
        if name.startswith("TTSCTL_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)  # a daemon may run there
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


@pytest.fixture(name="piper_models", scope="session")
def _piper_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small voice of one speaker and one of three."""
    folder = tmp_path_factory.mktemp("piper")
    build_piper_models(folder)
    return folder


@pytest.fixture(name="kokoro_models", scope="session")
def _kokoro_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that `ttsctl voices get kokoro` would have made; the graph is exported too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch, spaCy and transformers warn of themselves
        from benchmarks.kokoro_voice import build_kokoro
        from ttsctl.engines.kokoro.model import graph_file

        root = build_kokoro(tmp_path_factory.mktemp("kokoro"), "tiny")
        graph_file(root / "model")
    yield root
    shutil.rmtree(root)  # 400 MB, of which pytest would keep three

"""The voices of the race, and the surroundings in which both sides find them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kokoro_voice import build_kokoro
from benchmarks.piper_voice import build_piper

PIPER_NAME = "en_US-untrained-medium"
KOKORO_NAME = "ef_dora"
_KOKORO_REPOSITORY = "models--hexgrad--Kokoro-82M"
_REVISION = "0" * 40
_PREPARING_S = 300.0


@dataclass(frozen=True)
class World:
    """A folder with everything that both sides need."""

    folder: Path

    @property
    def piper_model(self) -> Path:
        return self.folder / "piper" / f"{PIPER_NAME}.onnx"

    @property
    def environment(self) -> dict[str, str]:
        """Homes of their own, no network, and compiled modules kept, as users have them."""
        changed = {
            "HOME": str(self.folder / "home"),
            "HF_HOME": str(self.folder / "hub"),
            "HF_HUB_OFFLINE": "1",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        left_out = ("TTSCTL_", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return kept | changed

    def run(self, command: list[str]) -> None:
        """Run a program to its end.

        Raises:
            RuntimeError: It failed; the message has its last words.
        """
        finished = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, check=False
        )
        if finished.returncode:
            said = finished.stderr.decode(errors="replace")[-2_000:]
            raise RuntimeError(f"{command} ended with {finished.returncode}:\n{said}")


def build_world(folder: Path) -> World:
    """Build the voices of true size, install them in ttsctl, and wait until they are prepared."""
    world = World(folder)
    build_piper(folder / "piper", PIPER_NAME)
    kokoro = build_kokoro(folder / "built")
    _fill_hub(folder / "hub", kokoro)
    for path in (world.piper_model, _as_users_have_it(folder / "for-add", kokoro)):
        world.run([*ttsctl(), "voices", "add", str(path)])
    for voice in (PIPER_NAME, KOKORO_NAME):
        world.run([*ttsctl(), "say", "-v", voice, "Hola.", "-o", "warm.wav", "--no-cache"])
    _wait_until_prepared(folder / "cache" / "ttsctl-models")
    return world


def ttsctl() -> list[str]:
    """Return the command, as installed beside this interpreter."""
    return [str(Path(sys.executable).with_name("ttsctl"))]


def _fill_hub(hub: Path, kokoro: Path) -> None:
    """Lay the files out as the hub's own cache does, which is where the kokoro package looks."""
    repository = hub / "hub" / _KOKORO_REPOSITORY
    snapshot = repository / "snapshots" / _REVISION
    (snapshot / "voices").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(_REVISION)
    for name in ("config.json", "kokoro-v1_0.pth"):
        shutil.copy(kokoro / "model" / name, snapshot / name)
    for pack in kokoro.glob("*/*.pt"):
        shutil.copy(pack, snapshot / "voices" / pack.name)


def _as_users_have_it(folder: Path, kokoro: Path) -> Path:
    """Return a folder with the files of a download."""
    (folder / "voices").mkdir(parents=True)
    for name in ("config.json", "kokoro-v1_0.pth"):
        shutil.copy(kokoro / "model" / name, folder / name)
    shutil.copy(kokoro / KOKORO_NAME / f"{KOKORO_NAME}.pt", folder / "voices")
    return folder


def _wait_until_prepared(models: Path) -> None:
    deadline = time.monotonic() + _PREPARING_S
    while len([path for path in models.glob("[!.]*") if path.is_dir()]) < 2:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no prepared models in {models}")
        time.sleep(0.5)
    time.sleep(2.0)

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would test how busy the machine is.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """Where a cache may be; it does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture(name="mount")
def _mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system with the given options and returns where it is."""
    mounted: list[Path] = []

    def mount_it(options: str) -> Path:
        place = tmp_path / f"mounted-{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("only root can mount a file system")
        mounted.append(place)
        return place

    yield mount_it
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)

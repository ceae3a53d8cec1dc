"""A file is whole or not there; a lock names its owner."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ttsctl.errors import BusyError, EngineError, OutputError
from ttsctl.files import locked, write_whole


def test_writes_all_blocks_and_returns_the_size(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    assert write_whole(path, [b"one", b"", b"two"], replace=False) == 6
    assert path.read_bytes() == b"onetwo"


def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def blocks() -> Iterator[bytes]:
        yield b"new"
        raise EngineError("died")

    with pytest.raises(EngineError):
        write_whole(path, blocks(), replace=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.wav"]


def test_does_not_replace_unless_told_to(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"a\.wav: file exists"):
        write_whole(path, [b"new"], replace=False)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("name", ["missing/a.wav", "a" * 300 + ".wav"])
def test_a_place_that_takes_no_file_is_an_output_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / name, [b"new"], replace=True)


def test_a_folder_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a directory"):
        write_whole(tmp_path, [b"new"], replace=True)


def test_the_target_of_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, [b"new"], replace=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_device_is_written_to_and_stays_a_device() -> None:
    write_whole(Path("/dev/null"), [b"new"], replace=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_the_mode_is_what_the_umask_says(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.wav", [b"new"], replace=False)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == 0o640


def test_the_head_is_rewritten_when_the_size_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_whole(
        path, [b"??", b"abc"], replace=False, head=lambda first, size: b"%d%d" % (len(first), size)
    )
    assert path.read_bytes() == b"25abc"


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where this user may mount one, else none."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield mount if is_mounted else Path("/dev/full")
    if is_mounted:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_is_an_output_error_and_leaves_no_file(small_disk: Path) -> None:
    is_device = not small_disk.is_dir()
    path = small_disk if is_device else small_disk / "a.wav"
    with pytest.raises(OutputError, match="no space left"):
        write_whole(path, (b"x" * 65_536 for _ in range(100)), replace=True)
    assert is_device or os.listdir(small_disk) == []


def test_a_lock_is_refused_to_a_second_process_and_names_the_first(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    program = (
        "from pathlib import Path\nfrom ttsctl.files import locked\n"
        f"with locked(Path({str(lock)!r}), 'prewarm'): pass\n"
    )
    with locked(lock, "prewarm"):
        second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f"another prewarm is running (process {os.getpid()})" in second.stderr
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_lock_within_one_process_is_exclusive_too(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock, "batch"), pytest.raises(BusyError), locked(lock, "batch"):
        pass

"""Voices are read without running what a file may hold."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ttsctl.engines.kokoro.voicepack import load_styles
from ttsctl.errors import InvalidVoiceError, ModelNotFoundError


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._target),)


def write_voice(root: Path, name: str, description: bytes, size: int = 510 * 256 * 4) -> None:
    (root / name).mkdir(parents=True)
    with zipfile.ZipFile(root / name / f"{name}.pt", "w") as archive:
        archive.writestr(f"{name}/data.pkl", description)
        archive.writestr(f"{name}/data/0", bytes(size))


def description_of(root: Path) -> bytes:
    with zipfile.ZipFile(root / "af_heart" / "af_heart.pt") as archive:
        return archive.read("af_heart/data.pkl")


def test_reads_what_torch_wrote(root: Path) -> None:
    import torch

    expected = torch.load(root / "af_sky" / "af_sky.pt", weights_only=True).numpy()[:, 0]
    assert np.array_equal(load_styles(root, "af_sky"), expected)


def test_reads_a_table_of_numpy(root: Path, tmp_path: Path) -> None:
    styles = load_styles(root, "af_sky")
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "mine.npy", styles[:, None])
    assert np.array_equal(load_styles(tmp_path, "mine"), styles)


def test_a_blend_is_the_weighted_sum(root: Path) -> None:
    blend = load_styles(root, "af_nicole*0.6+af_sky*0.4")
    expected = 0.6 * load_styles(root, "af_nicole") + 0.4 * load_styles(root, "af_sky")
    np.testing.assert_allclose(blend, expected, atol=1e-7)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_hostile_pickle_never_runs(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "harmed"
    write_voice(tmp_path, "evil", pickle.dumps(Hostile(target), protocol))
    with pytest.raises(ModelNotFoundError, match="evil"):
        load_styles(tmp_path, "evil")
    assert not target.exists()


def test_a_hostile_pickle_behind_a_harmless_one_is_refused(root: Path, tmp_path: Path) -> None:
    """genops stops at the first end, and so does the reader of the numbers: nothing is run."""
    target = tmp_path / "harmed"
    hostile = io.BytesIO(pickle.dumps(Hostile(target), 2)[:-1] + b"0" + description_of(root)[2:])
    write_voice(tmp_path, "evil", hostile.getvalue())
    with pytest.raises(ModelNotFoundError, match="would call"):
        load_styles(tmp_path, "evil")
    assert not target.exists()


@pytest.mark.parametrize("size", [0, 510 * 256 * 4 - 4, 511 * 256 * 4])
def test_a_table_of_another_size_is_refused(root: Path, tmp_path: Path, size: int) -> None:
    write_voice(tmp_path, "odd", description_of(root), size)
    with pytest.raises(ModelNotFoundError, match="odd"):
        load_styles(tmp_path, "odd")


def test_a_truncated_file_is_refused(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "af_sky", tmp_path / "af_sky")
    path = tmp_path / "af_sky" / "af_sky.pt"
    path.write_bytes(path.read_bytes()[:300_000])
    with pytest.raises(ModelNotFoundError, match=r"af_sky\.pt is not a Kokoro voice"):
        load_styles(tmp_path, "af_sky")


@pytest.mark.parametrize("name", ["nosuch", "../af_sky", "af_sky*x", "", "af_sky+", "af_sky/.."])
def test_a_name_that_is_no_voice_is_refused(root: Path, name: str) -> None:
    with pytest.raises(InvalidVoiceError, match="kokoro:"):
        load_styles(root, name)


def test_the_nearest_voice_is_named(root: Path) -> None:
    with pytest.raises(InvalidVoiceError, match="nearest: af_sky"):
        load_styles(root, "af_skye")

"""Voices of Kokoro: tables of styles, read without torch and without unpickling, and their blends.

A `.pt` file is a zip of a pickle, which describes a tensor, and of the tensor's bytes. Only the
bytes are used. The pickle is looked through with `pickletools`, which runs nothing, because a file
that describes something else than one table of that shape would be misread.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttsctl.errors import EngineError, InvalidVoiceError, ModelNotFoundError, nearest

MAX_SYMBOLS = 510  # the number of styles: one for each length of a chunk
_STYLE_WIDTH = 256
_BYTES = MAX_SYMBOLS * _STYLE_WIDTH * 4
_MAX_PICKLE_BYTES = 1 << 16

_PART = re.compile(r"([A-Za-z0-9][\w-]*)(?:\*([0-9]*\.?[0-9]+))?")
_ALLOWED = {"torch._utils _rebuild_tensor_v2", "torch FloatStorage", "collections OrderedDict"}
_LOOK_UPS = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"}
# Offset, shape and strides as the pickle states them: a tensor of that size, in order.
_LAYOUT = [0, MAX_SYMBOLS, 1, _STYLE_WIDTH, _STYLE_WIDTH, _STYLE_WIDTH, 1]
_FLAT_LAYOUT = [0, MAX_SYMBOLS, _STYLE_WIDTH, _STYLE_WIDTH, 1]

Styles = NDArray[np.float32]


def load_styles(root: Path, name: str) -> Styles:
    """Return the styles of a voice or of a blend, float32 of (510, 256).

    Args:
        root: The folder of the voices: `root/af_sky/af_sky.pt`.
        name: "af_sky", or a blend whose weights add up to 1: "af_nicole*0.6+af_sky*0.4".

    Raises:
        InvalidVoiceError: A voice is not there, or the name is no voice and no blend.
        ModelNotFoundError: A file is not one of a voice.
    """
    parts = [_PART.fullmatch(part) for part in name.split("+")]
    styles = np.zeros((MAX_SYMBOLS, _STYLE_WIDTH), np.float32)
    for part in parts:
        if part is None:
            raise InvalidVoiceError(
                f"voice 'kokoro:{name}' is no voice and no blend;"
                " a blend is written af_nicole*0.6+af_sky*0.4"
            )
        styles += np.float32(part[2] or 1) * _read(_find(root, part[1]))
    return styles


def _find(root: Path, name: str) -> Path:
    for suffix in (".pt", ".npy"):
        if (path := root / name / f"{name}{suffix}").is_file():
            return path
    present = [folder.name for folder in root.iterdir() if folder.name != "model"]
    raise InvalidVoiceError(
        f"voice 'kokoro:{name}' not found{nearest(name, present)};"
        f" run: ttsctl voices get kokoro:{name}"
    )


def _read(path: Path) -> Styles:
    try:
        styles = _read_npy(path) if path.suffix == ".npy" else _read_pt(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelNotFoundError(
            f"{path} is not a Kokoro voice: {error}; run: ttsctl voices get kokoro:{path.stem}"
        ) from error
    if not np.isfinite(styles).all():
        raise EngineError(f"{path} holds numbers that are not finite")
    return styles


def _read_npy(path: Path) -> Styles:
    table = np.load(path, allow_pickle=False)
    if table.dtype != np.dtype("<f4") or table.size != MAX_SYMBOLS * _STYLE_WIDTH:
        raise ValueError(f"it holds {table.dtype} of {table.shape}")
    return np.asarray(table).reshape(MAX_SYMBOLS, _STYLE_WIDTH)


def _read_pt(path: Path) -> Styles:
    with zipfile.ZipFile(path) as archive:
        storages = [entry for entry in archive.infolist() if "/data/" in entry.filename]
        if len(storages) != 1 or storages[0].file_size != _BYTES:
            raise ValueError(f"a voice is one tensor of {_BYTES} bytes")
        folder = storages[0].filename.partition("/data/")[0]
        description = archive.getinfo(f"{folder}/data.pkl")
        if description.file_size > _MAX_PICKLE_BYTES:
            raise ValueError("the description of its tensor is too long")
        _check(archive.read(description))
        return np.frombuffer(archive.read(storages[0]), "<f4").reshape(MAX_SYMBOLS, _STYLE_WIDTH)


def _check(pickled: bytes) -> None:
    """Make sure that a pickle describes one table of styles and names nothing else."""
    numbers: list[int] = []
    for instruction, argument, _ in pickletools.genops(io.BytesIO(pickled)):
        if instruction.name in _LOOK_UPS and argument not in _ALLOWED:
            raise ValueError(f"it would call {argument or instruction.name} when loaded")
        if isinstance(argument, int) and instruction.name.startswith("BININT"):
            numbers.append(argument)
    layouts = (_LAYOUT, _FLAT_LAYOUT)
    if not any(numbers[-len(layout) :] == layout for layout in layouts):
        raise ValueError("its tensor has another shape")

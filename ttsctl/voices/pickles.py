"""What a file of PyTorch holds, told without loading it: a pickle runs code as it is read.

A `.pt` file is a zip of a pickle, `data.pkl`, which describes tensors, and of their bytes in
`data/0`, `data/1`. The pickle is read instruction by instruction with `pickletools.genops`, which
executes none of them; what goes beyond describing tensors is refused.
"""

from __future__ import annotations

import ast
import lzma
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ttsctl.errors import InvalidRequestError

VOICE_SHAPES = ((510, 1, 256), (510, 256))
VOICE_BYTES = 510 * 256 * 4  # float32
_MAX_VOICE_PICKLE_BYTES = 1 << 16
_MAX_MODEL_PICKLE_BYTES = 1 << 24

_REBUILD = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"}
_VOICE_NAMES = {*_REBUILD, "torch FloatStorage"}
_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_MODEL_NAMES = {
    *_REBUILD,
    "torch._utils _rebuild_parameter",
    *(f"torch {kind}Storage" for kind in _STORAGES),
}
# What zipfile raises for a broken, an encrypted (RuntimeError) and a strangely packed member.
_DAMAGES = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
# Of pickle's instructions those that put plain values together, remember them, and look up and call
# what GLOBAL names; not STACK_GLOBAL, INST, OBJ or NEWOBJ, whose names are harder to tell.
# fmt: off
_INSTRUCTIONS = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "MEMOIZE",
    "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "BININT",
    "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "TUPLE",
    "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE", "EMPTY_LIST", "APPEND", "APPENDS",
    "EMPTY_DICT", "SETITEM", "SETITEMS",
))
# fmt: on


def check_voice(path: Path) -> None:
    """Make sure that a `.pt` or `.npy` file is a voice of Kokoro and nothing else.

    Raises:
        InvalidRequestError: It is not.
    """
    if path.suffix == ".npy":
        _check_npy(path)
        return
    with _opened(path) as archive:
        storages = [entry for entry in archive.infolist() if _is_storage(entry.filename)]
        if len(storages) != 1 or storages[0].file_size != VOICE_BYTES:
            raise InvalidRequestError(
                f"{path} is no Kokoro voice: a voice is one tensor of {VOICE_BYTES} bytes"
            )
        _check_pickle(path, archive, _VOICE_NAMES, _MAX_VOICE_PICKLE_BYTES)


def check_model(path: Path) -> None:
    """Make sure that a `.pth` file holds tensors and nothing that would run.

    Raises:
        InvalidRequestError: It does not.
    """
    with _opened(path) as archive:
        _check_pickle(path, archive, _MODEL_NAMES, _MAX_MODEL_PICKLE_BYTES)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _DAMAGES as error:
        raise InvalidRequestError(f"{path} is no file of PyTorch, or not all of one") from error


def _check_pickle(path: Path, archive: zipfile.ZipFile, allowed: set[str], max_bytes: int) -> None:
    entries = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
    if len(entries) != 1 or entries[0].file_size > max_bytes:
        raise InvalidRequestError(f"{path} is no file of PyTorch")
    try:
        strange = sorted(set(_strange_names(archive.read(entries[0]), allowed)))
    except _DAMAGES as error:
        raise InvalidRequestError(f"{path} is damaged: {error}") from error
    if strange:
        raise InvalidRequestError(
            f"{path} would run code when loaded ({', '.join(strange)}); it was not loaded"
        )


def _strange_names(pickled: bytes, allowed: set[str]) -> Iterator[str]:
    """Yield what the pickle calls or does beyond describing tensors."""
    for instruction, argument, _ in pickletools.genops(pickled):
        if instruction.name not in _INSTRUCTIONS:
            yield instruction.name.lower()
        elif instruction.name == "GLOBAL" and argument not in allowed:
            yield str(argument).replace(" ", ".")


def _is_storage(name: str) -> bool:
    folder, _, number = name.rpartition("/")
    return folder.endswith("/data") and number.isdigit()


def _check_npy(path: Path) -> None:
    try:
        facts, start = _npy_header(path)
        is_voice = (
            facts["descr"] == "<f4"
            and facts["fortran_order"] is False
            and facts["shape"] in VOICE_SHAPES
            and path.stat().st_size - start == VOICE_BYTES
        )
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, struct.error):
        is_voice = False
    if not is_voice:
        raise InvalidRequestError(
            f"{path} is no Kokoro voice: a voice is float32 of shape (510, 1, 256)"
        )


def _npy_header(path: Path) -> tuple[Any, int]:
    """Return what a NumPy file says of its array, and where that begins (numpy.lib.format)."""
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise ValueError(path)
        form = "<H" if stream.read(2)[:1] == b"\1" else "<I"
        (size,) = struct.unpack(form, stream.read(struct.calcsize(form)))
        header = stream.read(min(size, _MAX_VOICE_PICKLE_BYTES))
        return ast.literal_eval(header.decode("latin-1").strip()), stream.tell()

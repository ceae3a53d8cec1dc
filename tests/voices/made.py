"""Voices as small as they may be, and stores that hold them."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

from ttsctl.settings import voices_folder
from ttsctl.voices import shelf
from ttsctl.voices.pickles import VOICE_BYTES
from ttsctl.voices.store import LOCAL, Item


def piper_config(code: str = "en_US", **changes: Any) -> bytes:
    config: dict[str, Any] = {
        "audio": {"sample_rate": 22050, "quality": "medium"},
        "espeak": {"voice": code.lower().replace("_", "-")},
        "language": {"code": code},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3]},
        "num_symbols": 256,
        "num_speakers": 1,
        "speaker_id_map": {},
    }
    return json.dumps({**config, **changes}).encode()


def put(engine: str, name: str, language: str, files: dict[str, bytes], quality: str = "") -> Item:
    """Install files as an item, as `voices add` would."""
    folder = voices_folder() / engine / name
    with shelf.held(folder, print), shelf.gathering(folder) as gathered:
        for file, content in files.items():
            (gathered / file).write_bytes(content)
        return shelf.place(gathered, Item(folder, LOCAL, language, quality, {}))


def put_piper(name: str, language: str = "en-us", quality: str = "medium", **config: Any) -> Item:
    files = {f"{name}.onnx": name.encode(), f"{name}.onnx.json": piper_config(**config)}
    return put("piper", name, language, files, quality)


def put_kokoro(*names: str) -> None:
    if not (voices_folder() / "kokoro" / "model").exists():
        put("kokoro", "model", "und", {"config.json": b"{}", "model.onnx": b"model"})
    languages = {"a": "en-us", "b": "en-gb", "j": "ja", "z": "zh", "f": "fr-fr"}
    for name in names:
        put("kokoro", name, languages[name[0]], {f"{name}.pt": name.encode()})


def tensor(path: Path, data_pickle: bytes | None = None, data: bytes = bytes(VOICE_BYTES)) -> Path:
    """Write what torch.save writes for a voice, or with another pickle in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("voice/data.pkl", data_pickle or voice_pickle())
        archive.writestr("voice/byteorder", b"little")
        archive.writestr("voice/data/0", data)
        archive.writestr("voice/version", b"3\n")
    return path


def voice_pickle() -> bytes:
    """Write the pickle of a float32 tensor of shape (510, 1, 256) by hand: torch is not needed."""
    stream = io.BytesIO()
    stream.write(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\x00\x00\x00storageq\x01")
    stream.write(b"ctorch\nFloatStorage\nq\x02X\x01\x00\x00\x000q\x03X\x03\x00\x00\x00cpuq\x04")
    stream.write(b"J\x00\xfe\x01\x00tq\x05QK\x00M\xfe\x01K\x01M\x00\x01\x87q\x06M\x00\x01M\x00\x01")
    stream.write(b"K\x01\x87q\x07\x89ccollections\nOrderedDict\nq\x08)Rq\ttq\nRq\x0b.")
    return stream.getvalue()


class Planting:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self._path, "w")


def planting_pickle(path: Path) -> bytes:
    return pickle.dumps(Planting(path), protocol=2)


def npy(path: Path, shape: tuple[int, ...] = (510, 1, 256), dtype: str = "<f4") -> Path:
    header = str({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    path.write_bytes(
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(VOICE_BYTES)
    )
    return path


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

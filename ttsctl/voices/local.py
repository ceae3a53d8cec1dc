"""Voices that the user has on disk: what a path holds, checked before anything is copied."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsctl.errors import InvalidRequestError, OutputError
from ttsctl.files import reason
from ttsctl.voices import known, pickles, piper, shelf, store
from ttsctl.voices.store import Item

_NAMES = {
    known.PIPER: re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"),
    # No dot: in a blend, "af_a.5" would be hard to tell from a weight, and the engine refuses it.
    known.KOKORO: re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"),
}
_CONFIG = "config.json"
_WEIGHTS = "kokoro-v1_0.pth"
_TENSORS = (".pt", ".npy")


@dataclass(frozen=True)
class LocalItem:
    """An item to be made of the user's files."""

    engine: str
    name: str

    language: str
    """BCP 47 tag."""

    quality: str

    files: dict[str, Path]
    """Name in the store, and the user's file."""

    @property
    def id(self) -> str:
        """The voice as the user will write it."""
        return f"{self.engine}:{self.name}"


def look(path: Path, name: str | None = None) -> list[LocalItem]:
    """Return the items that `path` holds; for Kokoro the model comes first.

    Args:
        path: A Piper model with its `.onnx.json` beside it, a Kokoro voice, or a folder of Kokoro's
            files.
        name: What to call a single voice; None for the name of its file.

    Raises:
        InvalidRequestError: There is no voice there, or one that is not whole or not safe.
    """
    if not path.exists():
        raise InvalidRequestError(f"{path} does not exist; name an .onnx file or a Kokoro folder")
    if path.is_dir():
        if name is not None:
            raise InvalidRequestError(f"--name is for a single voice, and {path} is a folder")
        return _kokoro_folder(path)
    if path.suffix in _TENSORS:
        return [_kokoro_voice(path, name or path.stem)]
    if path.suffix == ".onnx":
        return [_piper_voice(path, name or path.name.removesuffix(".onnx"))]
    raise InvalidRequestError(f"{path} is no voice; name an .onnx file or a Kokoro folder")


def install(root: Path, item: LocalItem, tell: shelf.Tell) -> bool:
    """Copy the files of `item` into the store; returns False where the store has these very ones.

    Raises:
        InvalidRequestError: Another voice has that name.
        OutputError: The disk is full, or the store cannot be written.
        BusyError: Another run installs this voice.
    """
    folder = root / item.engine / item.name
    with shelf.held(folder, tell):
        shelf.remove_leftovers(folder)
        if present := store.read(folder):
            if not _is_same(present, item):
                raise InvalidRequestError(_taken(item))
            if store.is_whole(present):
                return False
        size_bytes = sum(source.stat().st_size for source in item.files.values())
        shelf.need_space(folder.parent, size_bytes, shelf.free_bytes)
        with shelf.gathering(folder) as gathered:
            for name, source in item.files.items():
                shutil.copyfile(source, gathered / name)
            shelf.discard(folder)  # what is left there was altered, or is no item
            shelf.place(gathered, Item(folder, store.LOCAL, item.language, item.quality, {}))
    return True


def _piper_voice(path: Path, name: str) -> LocalItem:
    beside = path.with_name(f"{path.name}.json")
    config = _read_json(beside, f"{path} needs its configuration beside it, {beside.name}")
    problem = _problem_of(config)
    if problem:
        raise InvalidRequestError(f"{beside} is no configuration of a Piper voice: {problem}")
    _check_name(known.PIPER, name)
    code = str(config.get("language", {}).get("code") or config["espeak"]["voice"])
    quality = str(config["audio"].get("quality") or name.rpartition("-")[2])
    return LocalItem(
        known.PIPER,
        name,
        known.piper_tag(code),
        quality if quality in known.QUALITIES else "",
        {f"{name}.onnx.json": beside, f"{name}.onnx": path},
    )


def _problem_of(config: Any) -> str:
    """Return what keeps Piper from using a configuration, or nothing."""
    needed: dict[str, Callable[[Any], bool]] = {
        "audio.sample_rate": lambda value: isinstance(value, int) and 4_000 <= value <= 192_000,
        "espeak.voice": lambda value: isinstance(value, str) and bool(value),
        "phoneme_id_map": lambda value: isinstance(value, dict) and len(value) > 0,
        "num_symbols": lambda value: isinstance(value, int) and value > 0,
        "num_speakers": lambda value: isinstance(value, int) and 0 < value <= piper.MAX_SPEAKERS,
        "speaker_id_map": _is_speaker_map,
    }
    for path, is_good in needed.items():
        value = config
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not is_good(value):
            return f"'{path}' is {'missing' if value is None else 'wrong'}"
    return "" if isinstance(config.get("language", {}), dict) else "'language' is wrong"


def _is_speaker_map(value: Any) -> bool:
    """Whether it gives speakers their numbers; a voice of one speaker may do without."""
    if value is None:
        return True
    return isinstance(value, dict) and all(type(number) is int for number in value.values())


def _kokoro_folder(folder: Path) -> list[LocalItem]:
    tensors = [*folder.glob("*.pt"), *folder.glob("voices/*.pt"), *folder.glob("voices/*.npy")]
    voices = [_kokoro_voice(path, path.stem) for path in sorted(tensors)]
    model = [_kokoro_model(folder)] if (folder / _CONFIG).is_file() else []
    if not voices:
        raise InvalidRequestError(
            f"{folder} holds no Kokoro voice; it needs {_CONFIG}, {_WEIGHTS}, and voices/*.pt"
        )
    return [*model, *voices]


def _kokoro_model(folder: Path) -> LocalItem:
    config = _read_json(folder / _CONFIG, f"{folder / _CONFIG} is missing")
    if not isinstance(config, dict) or not isinstance(config.get("vocab"), dict):
        raise InvalidRequestError(f"{folder / _CONFIG} is no configuration of Kokoro: no 'vocab'")
    files = {_CONFIG: folder / _CONFIG}
    if (folder / _WEIGHTS).is_file():
        pickles.check_model(folder / _WEIGHTS)
        files[_WEIGHTS] = folder / _WEIGHTS
    models = sorted(folder.glob("*.onnx"))
    if len(models) > 1:
        raise InvalidRequestError(f"{folder} holds several .onnx files; leave the one to be used")
    if models:
        files["model.onnx"] = models[0]
    if len(files) == 1:
        raise InvalidRequestError(f"{folder} holds no model: neither {_WEIGHTS} nor an .onnx file")
    return LocalItem(known.KOKORO, known.MODEL, "und", "", files)


def _kokoro_voice(path: Path, name: str) -> LocalItem:
    _check_name(known.KOKORO, name)
    language = known.kokoro_language(name)
    if language is None:
        letters = ", ".join(
            f"{letter} {tag}" for letter, (tag, _) in known.KOKORO_LANGUAGES.items()
        )
        raise InvalidRequestError(
            f"'{name}' does not tell the voice's language; Kokoro's names begin as in af_heart"
            f" or bm_lewis, with one of {letters}"
        )
    pickles.check_voice(path)
    return LocalItem(known.KOKORO, name, language[0], "", {f"{name}{path.suffix}": path})


def _read_json(path: Path, missing: str) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InvalidRequestError(missing) from None
    except OSError as error:
        raise InvalidRequestError(f"cannot read {path}: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{path} is no JSON: {error}") from error


def _check_name(engine: str, name: str) -> None:
    if not _NAMES[engine].fullmatch(name):
        marks = ". _ -" if engine == known.PIPER else "_ -"
        raise InvalidRequestError(
            f"'{name}' cannot be the name of a {engine} voice: letters, digits, and {marks} only;"
            " use --name"
        )


def _taken(item: LocalItem) -> str:
    """Return why an item whose name another has is not installed, and what to do about it."""
    if item.id == known.kokoro_model().id:  # it has no name to choose, and goes with its voices
        return "there is another Kokoro model; run: ttsctl voices remove kokoro"
    return (
        f"there is another voice '{item.id}'; choose a --name, or run:"
        f" ttsctl voices remove {item.id}"
    )


def _is_same(present: Item, item: LocalItem) -> bool:
    if set(present.files) != set(item.files):
        return False
    try:
        return all(
            store.digest(source, "sha256") == present.files[name].sha256
            for name, source in item.files.items()
        )
    except OSError as error:
        raise OutputError(f"cannot read the files of {item.id}: {reason(error)}") from error

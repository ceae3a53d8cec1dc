"""Looking into a voice, and removing it."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttsctl.errors import InvalidRequestError, ModelNotFoundError
from ttsctl.settings import models_folder, voices_folder
from ttsctl.voices import catalogue, known, kokoro, piper, shelf, store
from ttsctl.voices.store import Item


@dataclass(frozen=True)
class VoiceFacts:
    """All that is known of a voice."""

    id: str
    language: str
    title: str
    is_installed: bool

    is_whole: bool | None
    """Whether every file is what was installed; None where there are no files."""

    fields: dict[str, Any] = field(default_factory=dict)
    """What only some engines have: source, folder, files with sizes and digests, speakers."""


def show(name: str) -> VoiceFacts:
    """Return the facts about a voice, installed or known; its files are read and verified.

    Raises:
        InvalidVoiceError: There is no such voice.
        NotInstalledError: There is no such engine.
    """
    items = _items_of(name)
    if not items:
        return _known_facts(name)
    problems = [problem for item in items if (problem := _problem(item))]
    first = items[-1]
    engine = first.folder.parent.name
    fields: dict[str, Any] = {
        "source": first.source,
        "folder": str(first.folder),
        "files": {
            f"{item.name}/{file}": {"size_bytes": record.size_bytes, "sha256": record.sha256}
            for item in items
            for file, record in item.files.items()
        },
        "problems": problems,
    }
    if engine == known.PIPER and not problems:
        fields.update(_piper_fields(first))
    voice_id = f"{engine}:{name.partition(':')[2] or name}"
    language = first.language
    return VoiceFacts(voice_id, language, known.title_of(language), True, not problems, fields)


def remove(name: str, tell: shelf.Tell) -> int:
    """Remove an installed voice, or with "kokoro" all of Kokoro; returns the bytes that are free.

    What was prepared of it for this machine goes too.

    Raises:
        ModelNotFoundError: It is not installed.
        InvalidRequestError: It is part of ttsctl, a blend, or one speaker of a voice.
        OutputError: The folder cannot be written.
        BusyError: Another run is installing it.
    """
    freed_bytes = 0
    for folder in _folders_to_remove(name):
        with shelf.held(folder, tell):
            freed_bytes += _size_bytes(folder)
            shelf.discard(folder)
        freed_bytes += _discard_prepared(folder)
    return freed_bytes


def _discard_prepared(folder: Path) -> int:
    """Remove the prepared graphs of an item as far as that is possible; returns what is free."""
    engine, name = folder.parent.name, folder.name
    if engine == known.KOKORO and name != known.MODEL:
        return 0  # a voice of Kokoro has no graph of its own
    stem = known.KOKORO if engine == known.KOKORO else name
    freed_bytes = 0
    with contextlib.suppress(OSError):
        for prepared in models_folder().iterdir():
            if prepared.name.rpartition("-")[0] == stem:
                size_bytes = _size_bytes(prepared)
                shutil.rmtree(prepared)
                freed_bytes += size_bytes
    return freed_bytes


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _folders_to_remove(name: str) -> list[Path]:
    root = voices_folder()
    engine, colon, rest = name.partition(":")
    wanted = rest if colon else name
    if "#" in name:
        raise InvalidRequestError(
            f"'{name}' is one speaker of a voice; to remove the voice with all of them,"
            f" run: ttsctl voices remove {name.partition('#')[0]}"
        )
    if name == known.KOKORO:
        folders = [item.folder for item in store.items(root / known.KOKORO)]
    elif colon and engine not in catalogue.NEURAL_ENGINES:
        raise InvalidRequestError(f"voice '{name}' is part of {engine} and cannot be removed")
    else:
        finders = {known.KOKORO: kokoro.find, known.PIPER: piper.find}
        engines = [engine] if colon else list(finders)
        found = [item for own in engines if (item := finders[own](root, wanted))]
        folders = [item.folder for item in found[:1]]
    if not folders:
        raise ModelNotFoundError(f"voice '{name}' is not installed; see `ttsctl voices list`")
    return folders


def _items_of(name: str) -> list[Item]:
    """Return the installed items that make up a neural voice; the voice itself comes last."""
    root = voices_folder()
    engine, colon, rest = name.partition(":")
    wanted = rest if colon else name
    if engine != known.PIPER:
        parts = [kokoro.find(root, part) for part in _parts(wanted)]
        shared = kokoro.model(root)
        if parts and all(parts) and shared:
            return [shared, *(part for part in parts if part)]
    if engine != known.KOKORO and (item := piper.find(root, wanted)):
        return [item]
    return []


def _parts(name: str) -> list[str]:
    return [part.partition("*")[0].strip() for part in name.split("+")]


def _known_facts(name: str) -> VoiceFacts:
    engine, colon, rest = name.partition(":")
    item = known.known_item(engine, rest) if colon else known.named(name)
    if item is None:
        voice = catalogue.resolve(name)
        title = next(
            (entry.title for entry in catalogue.installed() if entry.voice.name == voice.language),
            voice.language,
        )
        return VoiceFacts(voice.id, voice.language, title, True, None)
    fields = {
        "source": item.source,
        "size_bytes": item.size_bytes,
        "speakers": item.speakers,
        "remedy": f"ttsctl voices get {item.name}",
    }
    return VoiceFacts(item.id, item.language, item.title, False, None, fields)


def _piper_fields(item: Item) -> dict[str, Any]:
    config = json.loads((item.folder / f"{item.name}.onnx.json").read_bytes())
    return {
        "quality": item.quality,
        "sample_rate": config["audio"]["sample_rate"],
        "speakers": config["num_speakers"],
        "speaker_names": list(piper.speakers(item)),
    }


def _problem(item: Item) -> str:
    try:
        store.check(item, is_thorough=True)
    except ModelNotFoundError as error:
        return error.message
    return ""

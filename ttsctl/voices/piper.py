"""Piper voices: which are installed, and what a name such as "en_US-libritts-high#p3922" means."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from ttsctl.errors import InvalidVoiceError, ModelNotFoundError, NotInstalledError, nearest
from ttsctl.speech import Voice
from ttsctl.voices import known, store
from ttsctl.voices.store import Item

PIPER_SETTINGS = 1  # counts changes to how our engine drives the model, for the cache key
MAX_SPEAKERS = 100_000  # the largest voice there is has 904

_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")


def installed(root: Path) -> list[Item]:
    """Return the installed voices, the best first."""
    return sorted(store.items(root / known.PIPER), key=lambda item: (_rank(item), item.name))


def find(root: Path, name: str) -> Item | None:
    """Return the installed voice called `name`, which may be an older name, or None."""
    wanted = name.partition("#")[0]
    item = store.find(root / known.PIPER, wanted)
    if item is None and (meant := known.piper_named(wanted)):
        item = store.find(root / known.PIPER, meant.name)
    return item


def voice(root: Path, name: str) -> Voice:
    """Return the voice called `name`, with the number or name of a speaker behind a "#" or without.

    Raises:
        InvalidVoiceError: There is no such voice or no such speaker.
        ModelNotFoundError: It is not installed, or was altered since.
        NotInstalledError: piper-tts is missing.
    """
    item = find(root, name)
    if item is None:
        raise _missing(root, name.partition("#")[0])
    store.check(item)
    speaker = name.partition("#")[2]
    if "#" in name:
        _check_speaker(item, speaker)
    return described(item, f"#{speaker}" if speaker else "")


def described(item: Item, speaker: str = "") -> Voice:
    """Return the voice that an installed item holds."""
    fingerprint = f"piper {PIPER_SETTINGS} {package()} {store.short_digests(item)}"
    return Voice(known.PIPER, f"{item.name}{speaker}", item.language, fingerprint, str(item.folder))


@functools.lru_cache(maxsize=1)
def package() -> str:
    """Return name and release of piper-tts, which holds the phonemiser.

    It is read from the name of the dist-info folder: `importlib.metadata` costs 45 ms.

    Raises:
        NotInstalledError: It is missing.
    """
    spec = importlib.util.find_spec("piper")
    if spec is None or spec.origin is None:
        raise NotInstalledError("Piper's phonemiser is missing; run: pip install piper-tts")
    folder = Path(spec.origin).parent.parent
    return next((path.stem for path in folder.glob("piper_tts-*.dist-info")), "piper_tts")


def speakers(item: Item) -> dict[str, int]:
    """Return the numbers of the speakers that have a name, read from the configuration."""
    found: dict[str, int] = _config(item).get("speaker_id_map") or {}
    return found


def _check_speaker(item: Item, speaker: str) -> None:
    named = speakers(item)
    count = _config(item).get("num_speakers", 1)
    is_number = _NUMBER.fullmatch(speaker) and int(speaker) < count
    if not is_number and speaker not in named:
        raise InvalidVoiceError(
            f"voice 'piper:{item.name}' has no speaker '{speaker}'{nearest(speaker, named)};"
            f" a name or a number below {count} will do"
        )


def _config(item: Item) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((item.folder / f"{item.name}.onnx.json").read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelNotFoundError(
            f"the configuration of voice 'piper:{item.name}' is damaged; run: {item.remedy}"
        ) from error
    return found


def _missing(root: Path, name: str) -> Exception:
    if meant := known.piper_named(name):
        return ModelNotFoundError(
            f"voice '{meant.id}' is not installed; run: ttsctl voices get {meant.name}"
        )
    names = {item.name for item in store.items(root / known.PIPER)} | set(known.piper_voices())
    return InvalidVoiceError(
        f"voice 'piper:{name}' not found{nearest(name, names)};"
        " see `ttsctl voices list --all --engine piper`"
    )


def _rank(item: Item) -> int:
    return known.QUALITIES.index(item.quality) if item.quality in known.QUALITIES else 99

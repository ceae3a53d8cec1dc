"""The voices that `ttsctl voices get` can fetch: facts that ship with the package, read offline.

A file is known by its path in a repository of the hub, at one revision, and by its digest: the MD5
that the repository's own list states for Piper, SHA-256 for Kokoro. A digest holds whatever a
mirror serves, and whatever a repository becomes.

The values are tuples: a frozen dataclass takes 1 ms to define, and `say` waits for this module.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

PIPER, KOKORO = "piper", "kokoro"
MODEL = "model"  # name of the item that all Kokoro voices share
DEFAULT_KOKORO = "af_heart"

PIPER_REPOSITORY = "rhasspy/piper-voices"
KOKORO_REPOSITORY = "hexgrad/Kokoro-82M"
REVISIONS = {
    PIPER_REPOSITORY: "c10ece1aade47bb51c153c893d14e5bf8e5b7117",
    KOKORO_REPOSITORY: "f3ff3571791e39611d31c381e3a41a3af07b4987",
}

KOKORO_LANGUAGES = {
    "a": ("en-us", "English (America)"),
    "b": ("en-gb", "English (Great Britain)"),
    "j": ("ja", "Japanese"),
    "z": ("zh", "Chinese (Mandarin)"),
    "e": ("es", "Spanish"),
    "f": ("fr-fr", "French (France)"),
    "h": ("hi", "Hindi"),
    "i": ("it", "Italian"),
    "p": ("pt-br", "Portuguese (Brazil)"),
}
"""What the first letter of a Kokoro voice says of its language: BCP 47 tag, and English name."""

QUALITIES = ("high", "medium", "low", "x_low")
_ENDINGS = ("-high", "-medium", "-low")

KOKORO_VOICE_BYTES = 523_425  # of a voice whose exact size the catalogue does not have

_DATA = Path(__file__).parent / "data"


class KnownFile(NamedTuple):
    """A file in a repository of the hub."""

    path: str
    """Path in the repository."""

    size_bytes: int | None
    md5: str | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The path without its folders."""
        return self.path.rpartition("/")[2]


class KnownItem(NamedTuple):
    """What is installed and removed in one go: a voice, or the model that all of Kokoro needs."""

    engine: str
    name: str

    language: str
    """BCP 47 tag, lower-case: "en-us"."""

    title: str
    """The language in English."""

    repository: str
    """ "owner/name" on the hub."""

    files: tuple[KnownFile, ...]

    quality: str = ""
    """Of Piper: high, medium, low or x_low."""

    speakers: int = 1
    aliases: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The item as the user writes it: "piper:en_US-lessac-medium"."""
        return f"{self.engine}:{self.name}"

    @property
    def source(self) -> str:
        """Repository and revision, as an installed item records them."""
        return f"{self.repository}@{REVISIONS.get(self.repository, 'main')}"

    @property
    def size_bytes(self) -> int:
        """Size of the files together, by estimate where the catalogue has no sizes."""
        return sum(file.size_bytes or KOKORO_VOICE_BYTES for file in self.files)


@functools.lru_cache(maxsize=1)
def piper_voices() -> dict[str, KnownItem]:
    """Return the 163 Piper voices by name."""
    return {name: _piper_voice(name, row) for name, row in _read("piper.json").items()}


@functools.lru_cache(maxsize=1)
def kokoro_voices() -> dict[str, KnownItem]:
    """Return the 54 Kokoro voices by name, the best first; without the model they are mute."""
    return {name: _kokoro_voice(name, *row) for name, row in _read("kokoro.json")["voices"].items()}


def kokoro_model() -> KnownItem:
    """Return the model that every Kokoro voice needs."""
    rows = _read("kokoro.json")[MODEL].items()
    files = tuple(KnownFile(name, size, sha256=sha256) for name, (size, sha256) in rows)
    return KnownItem(KOKORO, MODEL, "und", "every language", KOKORO_REPOSITORY, files)


def kokoro_named(name: str) -> KnownItem | None:
    """Return the Kokoro voice of that name, or None."""
    return kokoro_voices().get(name) if kokoro_language(name) else None


def known_item(engine: str, name: str) -> KnownItem | None:
    """Return the voice of that engine and name, or None."""
    finders = {PIPER: piper_named, KOKORO: kokoro_named}
    return finders[engine](name) if engine in finders else None


def named(name: str) -> KnownItem | None:
    """Return the voice of that name, whichever engine's, or None."""
    return kokoro_named(name) or piper_named(name)


def title_of(tag: str) -> str:
    """Return the English name of the language of a tag, or the tag where nobody knows."""
    spoken = [*kokoro_voices().values(), *piper_voices().values()]
    return next((voice.title for voice in spoken if voice.language == tag), tag)


def kokoro_language(name: str) -> tuple[str, str] | None:
    """Return tag and English name of the language that a Kokoro voice's name tells, or None."""
    letter, gender = name[:1], name[1:3]
    return KOKORO_LANGUAGES.get(letter) if gender in ("f_", "m_") else None


def piper_tag(locale: str) -> str:
    """Return the BCP 47 tag for a locale as Piper writes it: "en-us" for "en_US"."""
    return locale.replace("_", "-").lower()


def piper_named(name: str) -> KnownItem | None:
    """Return the Piper voice of that name, or of which that is an older name, or None."""
    if not name.endswith((*_ENDINGS, "-x_low")):  # spares most other names the reading of the list
        return None
    voices = piper_voices()
    if name in voices:
        return voices[name]
    return next((voice for voice in voices.values() if name in voice.aliases), None)


def _piper_voice(name: str, row: dict[str, Any]) -> KnownItem:
    # The repository files a voice by its name: en/en_US/lessac/medium/en_US-lessac-medium.onnx.
    locale, dataset, quality = name.split("-")
    path = f"{locale.partition('_')[0]}/{locale}/{dataset}/{quality}/{name}"
    files = (
        KnownFile(f"{path}.onnx.json", row["json"][0], md5=row["json"][1]),
        KnownFile(f"{path}.onnx", row["onnx"][0], md5=row["onnx"][1]),
    )
    return KnownItem(
        PIPER,
        name,
        piper_tag(locale),
        row["title"],
        PIPER_REPOSITORY,
        files,
        quality,
        row.get("speakers", 1),
        tuple(row.get("aliases", ())),
    )


def _kokoro_voice(name: str, size_bytes: int | None, sha256: str) -> KnownItem:
    language, title = KOKORO_LANGUAGES[name[0]]
    files = (KnownFile(f"voices/{name}.pt", size_bytes, sha256=sha256),)
    return KnownItem(KOKORO, name, language, title, KOKORO_REPOSITORY, files)


@functools.lru_cache(maxsize=2)
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_DATA / name).read_bytes())
    return found

"""The voices of espeak-ng, read from the data files of `espeakng_loader` without loading it.

A file below `espeak-ng-data/lang` is a voice; its `language` lines give the tags that it serves,
each with an optional priority, lower being better. A file under `voices/!v` is a variant, which
colours any of them: `en-us+f3`.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

ENGINE_SETTINGS = 1  # counts changes to how our engine drives the library, for the cache key

_DEFAULT_PRIORITY = 5  # espeak-ng's own, where a language line states none


@dataclass(frozen=True)
class Language:
    """One voice file: its name and the tags that it serves."""

    name: str
    """BCP 47 tag by which espeak-ng selects it: "en-us"."""

    title: str
    """The language in English: "English (America)"."""

    priorities: tuple[tuple[str, int], ...]
    """Every tag that the voice serves, with its priority."""


# What is installed does not change while a process runs, and a service asks with every request.
@functools.lru_cache(maxsize=1)
def package_folder() -> Path | None:
    """Return the folder of `espeakng_loader`, or None where it is not installed."""
    spec = importlib.util.find_spec("espeakng_loader")
    return Path(spec.origin).parent if spec and spec.origin else None


@functools.lru_cache(maxsize=1)
def languages(package: Path) -> tuple[Language, ...]:
    """Return every language that ships, by name."""
    files = (package / "espeak-ng-data" / "lang").rglob("*")
    # A shorter name wins: sit/yue speaks yue, sit/yue-Latn-jyutping its transliteration.
    ordered = sorted(filter(Path.is_file, files), key=lambda file: -len(str(file)))
    found = {entry.name: entry for entry in map(_read, ordered)}
    return tuple(sorted(found.values(), key=lambda entry: entry.name))


def variants(package: Path) -> list[str]:
    """Return the names of the variants, sorted."""
    folder = package / "espeak-ng-data" / "voices" / "!v"
    return sorted(file.name for file in folder.iterdir())


@functools.lru_cache(maxsize=1)
def fingerprint(package: Path) -> str:
    """Return what makes older audio of espeak-ng stale: its release and our settings for it.

    The release is read from the name of the dist-info folder: `importlib.metadata` would cost
    more time than speaking does.
    """
    for metadata in package.parent.glob("espeakng_loader-*.dist-info"):
        return f"{metadata.stem} {ENGINE_SETTINGS}"
    size_bytes = sum(file.stat().st_size for file in package.glob("libespeak-ng.*"))
    return f"espeakng_loader {size_bytes} {ENGINE_SETTINGS}"


def _read(file: Path) -> Language:
    title = file.name
    priorities: list[tuple[str, int]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        keyword, *words = line.split()[:3] or [""]
        if keyword == "name" and words:
            title = line.split(maxsplit=1)[1]
        if keyword == "language" and words:
            priority = int(words[1]) if len(words) > 1 else _DEFAULT_PRIORITY
            priorities.append((words[0], priority))
    return Language(priorities[0][0], title, tuple(priorities))

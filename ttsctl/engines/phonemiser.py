"""Text to phonemes by espeak-ng, for the engines whose models were trained on its phonemes.

The library is the one inside piper-tts, which tells a clause from the next and keeps its
punctuation. The bridge is loaded by its file: `import piper` would cost 40 ms more and bring what
is not used. Like the embedded voice it is one global state machine that can kill its process.
"""

from __future__ import annotations

import functools
import importlib.util
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any, NamedTuple

from ttsctl.errors import EngineError, NotInstalledError


class Phrase(NamedTuple):
    """The phonemes of a stretch of text up to a mark of punctuation."""

    phonemes: str
    """IPA, with the flags "(en)" and "(fr)" where espeak-ng changes to another language."""

    mark: str
    """One of . ? ! , : ; or empty."""

    ends_sentence: bool


def phrases(text: str, voice: str) -> list[Phrase]:
    """Return the phonemes of `text` as `voice`, an espeak-ng voice such as "en-us", says it.

    Args:
        text: At most some hundred characters (see `ttsctl.text.clauses`): long calls crash.
        voice: Name or tag of the voice.

    Raises:
        NotInstalledError: piper-tts is missing.
        EngineError: There is no such voice.
    """
    bridge = _bridge()
    _choose(voice)
    return [Phrase(*found) for found in bridge.get_phonemes(text)]


@functools.lru_cache(maxsize=1)
def _choose(voice: str) -> None:
    """Set the library's voice; remembered, because it reads files."""
    try:
        _bridge().set_voice(voice)
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"espeak-ng has no voice '{voice}' to phonemise with") from error


@functools.lru_cache(maxsize=1)
def _bridge() -> Any:
    package = importlib.util.find_spec("piper")
    if package is None or package.origin is None:
        raise NotInstalledError("the phonemiser is missing; run: pip install piper-tts")
    folder = Path(package.origin).parent
    for file in folder.glob("espeakbridge*.so"):
        loader = ExtensionFileLoader("espeakbridge", str(file))
        spec = importlib.util.spec_from_file_location("espeakbridge", file, loader=loader)
        assert spec is not None
        bridge = importlib.util.module_from_spec(spec)
        loader.exec_module(bridge)
        bridge.initialize(str(folder / "espeak-ng-data"))
        return bridge
    raise NotInstalledError(f"no espeakbridge library in {folder}; run: pip install -U piper-tts")

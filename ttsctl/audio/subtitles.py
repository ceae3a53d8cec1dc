"""Subtitles in the formats SRT, WebVTT and JSON, while the speech that they show comes into being.

In SRT and WebVTT a cue has at most two lines of 42 columns; a longer one becomes several, in order
and in time (`ttsctl.audio.captions`). JSON has the cues as they are, with their words.

In all of them times are whole milliseconds; a cue lasts at least one and begins when the one before
has ended, or later, whatever the times that it came with. Up to 99 hours the times have two digits
for the hours; after that three, which WebVTT allows and not every reader of SRT knows.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Any, Literal, get_args

from ttsctl.audio.captions import Cue, captions, printable
from ttsctl.errors import InvalidRequestError, nearest
from ttsctl.speech import Word

__all__ = ["Cue", "SubtitleFormat", "subtitle_format_of", "subtitles"]

SubtitleFormat = Literal["srt", "vtt", "json"]

_FORMATS: tuple[SubtitleFormat, ...] = get_args(SubtitleFormat)

# SRT has no escapes. What stands for markup in it is written so that nobody takes it for such: an
# arrow of times, a tag, and a command of SubStation Alpha, which many players obey.
_ARROW = re.compile(r"-{2,}>")
_TAG = re.compile(r"<(?=[^>]*>)")  # any at all: ffmpeg drops "<3 hearts>" too
_COMMAND = re.compile(r"\{(?=\\)")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def subtitle_format_of(target: str | PurePath) -> SubtitleFormat:
    """Return the format of the subtitles in the file `target`, or that is called `target`.

    The suffix decides ("talk.SRT"), or the name of a format alone ("srt").

    Raises:
        InvalidRequestError: There is no such format; the message names those there are.
    """
    path = PurePath(target)
    name = path.suffix.lower().lstrip(".") or path.name.lower().lstrip(".")
    for known in _FORMATS:
        if known == name:
            return known
    raise InvalidRequestError(
        f"'{target}' is not a known format of subtitles{nearest(name, _FORMATS)} "
        f"(known: {', '.join(_FORMATS)})"
    )


def subtitles(cues: Iterable[Cue], format: SubtitleFormat) -> Iterator[str]:
    """Yield the pieces of the file that shows `cues`, each as soon as its cue was taken.

    They are text for UTF-8, with LF at the end of a line. Cues without anything to show are left
    out.
    """
    yield from _WRITERS[format](_in_order(cues))


def _in_order(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Yield the cues that show something, with times in whole milliseconds that never overlap."""
    free_ms = 0
    for cue in cues:
        if not printable(cue.text):
            continue
        start_ms = max(free_ms, round(cue.start_s * 1000))
        free_ms = max(start_ms + 1, round(cue.end_s * 1000))
        yield dataclasses.replace(cue, start_s=start_ms / 1000, end_s=free_ms / 1000)


def _srt(cues: Iterable[Cue]) -> Iterator[str]:
    """As SubRip writes it; there is no specification."""
    for number, cue in enumerate(_captions(cues), start=1):
        text = _ARROW.sub("->", _COMMAND.sub("(", _TAG.sub("‹", cue.text)))
        start, end = (_timestamp(moment, ",") for moment in (cue.start_s, cue.end_s))
        yield f"{number}\n{start} --> {end}\n{text}\n\n"


def _vtt(cues: Iterable[Cue]) -> Iterator[str]:
    """As in WebVTT (W3C, 2019), section 4: without identifiers, settings and markup."""
    yield "WEBVTT\n\n"
    for cue in _captions(cues):
        start, end = (_timestamp(moment, ".") for moment in (cue.start_s, cue.end_s))
        yield f"{start} --> {end}\n{cue.text.translate(_ESCAPES)}\n\n"


def _json(cues: Iterable[Cue]) -> Iterator[str]:
    """Yield one object, a cue a line."""
    yield '{"cues": ['
    separator = "\n"
    for cue in cues:
        words = [_word(word, cue) for word in cue.words]
        fields = {"start_s": cue.start_s, "end_s": cue.end_s, "text": cue.text, "words": words}
        yield separator + json.dumps(fields, ensure_ascii=False).encode(errors="replace").decode()
        separator = ",\n"
    yield "\n]}\n"


_WRITERS: dict[SubtitleFormat, Callable[[Iterable[Cue]], Iterator[str]]] = {
    "srt": _srt,
    "vtt": _vtt,
    "json": _json,
}


def _captions(cues: Iterable[Cue]) -> Iterator[Cue]:
    return _in_order(caption for cue in cues for caption in captions(cue))


def _word(word: Word, cue: Cue) -> dict[str, Any]:
    """Return the word with its times in whole milliseconds, within its cue."""
    start_s, end_s = (
        min(max(round(moment, 3), cue.start_s), cue.end_s) for moment in (word.start_s, word.end_s)
    )
    return {"text": word.text, "start_s": start_s, "end_s": end_s}


def _timestamp(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{whole:02d}{point}{milliseconds:03d}"

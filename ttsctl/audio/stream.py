"""Sound on its way from an engine to an encoder or a player."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ttsctl.errors import EngineError
from ttsctl.speech import Clip


@dataclass(frozen=True)
class Stream:
    """Sound of one sample rate as it comes into being. It can be read once."""

    sample_rate: int

    blocks: Iterator[bytes]
    """Signed 16-bit little-endian mono samples, a whole number a block; no block is empty."""


def stream_of(clips: Iterable[Clip]) -> Stream:
    """Return the sound of `clips`; takes the first one that has any, and leaves the rest for later.

    Raises:
        EngineError: No clip holds a sample. A file with a header and no sound would pass for
            a success.
        ValueError: While the blocks are read, where a clip has another sample rate than the first.
    """
    sounding = (clip for clip in clips if clip.pcm)
    first = next(sounding, None)
    if first is None:
        raise EngineError("the engine produced no sound for this text")
    return Stream(first.sample_rate, _blocks(itertools.chain([first], sounding), first.sample_rate))


def _blocks(clips: Iterable[Clip], sample_rate: int) -> Iterator[bytes]:
    for clip in clips:
        if clip.sample_rate != sample_rate:
            raise ValueError(
                f"a clip at {clip.sample_rate} Hz cannot follow one at {sample_rate} Hz"
            )
        yield clip.pcm

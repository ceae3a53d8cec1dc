"""Raw PCM: signed 16-bit little-endian mono samples and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from ttsctl.audio.formats import Encoding
from ttsctl.audio.stream import Stream


def encode(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield the samples as they are."""
    yield from stream.blocks

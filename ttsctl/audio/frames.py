"""Sound in frames of 20 ms, the unit in which live audio travels.

A phone, a browser or an encoder takes sound in such frames; an engine makes it in chunks of any
length. Nothing that is complete waits here: a frame leaves before more sound is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ttsctl.speech import SAMPLE_BYTES

FRAME_MS = 20  # what Opus encodes at a time, and what RTP carries in a packet (RFC 3551, 4.2)


def frame_bytes(sample_rate: int) -> int:
    """Return the size of a frame of PCM16: as many whole samples as 20 ms hold, at least one."""
    return max(1, FRAME_MS * sample_rate // 1000) * SAMPLE_BYTES


def frames(blocks: Iterable[bytes], sample_rate: int) -> Iterator[bytes]:
    """Yield the sound of `blocks` in frames of 20 ms; the last one may be shorter.

    Each block is taken only when every frame that those before it complete has been yielded, so at
    most the beginning of one frame is ever held back. No frame is empty.

    Args:
        blocks: PCM16 mono, cut anywhere; blocks may be empty.
        sample_rate: Samples a second.
    """
    size = frame_bytes(sample_rate)
    begun = b""
    for block in blocks:
        sound = begun + block
        whole = len(sound) - len(sound) % size
        for start in range(0, whole, size):
            yield sound[start : start + size]
        begun = sound[whole:]
    if begun:
        yield begun

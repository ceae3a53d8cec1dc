"""Change of sample rate by soxr, while the sound streams."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr

from ttsctl.audio.stream import Stream

_PCM16 = np.dtype("<i2")


def resample(stream: Stream, sample_rate: int) -> Stream:
    """Return `stream` at `sample_rate`, in soxr's high quality (20 bits, linear phase).

    The samples do not depend on how the sound is cut into blocks, and there are as many as the
    duration has room for, to the nearest one. About 50 ms of sound are held back until it ends.
    """
    return Stream(sample_rate, _resampled(stream, sample_rate))


def _resampled(stream: Stream, sample_rate: int) -> Iterator[bytes]:
    # Not soxr's int16: it dithers, with noise that depends on where the blocks begin.
    resampler = soxr.ResampleStream(stream.sample_rate, sample_rate, 1, dtype="float32")
    for block in stream.blocks:
        samples = np.frombuffer(block, _PCM16).astype(np.float32)
        if (ready := resampler.resample_chunk(samples)).size:
            yield _to_pcm16(ready)
    rest = resampler.resample_chunk(np.empty(0, np.float32), last=True)
    if rest.size:
        yield _to_pcm16(rest)


def _to_pcm16(samples: npt.NDArray[np.float32]) -> bytes:
    """Round samples in [-32768, 32767]; the ringing of the filter may go beyond, and is cut."""
    return np.rint(samples).clip(-0x8000, 0x7FFF).astype(_PCM16).tobytes()

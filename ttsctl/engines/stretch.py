"""Changing the speed of speech without its pitch: WSOLA (Verhelst and Roelands, 1993)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FRAME = 720  # about 30 ms: two or three periods of a low voice
_HOP = _FRAME // 2
_SEARCH = 240  # about 10 ms each way: a whole period of a voice of 100 Hz

Samples = NDArray[np.float32]


def stretch(samples: Samples, speed: float) -> Samples:
    """Return `samples`, float32 mono, spoken `speed` times as fast.

    The length is `len(samples) / speed`, rounded.
    """
    length = round(len(samples) / speed)
    if length <= _FRAME or len(samples) <= _FRAME + 2 * _SEARCH:
        return _squeeze(samples, length)
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    padded = np.pad(samples, (_SEARCH, _FRAME + _HOP + _SEARCH))
    result = np.zeros(length + 2 * _FRAME, np.float32)
    start = _SEARCH
    for position in range(0, length + _HOP, _HOP):
        result[position : position + _FRAME] += window * padded[start : start + _FRAME]
        wanted = padded[start + _HOP : start + _HOP + _FRAME]
        target = round((position + _HOP) * speed)
        start = _best_start(padded, min(target, len(samples)), wanted)
    # The first half frame was faded in; it has nothing before it to fade from.
    result[:_HOP] = samples[:_HOP]
    return result[:length]


def _best_start(padded: Samples, target: int, wanted: Samples) -> int:
    """Return where, around `target`, the sound is most like what would come next."""
    region = padded[target : target + 2 * _SEARCH + _FRAME]
    wanted = np.pad(wanted, (0, _FRAME - len(wanted)))
    return target + int(np.correlate(region, wanted, "valid").argmax())


def _squeeze(samples: Samples, length: int) -> Samples:
    """Resample, pitch and all: for what is shorter than a frame."""
    places = np.linspace(0, len(samples) - 1, max(length, 1))
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)

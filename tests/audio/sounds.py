"""Sounds to encode, and what can be told of them afterwards."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soundfile
from hypothesis import strategies as st

from ttsctl.speech import SAMPLE_BYTES, Clip

Samples = npt.NDArray[np.int16]

# The rates of the voices (espeak 22,050, Piper low 16,000, Kokoro 24,000) and of common sources.
SAMPLE_RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


def tone(duration_s: float, sample_rate: int = 22_050, frequency_hz: float = 440.0) -> Clip:
    """Return a sine of half the full scale."""
    times_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    samples = 16_384 * np.sin(2 * np.pi * frequency_hz * times_s)
    return Clip(samples.astype("<i2").tobytes(), sample_rate)


def samples_of(clip: Clip) -> Samples:
    return np.frombuffer(clip.pcm, "<i2")


def clip_of(samples: Samples, sample_rate: int) -> Clip:
    return Clip(samples.astype("<i2").tobytes(), sample_rate)


def decoded(file: bytes, format_name: str, sample_rate: int) -> tuple[Samples, int]:
    """Decode a file by libsndfile; the rate serves where the format has no header to tell it."""
    raw = {"pcm": "PCM_16", "ulaw": "ULAW", "alaw": "ALAW"}
    parameters = {}
    if format_name in raw:
        parameters = {
            **{"format": "RAW", "subtype": raw[format_name], "endian": "LITTLE"},
            **{"samplerate": sample_rate, "channels": 1},
        }
    samples, found_rate = soundfile.read(io.BytesIO(file), dtype="int16", **parameters)
    return samples, found_rate


def dominant_hz(samples: Samples, sample_rate: int) -> float:
    """Return the strongest frequency, to within the reciprocal of the duration."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * sample_rate / len(samples))


def level(samples: Samples) -> float:
    """Return the root mean square, in units of a sample."""
    return float(np.sqrt(np.mean(np.square(samples.astype(float)))))


def pieces(clip: Clip, cuts: list[int]) -> Iterator[Clip]:
    """Yield `clip` cut at the given frames; empty pieces may be among them."""
    edges = [0, *sorted(min(cut, clip.frames) for cut in cuts), clip.frames]
    for start, end in itertools.pairwise(edges):
        yield Clip(clip.pcm[start * SAMPLE_BYTES : end * SAMPLE_BYTES], clip.sample_rate)


def cuts(up_to_frames: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, up_to_frames), max_size=12)


def pcm(max_frames: int = 2_000) -> st.SearchStrategy[bytes]:
    """Any PCM16 of at least one frame."""
    return st.integers(1, max_frames).flatmap(
        lambda frames: st.binary(min_size=frames * SAMPLE_BYTES, max_size=frames * SAMPLE_BYTES)
    )

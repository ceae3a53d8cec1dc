"""Change of sample rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.sounds import (
    SAMPLE_RATES,
    clip_of,
    cuts,
    dominant_hz,
    level,
    pcm,
    pieces,
    samples_of,
    tone,
)
from ttsctl.audio.resample import resample
from ttsctl.audio.stream import stream_of
from ttsctl.speech import Clip

rates = st.sampled_from(SAMPLE_RATES)


def resampled(clip: Clip, sample_rate: int, at: list[int] | None = None) -> Clip:
    stream = resample(stream_of(pieces(clip, at or [])), sample_rate)
    return Clip(b"".join(stream.blocks), stream.sample_rate)


@settings(deadline=None)
@given(pcm(), rates, rates, cuts(2_000))
def test_the_samples_do_not_depend_on_the_cuts(
    samples: bytes, before: int, after: int, at: list[int]
) -> None:
    clip = Clip(samples, before)

    assert resampled(clip, after, at) == resampled(clip, after)


@settings(deadline=None)
@given(pcm(), rates, rates)
def test_the_duration_stays_to_within_half_a_sample(
    samples: bytes, before: int, after: int
) -> None:
    clip = Clip(samples, before)
    found = resampled(clip, after)

    assert abs(found.frames - clip.frames * after / before) <= 0.5


@pytest.mark.parametrize("after", SAMPLE_RATES)
def test_a_tone_stays_that_tone(after: int) -> None:
    found = samples_of(resampled(tone(1.0), after))

    assert dominant_hz(found, after) == pytest.approx(440, abs=2)
    assert level(found) == pytest.approx(level(samples_of(tone(1.0))), rel=0.01)


def test_silence_stays_digital_silence() -> None:
    """soxr's own 16-bit samples would carry dither."""
    assert not any(resampled(Clip(bytes(20_000), 22_050), 48_000).pcm)


def test_loud_sound_is_cut_and_does_not_wrap_around() -> None:
    square = np.repeat(np.tile([32_767, -32_768], 50), 100).astype(np.int16)
    found = samples_of(resampled(clip_of(square, 22_050), 44_100))
    plateaus = found.reshape(-1, 200)[:, 80:120]  # far from the edges, where the filter rings

    assert (np.sign(plateaus[::2]) == 1).all()
    assert (np.sign(plateaus[1::2]) == -1).all()

"""Windows yield what one run yields, whatever the length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ttsctl.engines.piper.windows import FIRST_FRAMES, LAST_FRAMES, Stage, at_speed, windows

CONTEXT = 3
HOP = 2


class Blur:
    """A stand-in for a decoder: every output is the mean of seven inputs, each written twice."""

    def run(
        self, outputs: list[str] | None, feed: Any, run_options: Any = None
    ) -> list[NDArray[Any]]:
        kernel = np.ones(2 * CONTEXT + 1) / (2 * CONTEXT + 1)
        (row,) = feed["frames"]
        padded = np.pad(row * feed["gain"][0, 0], CONTEXT)
        return [np.repeat(np.convolve(padded, kernel, "valid"), HOP)[None]]


BLUR = Stage(Blur(), ("frames", "gain"), "sound", CONTEXT, HOP)


@given(st.integers(1, 5_000))
def test_windows_cover_every_frame_once(total: int) -> None:
    ends = 0
    for start, end in windows(total):
        assert start == ends
        assert end > start
        ends = end
    assert ends == total


def test_the_first_window_is_short_and_the_others_stop_growing() -> None:
    lengths = [end - start for start, end in windows(10_000)]
    assert lengths[0] == FIRST_FRAMES
    assert lengths == sorted(lengths[:-1]) + lengths[-1:]
    assert max(lengths) <= LAST_FRAMES * 5 // 4


@given(st.integers(1, 600), st.integers(0, 2**32 - 1))
def test_windows_with_context_equal_one_run(total: int, seed: int) -> None:
    frames = np.random.default_rng(seed).normal(size=(1, total))
    tensors = {"frames": frames, "gain": np.array([[2.0]])}
    whole = BLUR.run(tensors, 0, total)
    pieces = [BLUR.run(tensors, start, end) for start, end in windows(total)]
    assert np.concatenate(pieces, axis=-1) == pytest.approx(whole, abs=1e-12)


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=300),
    st.floats(0.25, 4.0, allow_nan=False),
)
def test_durations_at_a_speed_add_up_to_their_share(durations: list[int], speed: float) -> None:
    changed = at_speed(np.array([durations], np.float32), speed)
    assert changed.shape == (1, len(durations))
    assert (changed >= 0).all()
    assert (changed == np.rint(changed)).all()
    assert abs(changed.sum() - sum(durations) / speed) <= 0.5
    assert np.abs(changed[0] - np.array(durations) / speed).max() <= 1


def test_at_normal_speed_durations_are_left_alone() -> None:
    durations = np.array([[1, 2, 3]], np.float32)
    assert at_speed(durations, 1.0) is durations

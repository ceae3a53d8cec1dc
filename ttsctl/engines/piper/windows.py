"""Runs a voice in parts, and flow and decoder window by window: the first samples come early.

The first window is short, so that sound begins soon; the next ones double, since every window
computes its context anew. They stop growing where the tensors no longer fit the processor's cache,
which also bounds the memory that a sentence of any length takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ttsctl.engines.stretch import stretch

FIRST_FRAMES = 8  # 0.09 s of sound at 22,050 Hz: what the next window takes four times over
LAST_FRAMES = 128
FLOW_FRAMES = 256

BOUNDS = "ttsctl_bounds"
"""The input that says where tensors are cut: begin and end, one after another."""

Tensors = Mapping[str, NDArray[Any]]


class Session(Protocol):
    """What is used of an onnxruntime session."""

    def run(
        self, outputs: list[str] | None, feed: Tensors, run_options: Any = None
    ) -> list[NDArray[Any]]:
        """Return the outputs for `feed`."""
        ...


@dataclass(frozen=True)
class Step:
    """A part of a voice that is run once a sentence."""

    session: Session
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Return the outputs by name."""
        feed = {name: tensors[name] for name in self.inputs if name in tensors}
        return dict(zip(self.outputs, self.session.run(list(self.outputs), feed), strict=True))


@dataclass(frozen=True)
class Stage:
    """A part of a voice that can be run on any stretch of frames."""

    session: Session

    inputs: tuple[str, ...]
    """The first is cut into windows; so is every other whose last axis is as long."""

    output: str

    context_frames: int
    """How far to either side an output depends on the input."""

    hop: int
    """Outputs for each frame."""

    crops: tuple[tuple[int, int], ...] = ()
    """Where context is dropped on the way: see `ttsctl.engines.piper.graph.Part`."""

    def run(
        self, tensors: Tensors, start: int, end: int, run_options: Any = None
    ) -> NDArray[np.float32]:
        """Return the outputs of the frames from `start` to `end`; the last axis is time.

        They are the same, but for rounding, whatever stretch is asked for.
        """
        total = tensors[self.inputs[0]].shape[-1]
        left = max(0, start - self.context_frames)
        right = min(total, end + self.context_frames)
        feed = {
            name: tensor[..., left:right] if tensor.shape[-1] == total else tensor
            for name, tensor in ((name, tensors[name]) for name in self.inputs)
        }
        # Contiguous: onnxruntime would copy anyway, but slower.
        feed = {name: np.ascontiguousarray(tensor) for name, tensor in feed.items()}
        bounds, first = self._bounds(start - left, end - start, right - end)
        if bounds:
            feed[BOUNDS] = np.array(bounds)
        output: NDArray[np.float32] = self.session.run([self.output], feed, run_options)[0]
        return output[..., first : first + (end - start) * self.hop]

    def _bounds(self, before: int, frames: int, behind: int) -> tuple[list[int], int]:
        """Return where tensors are cut that have context `before` and `behind` some frames.

        And where, in the output, those frames begin.
        """
        bounds: list[int] = []
        rate = 1
        for next_rate, need in self.crops:
            before, behind = before * next_rate // rate, behind * next_rate // rate
            begin, behind = max(0, before - need), min(behind, need)
            bounds += [begin, before + frames * next_rate + behind]
            before, rate = before - begin, next_rate
        return bounds, before * self.hop // rate


@dataclass(frozen=True)
class StagedModel:
    """A voice in four parts."""

    encoder: Step
    """Its first output is how many frames each phoneme lasts, before rounding."""

    aligner: Step
    """Its first input is the same, rounded up; its first output the latent frames."""

    flow: Stage
    decoder: Stage

    last_run: Any = None
    """Options for the last run of a sentence, which can give memory back."""

    def stream(self, feed: Tensors, speed: float = 1.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound of a sentence in order: float32, one axis, in [-1, 1].

        Args:
            feed: The inputs of a Piper voice by name: "input" int64 (1, ids), "input_lengths"
                int64 (1,), "scales" float32 (3,): noise, length, noise of the width; and "sid"
                int64 (1,) where there are several speakers.
            speed: How much shorter it is to be, true to half a frame.
        """
        tensors = dict(self.encoder.run(feed))
        durations = np.ceil(tensors[self.encoder.outputs[0]])
        tensors[self.aligner.inputs[0]] = at_speed(durations, speed)
        tensors.update(self.aligner.run(tensors))
        total = tensors[self.flow.inputs[0]].shape[-1]
        spectrum = self.decoder.inputs[0]
        ready = 0
        for start, end in windows(total):
            needed = min(total, end + self.decoder.context_frames)
            if needed > ready:
                stop = needed if ready == 0 else min(total, max(needed, ready + FLOW_FRAMES))
                made = self.flow.run(tensors, ready, stop)
                if ready == 0:
                    tensors[spectrum] = np.zeros((*made.shape[:-1], total), made.dtype)
                tensors[spectrum][..., ready:stop] = made
                ready = stop
            options = self.last_run if end == total else None
            yield self.decoder.run(tensors, start, end, options).ravel()


@dataclass(frozen=True)
class WholeModel:
    """A voice in one graph, whose sound comes all at once."""

    session: Session

    def stream(self, feed: Tensors, speed: float = 1.0) -> Iterator[NDArray[np.float32]]:
        """Yield the sound of a sentence in one piece; see `StagedModel.stream`.

        The model's own scale of length rounds every phoneme up to a frame: asked for 4 it reaches
        2. So the sound is stretched instead, which is true to the sample.
        """
        samples: NDArray[np.float32] = self.session.run(None, feed)[0].ravel()
        yield samples if speed == 1 else stretch(samples, speed)


def at_speed(durations: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Return durations in whole frames whose sum is that of `durations` divided by `speed`.

    Ends are rounded, not lengths, so that errors do not add up; at high speeds the shortest
    phonemes may be left without a frame. Shapes (..., phonemes) are kept.
    """
    if speed == 1:
        return durations
    ends = np.rint(np.cumsum(durations, axis=-1, dtype=np.float64) / speed)
    return np.diff(ends, axis=-1, prepend=0).astype(durations.dtype)


def windows(total: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of frames, from 0 to `total`, that are decoded one after another."""
    start, length = 0, FIRST_FRAMES
    while start < total:
        # What would be a short last window is taken along: its context costs as much as it does.
        end = total if start + length * 5 // 4 >= total else start + length
        yield start, end
        start, length = end, min(2 * length, LAST_FRAMES)

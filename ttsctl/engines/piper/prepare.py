"""Makes the graphs that a Piper voice is run from, once for a model, a processor and a release.

Runs in a process of its own, in the background of the first use, and takes some seconds:

    python -m ttsctl.engines.piper.prepare MODEL FOLDER

The parts are compared with the whole by numbers. Where those of the simplified graph differ, those
of the graph as it is are taken; where they do too, or it is not cut, the folder says so, and the
whole graph is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ttsctl.engines.piper.config import read_config
from ttsctl.engines.piper.crops import cropped
from ttsctl.engines.piper.graph import Part, Parts, cut
from ttsctl.engines.piper.model import MANIFEST, PARTS, WINDOWED, open_prepared
from ttsctl.engines.piper.planar import planar
from ttsctl.engines.piper.simplify import simplified
from ttsctl.engines.piper.windows import StagedModel, Tensors, WholeModel
from ttsctl.engines.prepared import make_prepared
from ttsctl.engines.sessions import open_session, save_folded, save_prepared
from ttsctl.errors import BusyError

TOLERANCE = 1e-5  # of samples in [-1, 1]; a third of the step of 16-bit sound
TIMING_TOLERANCE = 1e-3  # of a duration, before it is rounded up to frames of 12 ms
_TEST_IDS = 200
NOISE = "ttsctl_noise"


def prepare(model: Path, folder: Path) -> None:
    """Write what `ttsctl.engines.piper.model` runs into `folder`, which appears once complete.

    Returns at once where another process is at it, or has been.

    Raises:
        ModelNotFoundError: The file is no model that can be run.
        OutputError: The folder cannot be written.
    """
    with contextlib.suppress(BusyError):
        make_prepared(folder, lambda draft: _write(model, draft))


def _write(model: Path, draft: Path) -> None:
    warning = ""
    # The graph as it is does too, but takes half as long again to begin.
    for read in (_read_simplified, _read):
        try:
            _write_parts(cut(read(model, draft)), draft, warning)
            difference = _difference(model, open_prepared(draft))
        except Exception as error:
            # Whatever is odd about a graph, the whole can still be spoken; or fails by itself.
            warning = warning or f"{type(error).__name__}: {str(error)[:200]}"
        else:
            if difference <= TOLERANCE:
                return
            warning = warning or f"its parts differ from the whole by {difference:.1e}"
        for leftover in draft.iterdir():
            leftover.unlink()
    _write_whole(model, draft, warning)


def _read(model: Path, _draft: Path) -> onnx.ModelProto:
    return onnx.load(model)


def _read_simplified(model: Path, draft: Path) -> onnx.ModelProto:
    """Return what says the same with fewer nodes.

    Raises:
        ValueError: It does not say the same.
    """
    path = draft / "folded.onnx"  # where nothing stays if this process is killed
    save_folded(model, path)
    folded = onnx.load(path)
    path.unlink()
    simple = simplified(folded)
    encoders = (cut(folded).encoder, cut(simple).encoder)
    difference = _difference_with_noise(*encoders, _known_ids(model))
    if not difference <= TIMING_TOLERANCE:
        raise ValueError(f"durations of the simplified graph differ by {difference:.1e}")
    return simple


def _write_whole(model: Path, draft: Path, warning: str) -> None:
    save_prepared(model, draft / "whole.onnx")
    _write_manifest(draft, {"whole": True, "warning": warning})


def _write_parts(parts: Parts, draft: Path, warning: str) -> None:
    facts: dict[str, Any] = {"whole": False, "warning": warning}
    for name in PARTS:
        part: Part = getattr(parts, name)
        # A mask is as long as the window, and would not be cut with the rest.
        if name in WINDOWED and set(part.inputs[1:]).isdisjoint(parts.aligner.outputs):
            part = cropped(part)
        save_prepared(planar(part).SerializeToString(), draft / f"{name}.onnx")
        facts[name] = {
            "inputs": part.inputs,
            "outputs": part.outputs,
            "context_frames": part.context_frames,
            "hop": part.hop,
            "crops": part.crops,
        }
    _write_manifest(draft, facts)


def _write_manifest(draft: Path, manifest: dict[str, Any]) -> None:
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _difference(model: Path, parts: StagedModel | WholeModel) -> float:
    """Return the largest difference of a sample; infinite where the lengths differ."""
    session = open_session(model)
    whole = WholeModel(session)
    largest = 0.0
    inputs = {entry.name for entry in session.get_inputs()}
    for feed in _test_feeds(inputs, _known_ids(model)):
        one = np.concatenate(list(whole.stream(feed)))
        other = np.concatenate(list(parts.stream(feed)))
        if one.shape != other.shape:
            return float("inf")
        largest = max(largest, float(np.abs(one - other).max()))
    return largest


def _known_ids(model: Path) -> list[int]:
    config = read_config(model.with_suffix(".onnx.json"))
    return sorted({number for numbers in config.phoneme_ids.values() for number in numbers})


def _difference_with_noise(one: Part, other: Part, known_ids: list[int]) -> float:
    """Return by what share durations differ at most, for noise that is not left to chance."""
    noise = np.random.default_rng(1).normal(size=(1, 2, _TEST_IDS)).astype(np.float32)
    durations = []
    for part in (one, other):
        session = open_session(with_given_noise(part.model).SerializeToString())
        inputs = {entry.name for entry in session.get_inputs()}
        feed = next(_test_feeds(inputs, known_ids))
        scales = np.array([0.0, 1.0, 1.5], np.float32)  # some of the noise is beyond the splines
        given = {**feed, "scales": scales, NOISE: noise}
        feed = {name: tensor for name, tensor in given.items() if name in inputs}
        durations.append(session.run([part.outputs[0]], feed)[0])
    return float(np.abs(durations[0] / durations[1] - 1).max())


def with_given_noise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with noise as an input."""
    given = onnx.ModelProto()
    given.CopyFrom(model)
    for node in given.graph.node:
        if node.op_type == "RandomNormalLike":
            noise = helper.make_tensor_value_info(NOISE, TensorProto.FLOAT, None)
            given.graph.input.append(noise)
            node.CopyFrom(helper.make_node("Identity", [NOISE], node.output))
    return given


def _test_feeds(inputs: set[str], known_ids: list[int]) -> Iterator[Tensors]:
    """Yield a sentence of many windows, and one of hardly a frame, both without noise."""
    for n_ids, length_scale in ((_TEST_IDS, 2.0), (3, 0.1)):
        ids = np.array([[known_ids[place * 7 % len(known_ids)] for place in range(n_ids)]])
        feed: dict[str, NDArray[Any]] = {
            "input": ids,
            "input_lengths": np.array([n_ids]),
            "scales": np.array([0.0, length_scale, 0.0], np.float32),
        }
        if "sid" in inputs:
            feed["sid"] = np.array([0])
        yield feed


if __name__ == "__main__":
    os.nice(10)  # whoever started it is speaking meanwhile
    prepare(Path(sys.argv[1]), Path(sys.argv[2]))

"""Makes the graphs that a Piper voice is run from, once for a model, a processor and a release.

Runs in a process of its own, in the background of the first use, and takes some seconds:

    python -m ttsctl.engines.piper.prepare MODEL FOLDER

The parts are compared with the whole by numbers. Where they differ, or where the graph is not cut,
the folder says so, and the whole graph is used.
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

from ttsctl.engines.piper.config import read_config
from ttsctl.engines.piper.graph import Part, Parts, cut
from ttsctl.engines.piper.model import MANIFEST, PARTS, open_prepared
from ttsctl.engines.piper.planar import planar
from ttsctl.engines.piper.windows import StagedModel, Tensors, WholeModel
from ttsctl.engines.prepared import make_prepared
from ttsctl.engines.sessions import open_session, save_prepared
from ttsctl.errors import BusyError

TOLERANCE = 1e-5  # of samples in [-1, 1]; a third of the step of 16-bit sound
_TEST_IDS = 200


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
    try:
        _write_parts(cut(onnx.load(model)), draft)
        difference = _difference(model, open_prepared(draft))
    except Exception as error:
        # Whatever is odd about a graph, the whole of it can still be spoken; or fails by itself.
        _write_whole(model, draft, f"{type(error).__name__}: {str(error)[:200]}")
        return
    if not difference <= TOLERANCE:
        _write_whole(model, draft, f"its parts differ from the whole by {difference:.1e}")


def _write_whole(model: Path, draft: Path, warning: str) -> None:
    save_prepared(model, draft / "whole.onnx")
    _write_manifest(draft, {"whole": True, "warning": warning})


def _write_parts(parts: Parts, draft: Path) -> None:
    facts: dict[str, Any] = {"whole": False}
    for name in PARTS:
        part: Part = getattr(parts, name)
        save_prepared(planar(part).SerializeToString(), draft / f"{name}.onnx")
        facts[name] = {
            "inputs": part.inputs,
            "outputs": part.outputs,
            "context_frames": part.context_frames,
            "hop": part.hop,
        }
    _write_manifest(draft, facts)


def _write_manifest(draft: Path, manifest: dict[str, Any]) -> None:
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _difference(model: Path, parts: StagedModel | WholeModel) -> float:
    """Return the largest difference of a sample; infinite where the lengths differ."""
    session = open_session(model)
    whole = WholeModel(session)
    largest = 0.0
    config = read_config(model.with_suffix(".onnx.json"))
    known = sorted({number for numbers in config.phoneme_ids.values() for number in numbers})
    for feed in _test_feeds({entry.name for entry in session.get_inputs()}, known):
        one = np.concatenate(list(whole.stream(feed)))
        other = np.concatenate(list(parts.stream(feed)))
        if one.shape != other.shape:
            return float("inf")
        largest = max(largest, float(np.abs(one - other).max()))
    return largest


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

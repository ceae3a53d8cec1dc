"""Exporting the model to ONNX: once, with torch, which is not needed afterwards."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch

from ttsctl.engines.kokoro.exportable import ExportableKokoro
from ttsctl.engines.kokoro.model import CONFIG, weights_file
from ttsctl.engines.kokoro.weights import load_model

_OPSET = 17
_INPUTS = ["input_ids", "style", "speed", "noise"]
_OUTPUTS = ["waveform", "durations", "plain_durations"]
_ANY_LENGTH = {
    "input_ids": {1: "phonemes"},
    "noise": {0: "noise"},
    "waveform": {0: "samples"},
    "durations": {0: "phonemes"},
    "plain_durations": {0: "phonemes"},
}
_EXAMPLE_IDS = 48


def export(folder: Path, graph: Path) -> None:
    """Write the graph of the model in `folder` to `graph`, which appears when it is complete.

    Takes 10-20 s and 1.5 GB of memory at full size.

    Raises:
        ModelNotFoundError: The files are not those of Kokoro.
    """
    model = ExportableKokoro(load_model(folder / CONFIG, weights_file(folder))).eval()
    draft = graph.with_name(f".{graph.name}.{os.urandom(8).hex()}.part")
    try:
        _write(model, draft)
        draft.replace(graph)
    finally:
        draft.unlink(missing_ok=True)


def _write(model: ExportableKokoro, path: Path) -> None:
    ids = torch.ones((1, _EXAMPLE_IDS), dtype=torch.int64)
    example = (ids, torch.zeros(1, 256), torch.ones(1), torch.zeros(8))
    with warnings.catch_warnings(), torch.no_grad():
        # Of constants that do not depend on the input, and of the exporter's age.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(path),
            input_names=_INPUTS,
            output_names=_OUTPUTS,
            dynamic_axes=_ANY_LENGTH,
            opset_version=_OPSET,
            dynamo=False,
        )

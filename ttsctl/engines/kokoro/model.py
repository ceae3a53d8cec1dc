"""Finding the model in its folder, and having it exported where only the original is there."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ttsctl.engines.kokoro.runtime import Runtime
from ttsctl.errors import ModelNotFoundError, NotInstalledError
from ttsctl.files import locked

CONFIG = "config.json"
WEIGHTS = "kokoro-v1_0.pth"
GRAPH = "model.onnx"

# Only these two import torch, which takes seconds.
_EXPORT = "ttsctl.engines.kokoro.export:export"
_REFERENCE = "ttsctl.engines.kokoro.reference:TorchRuntime"

Export = Callable[[Path, Path], object]


def graph_file(folder: Path, export: Export | None = None) -> Path:
    """Return the model's file of ONNX; it is exported first where only the weights are there.

    Two processes do not both export: the second waits for the first.

    Args:
        folder: With `config.json`, and `model.onnx` or `kokoro-v1_0.pth`.
        export: Writes the graph of such a folder to a path; None for the one that uses torch.

    Raises:
        ModelNotFoundError: There is neither.
        NotInstalledError: It has to be exported, and the kokoro package is missing.
    """
    graph = folder / GRAPH
    if graph.exists():
        return graph
    weights_file(folder)
    with locked(folder / ".export.lock", "export of the Kokoro model", wait_s=math.inf):
        for leftover in folder.glob(f".{GRAPH}.*.part"):
            leftover.unlink(missing_ok=True)
        if not graph.exists():
            (export or _load(_EXPORT))(folder, graph)
    return graph


def weights_file(folder: Path) -> Path:
    """Return the model's original file.

    Raises:
        ModelNotFoundError: It is not there.
    """
    weights = folder / WEIGHTS
    if not weights.exists():
        raise ModelNotFoundError(
            f"the Kokoro model is not installed ({weights} is missing);"
            " run: ttsctl voices get kokoro"
        )
    return weights


def open_reference(folder: Path) -> Runtime:
    """Open the original with the kokoro package itself.

    Raises:
        ModelNotFoundError: The original is not there.
        NotInstalledError: The kokoro package is missing.
    """
    weights_file(folder)
    runtime: Runtime = _load(_REFERENCE)(folder)
    return runtime


def _load(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise NotInstalledError(
            f"the Kokoro model has to be exported once, which needs the kokoro package ({error});"
            " run: pip install 'ttsctl[kokoro]'"
        ) from error
    return found

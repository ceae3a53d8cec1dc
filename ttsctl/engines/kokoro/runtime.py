"""Kokoro's exported model, run by onnxruntime.

Measured at full size: a session from the graph as exported opens in 1.2-1.7 s; from a graph that
was optimised before and whose weights are mapped, in 0.37 s; with no weights rearranged at the
start (`session.disable_prepacking`), in 0.08 s, with 100 MB less of private memory, as fast after.
The arena would keep the peak of the longest chunk for ever, so it is shrunk after each: after 13 s
of sound 85 MB are private and not 580, at the peak 310.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ttsctl.engines.prepared import make_prepared, prepared_folder
from ttsctl.engines.sessions import SHRINK, open_session, save_prepared
from ttsctl.errors import EngineError, ModelNotFoundError, TtsctlError

_logger = logging.getLogger(__name__)

_GRAPH = "kokoro.onnx"
_PREPARATION = "kokoro 1"  # raise it when what is prepared changes
_NOISE_SAMPLES = 1 << 17  # repeats every 5.5 s, which nobody hears in noise
_INPUTS = {
    "input_ids": "ids",
    "tokens": "ids",
    "style": "style",
    "speed": "speed",
    "noise": "noise",
}

Samples = NDArray[np.float32]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spoken:
    """What the model made of one chunk."""

    samples: Samples
    """Mono at 24 kHz, nominally in [-1, 1]."""

    durations: Counts | None
    """Frames of 600 samples for each phoneme and the two pads; None where the model hides them."""

    plain_durations: Counts | None
    """What the durations are at speed 1."""


class Runtime(Protocol):
    """Runs a model of Kokoro."""

    def speak(self, ids: list[int], style: Samples, speed: float) -> Spoken:
        """Return the sound of one chunk.

        Args:
            ids: Numbers of the phonemes, with pads around them; at most 512.
            style: float32 of (256).
            speed: Multiplier that the durations are divided by.

        Raises:
            EngineError: The model failed.
        """
        ...


class OnnxRuntime:
    """A model in a file of ONNX: the one that we export, or one made elsewhere."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._roles = {each.name: _role(each.name) for each in session.get_inputs()}
        self._outputs = [each.name for each in session.get_outputs()]
        self._noise = np.random.default_rng(0).standard_normal(_NOISE_SAMPLES, np.float32)

    def speak(self, ids: list[int], style: Samples, speed: float) -> Spoken:
        """See `Runtime`."""
        values = {
            "ids": np.array([ids], np.int64),
            "style": style[None],
            "speed": np.array([speed], np.float32),
            "noise": self._noise,
        }
        feed = {name: values[role] for name, role in self._roles.items()}
        try:
            found = self._session.run(None, feed, SHRINK)
        except Exception as error:  # onnxruntime's errors have no useful base
            raise EngineError(f"kokoro's model failed: {str(error)[:200]}") from error
        results = dict(zip(self._outputs, found, strict=True))
        durations = results.get("durations")
        return Spoken(found[0].ravel(), durations, results.get("plain_durations"))


def open_model(model: Path, threads: int) -> OnnxRuntime:
    """Open a model from its prepared graph, which is made here the first time.

    Args:
        model: The file of ONNX.
        threads: For the work of one operator.

    Raises:
        ModelNotFoundError: The file is no model of Kokoro.
    """
    folder = prepared_folder("kokoro", f"{_PREPARATION} {model}", model)
    graph = folder / _GRAPH
    try:
        # 2 s and 325 MB, and worth the wait: as exported the model opens as slowly each time.
        make_prepared(folder, lambda draft: save_prepared(model, draft / _GRAPH))
    except (TtsctlError, OSError) as error:
        _logger.warning("Kokoro starts slowly, for it cannot be prepared: %s", error)
        return OnnxRuntime(open_session(model, threads=threads))
    try:
        return OnnxRuntime(open_session(graph, threads=threads, is_prepared=True))
    except ModelNotFoundError:
        shutil.rmtree(folder, ignore_errors=True)  # damaged: the next run makes it again
        raise


def _role(name: str) -> str:
    if name not in _INPUTS:
        raise ModelNotFoundError(
            f"the model has an input '{name}', which Kokoro's has not;"
            " run: ttsctl voices get kokoro"
        )
    return _INPUTS[name]

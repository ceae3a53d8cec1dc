"""The model as the kokoro package runs it, with torch: what the exported one is compared with."""

from __future__ import annotations

from pathlib import Path

import torch

from ttsctl.engines.kokoro.model import CONFIG, weights_file
from ttsctl.engines.kokoro.runtime import Samples, Spoken
from ttsctl.engines.kokoro.weights import load_model
from ttsctl.errors import EngineError


class TorchRuntime:
    """Speaks some two times slower than the exported model, after a start of seconds."""

    def __init__(self, folder: Path) -> None:
        self._model = load_model(folder / CONFIG, weights_file(folder))

    def speak(self, ids: list[int], style: Samples, speed: float) -> Spoken:
        """See `Runtime`; the noise is the same for equal requests."""
        torch.manual_seed(0)
        inputs = torch.tensor([ids]), torch.from_numpy(style)[None]
        try:
            samples, durations = self._model.forward_with_tokens(*inputs, speed)
        except RuntimeError as error:
            raise EngineError(f"kokoro's model failed: {str(error)[:200]}") from error
        return Spoken(samples.numpy(), durations.numpy(), None)

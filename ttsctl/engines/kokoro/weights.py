"""The original model of Kokoro, from its file into the kokoro package's classes.

The package's own loading takes any file whose parts have the right names, and goes on with random
numbers where the weights in them have not. Here what is missing is an error.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from kokoro.model import KModel

from ttsctl.errors import ModelNotFoundError

# Made by the classes themselves: scales of one and shifts of zero, and the numbers of positions.
_MAY_MISS = ("norm.weight", "norm.bias", "position_ids", "token_type_ids")
_PREFIX = "module."  # left by parallel training


def load_model(config: Path, weights: Path) -> Any:
    """Return the package's `KModel`, ready to run.

    Raises:
        ModelNotFoundError: A file is not one of Kokoro.
    """
    try:
        # Tensors only: nothing in the file is run.
        parts = torch.load(weights, map_location="cpu", weights_only=True)
        model = _empty_model(config)
        missing = [name for part, state in parts.items() for name in _fill(model, part, state)]
    except Exception as error:
        # What a file that is something else makes torch raise cannot be listed.
        raise ModelNotFoundError(
            f"{weights} is not a Kokoro model ({type(error).__name__}: {str(error)[:200]});"
            " run: ttsctl voices get kokoro"
        ) from error
    missing += [part for part, _ in model.named_children() if part not in parts]
    if missing:
        raise ModelNotFoundError(
            f"{weights} is not a whole Kokoro model: {missing[0]} and {len(missing) - 1} more"
            " are missing; run: ttsctl voices get kokoro"
        )
    return model.eval()


def _empty_model(config: Path) -> Any:
    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    with warnings.catch_warnings():
        # Of torch's own plans for weight_norm, and of a dropout that is not used.
        warnings.simplefilter("ignore")
        return KModel(repo_id="hexgrad/Kokoro-82M", config=str(config), model=nothing)


def _fill(model: Any, part: str, state: dict[str, torch.Tensor]) -> list[str]:
    """Load the weights of one part and return the names of those that are missing."""
    plain = {name.removeprefix(_PREFIX): value for name, value in state.items()}
    missing, _ = getattr(model, part).load_state_dict(plain, strict=False)
    return [f"{part}.{name}" for name in missing if not name.endswith(_MAY_MISS)]

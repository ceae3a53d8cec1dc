"""Build Kokoro voices of the true architecture, with untrained weights: nothing is downloaded.

They speak noise, but load, run and weigh what the released ones do. `python -m
benchmarks.kokoro_voice FOLDER [tiny]` writes `FOLDER/kokoro` as `ttsctl voices get kokoro` would.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import torch
from kokoro.model import KModel

CONFIG = Path(__file__).parent / "data" / "kokoro-config.json"
VOICES = (
    "af_heart",
    "af_sky",
    "af_nicole",
    "bf_emma",
    "ef_dora",
    "ff_siwis",
    "hf_alpha",
    "if_sara",
    "pf_dora",
    "jf_alpha",
    "zf_xiaobei",
)
PACK_SHAPE = (510, 1, 256)  # one style for each number of phonemes

# Untrained, the sum of 50 sigmoids is 25 frames a phoneme; speech has about three.
_DURATION_BIAS = -2.9
_PITCH_HZ, _PITCH_GAIN = 180.0, 100.0  # voiced; at 0 Hz the source would be noise alone
_STYLE_NORM = 0.1

_PARTS = ("bert", "bert_encoder", "predictor", "decoder", "text_encoder")

Size = Literal["full", "tiny"]


def build_kokoro(folder: Path, size: Size = "full") -> Path:
    """Write a model and eleven voices into `folder`/kokoro and return that.

    Args:
        folder: Where to build; it need not exist.
        size: "full" is the released shape of 81.8 million parameters; "tiny" keeps every kind of
            layer and the rates, and is as small as the decoder's fixed widths allow.
    """
    root = folder / "kokoro"
    model_folder = root / "model"
    model_folder.mkdir(parents=True)
    config = json.loads(CONFIG.read_text())
    if size == "tiny":
        config = _shrink(config)
    (model_folder / "config.json").write_text(json.dumps(config, ensure_ascii=False))
    torch.save(_weights(config, model_folder), model_folder / "kokoro-v1_0.pth")
    for seed, name in enumerate(VOICES):
        (root / name).mkdir()
        torch.save(_pack(seed), root / name / f"{name}.pt")
    return root


def _shrink(config: dict[str, Any]) -> dict[str, Any]:
    bert = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    generator = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]]}
    return config | {
        "n_layer": 1,
        "plbert": config["plbert"] | bert | {"num_hidden_layers": 1},
        "istftnet": config["istftnet"] | generator,
    }


def _weights(config: dict[str, Any], folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return state dicts by part, as the released file has them."""
    empty = folder / "empty.pth"
    torch.save({}, empty)
    torch.manual_seed(0)
    model = KModel(repo_id="local", config=config, model=str(empty))
    empty.unlink()
    model.predictor.duration_proj.linear_layer.bias.data.fill_(_DURATION_BIAS)
    model.predictor.F0_proj.bias.data.fill_(_PITCH_HZ)
    model.predictor.F0_proj.weight.data.mul_(_PITCH_GAIN)
    return {part: getattr(model, part).state_dict() for part in _PARTS}


def _pack(seed: int) -> torch.Tensor:
    return torch.randn(PACK_SHAPE, generator=torch.Generator().manual_seed(seed)) * _STYLE_NORM


if __name__ == "__main__":
    build_kokoro(Path(sys.argv[1]), "tiny" if "tiny" in sys.argv[2:] else "full")

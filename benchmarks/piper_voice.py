"""Builds Piper voices of true architecture with untrained weights.

Released voices cannot be had without a network, and need not be: the time, the memory and the graph
of a model do not depend on what its weights have learnt. What it says sounds like noise. The export
is made as piper's own is: opset 15, TorchScript exporter, weight norm removed from the decoder.

    python -m benchmarks.piper_voice FOLDER [--size medium] [--speakers 1]
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP
from piper.train.vits.models import SynthesizerTrn

OPSET = 15
SAMPLE_RATE = 22_050
N_SYMBOLS = 256
LENGTH_SCALE = 1.67  # brings the durations of an untrained model close to those of speech
PEAK = 0.5  # of the sound; an untrained decoder's own output is all but silent

_MEDIUM: dict[str, Any] = {
    "inter_channels": 192,
    "hidden_channels": 192,
    "filter_channels": 768,
    "n_heads": 2,
    "n_layers": 6,
    "kernel_size": 3,
    "resblock": "2",
    "resblock_kernel_sizes": (3, 5, 7),
    "resblock_dilation_sizes": ((1, 2), (2, 6), (3, 12)),
    "upsample_rates": (8, 8, 4),
    "upsample_initial_channel": 256,
    "upsample_kernel_sizes": (16, 16, 8),
}
SIZES: dict[str, dict[str, Any]] = {
    "medium": _MEDIUM,
    "high": _MEDIUM
    | {
        "resblock": "1",
        "resblock_kernel_sizes": (3, 7, 11),
        "resblock_dilation_sizes": ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        "upsample_rates": (8, 8, 2, 2),
        "upsample_initial_channel": 512,
        "upsample_kernel_sizes": (16, 16, 4, 4),
    },
    # Of the same graph, but small enough to be built in a test.
    "tiny": _MEDIUM
    | {
        "inter_channels": 16,
        "hidden_channels": 16,
        "filter_channels": 32,
        "n_layers": 2,
        "upsample_initial_channel": 32,
    },
}


def build_piper(
    folder: Path, name: str = "en_US-untrained-medium", *, size: str = "medium", speakers: int = 1
) -> Path:
    """Write `name`.onnx and `name`.onnx.json into `folder`; return the path of the model.

    Args:
        folder: Made where it is missing.
        name: "language_REGION-speaker-quality", as piper's voices are called.
        size: A key of `SIZES`; "medium" makes the 63 MB of a released medium voice.
        speakers: More than one gives the model a speaker id as a further input.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1234)
    channels = {"gin_channels": 512} if speakers > 1 else {}
    model = SynthesizerTrn(
        n_vocab=N_SYMBOLS,
        spec_channels=513,
        segment_size=32,
        p_dropout=0.1,
        n_speakers=speakers,
        **SIZES[size],
        **channels,
    )
    model.eval()
    _make_audible(model, speakers)
    path = folder / f"{name}.onnx"
    _export(model, path, speakers)
    config = json.dumps(_config(name, speakers), ensure_ascii=False, indent=2)
    path.with_suffix(".onnx.json").write_text(config, encoding="utf-8")
    return path


def _make_audible(model: Any, speakers: int) -> None:
    """Scale the last layer so that the sound has a plain volume and is not clipped."""
    with torch.no_grad():
        model.dec.remove_weight_norm()
        ids, lengths, _, speaker = _example(speakers)
        for _ in range(3):
            sound = torch.atanh(model.infer(ids, lengths, sid=speaker)[0].clamp(-0.999, 0.999))
            model.dec.conv_post.weight *= PEAK / sound.abs().max()


def _example(speakers: int) -> tuple[torch.Tensor, ...]:
    ids = torch.randint(0, N_SYMBOLS, (1, 50))
    scales = torch.tensor([0.667, 1.0, 0.8])
    return ids, torch.tensor([50]), scales, torch.tensor([0]) if speakers > 1 else None


def _export(model: Any, path: Path, speakers: int) -> None:
    def forward(
        text: torch.Tensor, lengths: torch.Tensor, scales: torch.Tensor, sid: Any = None
    ) -> torch.Tensor:
        noise, length, noise_w = scales[0], scales[1], scales[2]
        sound = model.infer(text, lengths, sid, noise, length, noise_w)[0]
        return sound.unsqueeze(1)

    model.forward = forward
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's, which piper's own export has too
        torch.onnx.export(
            model,
            _example(speakers),
            str(path),
            opset_version=OPSET,
            dynamo=False,
            input_names=["input", "input_lengths", "scales", "sid"],
            output_names=["output"],
            dynamic_axes={
                "input": {0: "batch_size", 1: "phonemes"},
                "input_lengths": {0: "batch_size"},
                "output": {0: "batch_size", 2: "time"},
            },
        )


def _config(name: str, speakers: int) -> dict[str, Any]:
    language = name.split("-")[0]
    espeak = {"en_US": "en-us", "en_GB": "en-gb"}.get(language, language.split("_")[0])
    return {
        "audio": {"sample_rate": SAMPLE_RATE, "quality": name.rpartition("-")[2]},
        "espeak": {"voice": espeak},
        "language": {"code": language},
        "inference": {"noise_scale": 0.667, "length_scale": LENGTH_SCALE, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": N_SYMBOLS,
        "num_speakers": speakers,
        "speaker_id_map": {f"p{number}": number for number in range(speakers)}
        if speakers > 1
        else {},
        "piper_version": "1.0.0",
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="en_US-untrained-medium")
    parser.add_argument("--size", choices=SIZES, default="medium")
    parser.add_argument("--speakers", type=int, default=1)
    arguments = parser.parse_args()
    print(
        build_piper(
            arguments.folder, arguments.name, size=arguments.size, speakers=arguments.speakers
        )
    )

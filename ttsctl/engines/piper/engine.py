"""The Piper engine: VITS voices of the piper project, from their .onnx and .onnx.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsctl.engines.options import number_within, one_of, read_options, whole_number
from ttsctl.engines.piper.config import PiperConfig, read_config
from ttsctl.engines.piper.model import open_model
from ttsctl.engines.piper.phonemes import Phonemise, phonemiser, with_blocks
from ttsctl.engines.piper.windows import StagedModel, WholeModel
from ttsctl.engines.sessions import return_memory
from ttsctl.errors import EngineError, InvalidVoiceError, ModelNotFoundError
from ttsctl.speech import Clip, Utterance, Voice

_FULL_SCALE = 32_767
_OPTIONS = {
    "noise_scale": number_within(0, 2),
    "noise_w_scale": number_within(0, 2),
    "phoneme_blocks": one_of("on", "off"),
    "speaker_id": whole_number,
}


OpenModel = Callable[[Path, str], StagedModel | WholeModel]


@dataclass(frozen=True)
class _Loaded:
    """A voice that is ready to speak."""

    voice: Voice
    config: PiperConfig
    phonemise: Phonemise
    model: StagedModel | WholeModel


class PiperEngine:
    """Speaks Piper voices, one loaded at a time.

    Args:
        open_model: Opens the model file of a voice, given its fingerprint too.
    """

    def __init__(self, open_model: OpenModel = open_model) -> None:
        self._open_model = open_model
        self._loaded: _Loaded | None = None

    def voices(self) -> list[Voice]:
        """Return nothing: the voices are files that the user installs, not the engine's own."""
        return []

    def load(self, voice: Voice) -> None:
        """Open the model of `voice`; all speakers of a model share it.

        Raises:
            InvalidVoiceError: The model has no such speaker.
            ModelNotFoundError: A file is missing, or is not what it should be.
            NotInstalledError: The voice's phonemes need a package that is missing.
        """
        name, _, speaker = voice.name.partition("#")
        loaded = self._loaded
        if loaded is None or not _is_same_model(loaded.voice, voice):
            loaded = self._loaded = _open(voice, name, self._open_model)
        if speaker:
            loaded.config.speaker_id(speaker)

    def synthesize(self, utterance: Utterance) -> Iterator[Clip]:
        """Yield the sound of `utterance` while it is being made: PCM16 at the voice's own rate.

        The volume is the voice's own: nothing is scaled, so that sentences stay in proportion.

        Raises:
            InvalidRequestError: An option is unknown or wrong.
            EngineError: The model makes sound that is none.
        """
        options = read_options("piper", utterance.options, _OPTIONS)
        self.load(utterance.voice)
        loaded = self._loaded
        assert loaded is not None
        has_blocks = options.get("phoneme_blocks") == "on"
        sentences = (
            with_blocks(loaded.phonemise, utterance.clauses)
            if has_blocks
            else loaded.phonemise(utterance.clauses)
        )
        for phonemes in sentences:
            ids, dropped = loaded.config.ids(phonemes)
            feed = _feed(loaded, ids, utterance.voice, options)
            for samples in loaded.model.stream(feed, utterance.speed):
                yield Clip(_pcm(samples), loaded.config.sample_rate, dropped)
                dropped = 0
        return_memory()


def _is_same_model(one: Voice, other: Voice) -> bool:
    return (
        one.model == other.model
        and one.fingerprint == other.fingerprint
        and one.name.partition("#")[0] == other.name.partition("#")[0]
    )


def _open(voice: Voice, name: str, open_model: OpenModel) -> _Loaded:
    model = Path(voice.model) / f"{name}.onnx"
    if not voice.model or not model.is_file():
        raise ModelNotFoundError(
            f"voice '{voice.id}' is not installed; run: ttsctl voices get {name}"
        )
    config = read_config(model.with_suffix(".onnx.json"))
    with ThreadPoolExecutor(max_workers=1) as pool:
        opening = pool.submit(open_model, model, voice.fingerprint)
        phonemise = phonemiser(config, model.parent)
        phonemise(["a"])  # reads its data files, meanwhile
        return _Loaded(voice, config, phonemise, opening.result())


def _feed(
    loaded: _Loaded, ids: list[int], voice: Voice, options: dict[str, Any]
) -> dict[str, NDArray[Any]]:
    """Return the inputs of the model for one sentence."""
    config = loaded.config
    scales = [
        options.get("noise_scale", config.noise_scale),
        config.length_scale,
        options.get("noise_w_scale", config.noise_w_scale),
    ]
    feed: dict[str, NDArray[Any]] = {
        "input": np.array([ids]),
        "input_lengths": np.array([len(ids)]),
        "scales": np.array(scales, np.float32),
    }
    if config.n_speakers > 1:
        feed["sid"] = np.array([_speaker_id(config, voice, options)])
    return feed


def _speaker_id(config: PiperConfig, voice: Voice, options: dict[str, Any]) -> int:
    named = voice.name.partition("#")[2]
    if named:
        return config.speaker_id(named)
    number: int = options.get("speaker_id", config.default_speaker)
    if number >= config.n_speakers:
        raise InvalidVoiceError(f"no speaker {number}; voice '{voice.id}' has {config.n_speakers}")
    return number


def _pcm(samples: NDArray[np.float32]) -> bytes:
    if not np.isfinite(samples).all():
        raise EngineError("the model made samples that are no numbers")
    scaled = np.rint(samples * _FULL_SCALE).clip(-_FULL_SCALE - 1, _FULL_SCALE)
    return scaled.astype("<i2").tobytes()

"""What a Piper voice's .onnx.json says."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsctl.errors import InvalidVoiceError, ModelNotFoundError, nearest

PAD, START, END = "_", "^", "$"


@dataclass(frozen=True)
class PiperConfig:
    """The settings of a voice."""

    sample_rate: int

    phoneme_type: str
    """How text becomes phonemes: "espeak", "text", "pinyin" and others."""

    espeak_voice: str

    phoneme_ids: Mapping[str, tuple[int, ...]]
    """The ids of each phoneme."""

    vowel_clusters: frozenset[tuple[str, ...]]
    """Rows of phonemes that the voice knows as one."""

    n_speakers: int
    speakers: Mapping[str, int]
    """Speaker id by name; not every voice names its speakers."""

    default_speaker: int
    noise_scale: float
    length_scale: float
    noise_w_scale: float

    def speaker_id(self, name: str) -> int:
        """Return the number of a speaker, who is given by name or by number.

        Raises:
            InvalidVoiceError: There is no such speaker.
        """
        if name in self.speakers:
            return self.speakers[name]
        if name.isdecimal() and int(name) < max(self.n_speakers, 1):
            return int(name)
        raise InvalidVoiceError(
            f"no speaker '{name}'; the voice has {self.n_speakers}{nearest(name, self.speakers)}"
        )

    def ids(self, phonemes: Iterable[str]) -> tuple[list[int], int]:
        """Return the model's input for a sentence, and how many phonemes it has no id for."""
        pad = self.phoneme_ids[PAD]
        ids = [*self.phoneme_ids[START], *pad]
        dropped = 0
        for written in phonemes:
            # Voices that are spelled out letter by letter know small ones only, some of them.
            phoneme = written if written in self.phoneme_ids else written.lower()
            if phoneme in self.phoneme_ids:
                ids += [*self.phoneme_ids[phoneme], *pad]
            else:
                # A mark that colours the sound before it is no sound lost.
                dropped += not unicodedata.category(phoneme[-1]).startswith(("M", "Z", "C"))
        return [*ids, *self.phoneme_ids[END]], dropped


def read_config(path: Path) -> PiperConfig:
    """Read a voice's settings.

    Raises:
        ModelNotFoundError: The file is missing, or lacks what a voice needs.
    """
    try:
        return _config(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelNotFoundError(f"voice settings {path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelNotFoundError(
            f"voice settings {path} are not those of a Piper voice: {type(error).__name__} {error}"
        ) from error


def _config(fields: dict[str, Any]) -> PiperConfig:
    inference = fields.get("inference", {})
    phoneme_ids = {
        phoneme: tuple(int(number) for number in numbers)
        for phoneme, numbers in fields["phoneme_id_map"].items()
    }
    for mark in (PAD, START, END):
        if mark not in phoneme_ids:
            raise KeyError(f"phoneme_id_map lacks '{mark}'")
    return PiperConfig(
        sample_rate=int(fields["audio"]["sample_rate"]),
        phoneme_type=str(fields.get("phoneme_type", "espeak")),
        espeak_voice=str(fields["espeak"]["voice"]),
        phoneme_ids=phoneme_ids,
        vowel_clusters=frozenset(map(tuple, fields.get("vowel_clusters") or ())),
        n_speakers=int(fields["num_speakers"]),
        speakers={name: int(number) for name, number in fields.get("speaker_id_map", {}).items()},
        default_speaker=int(fields.get("default_speaker_id", 0)),
        # Where a voice states none, piper's own.
        noise_scale=float(inference.get("noise_scale", 0.667)),
        length_scale=float(inference.get("length_scale", 1.0)),
        noise_w_scale=float(inference.get("noise_w", 0.8)),
    )

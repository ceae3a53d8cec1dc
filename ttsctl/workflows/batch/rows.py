"""How each row is to be spoken: as the command line says, unless the row says else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ttsctl.audio.formats import Encoding, format_of
from ttsctl.errors import InvalidRequestError
from ttsctl.speech import Voice
from ttsctl.text.rows import Row
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.plan import Manner, check_manner

_SPEAKER = "speaker_id"  # the engine option of Piper


class Wishes:
    """What the command line asks for, and what becomes of it for a row.

    Args:
        voice: The voice as the user named it; a row that names a language alone has it resolved
            for that language.
        manner: How to speak what says nothing else.
        encoding: How to write it.
    """

    def __init__(self, voice: str, manner: Manner, encoding: Encoding) -> None:
        self._voice = voice
        self._manner = manner
        self._encoding = encoding
        self._resolved: dict[tuple[str, str | None], Voice] = {}

    def of(self, row: Row) -> tuple[Manner, Encoding]:
        """Return the manner and the encoding for `row`.

        Raises:
            InvalidRequestError: A value of the row makes no sense.
            EngineError: Its voice does not exist, or is not installed.
        """
        return self._manner_of(row), self._encoding_of(row)

    def _manner_of(self, row: Row) -> Manner:
        manner = self._manner
        if row.voice is not None or row.language is not None:
            voice = self._resolve(row.voice or self._voice, row.language)
            language = row.language or voice.language
            # Options are an engine's own; another one would refuse them.
            options = manner.options if voice.engine == manner.voice.engine else ()
            manner = replace(manner, voice=voice, language=language, options=options)
        if row.speaker is not None:
            manner = _by_speaker(manner, row.speaker)
        return manner if row.speed is None else check_manner(replace(manner, speed=row.speed))

    def _encoding_of(self, row: Row) -> Encoding:
        encoding = self._encoding
        name = row.format
        if row.output_file and Path(row.output_file).suffix:
            name = format_of(Path(row.output_file), row.format)
        if name is None or name == encoding.format:
            return encoding
        return Encoding(name, encoding.sample_rate)

    def _resolve(self, name: str, language: str | None) -> Voice:
        if (name, language) not in self._resolved:
            self._resolved[name, language] = resolve(name, language)
        return self._resolved[name, language]


def _by_speaker(manner: Manner, speaker: str) -> Manner:
    if manner.voice.engine != "piper":
        raise InvalidRequestError(
            f"speaker '{speaker}' is for a Piper voice, and {manner.voice.id} is none"
        )
    options = dict(manner.options) | {_SPEAKER: speaker}
    return replace(manner, options=tuple(sorted(options.items())))

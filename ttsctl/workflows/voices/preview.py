"""Hearing a voice say a sentence in its own language."""

from __future__ import annotations

from pathlib import Path

from ttsctl.audio.formats import Encoding, format_of
from ttsctl.errors import OutputError
from ttsctl.voices import catalogue
from ttsctl.workflows.plan import Manner, check_manner
from ttsctl.workflows.say import SayRequest
from ttsctl.workflows.voices.sentences import sentence_in


def preview_request(
    name: str, text: str | None, file: Path | None, *, is_replacing: bool = False
) -> SayRequest:
    """Return what `say` has to do for voice `name` to be heard.

    Args:
        name: The voice.
        text: What to say; None for a sentence in the voice's language.
        file: The file to write; None to play it.
        is_replacing: Whether it may replace a file.

    Raises:
        InvalidVoiceError: There is no such voice.
        ModelNotFoundError: It is not installed.
        InvalidRequestError: The file's suffix names no format.
        OutputError: The file exists and may not be replaced.
    """
    if file and file.is_file() and not is_replacing:
        raise OutputError(f"{file} exists; name another file, or replace it with --force")
    voice = catalogue.resolve(name)
    manner = check_manner(Manner(voice, voice.language))
    encoding = Encoding(format_of(file, None) if file else "wav")
    pieces = [text or sentence_in(voice.language)]
    return SayRequest(pieces, False, manner, encoding, file, is_played=file is None)

"""One text, spoken to a file, to stdout or to the loudspeaker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.formats import Encoding
from ttsctl.workflows.deliver import (
    Player,
    SpeechReport,
    SpeechRequest,
    to_bytes,
    to_file,
    to_player,
    to_stream,
    utterance_key_of,
)
from ttsctl.workflows.plan import Manner, PlannedUtterance, plan
from ttsctl.workflows.speak import Speaker


@dataclass(frozen=True)
class SayRequest:
    """A text and where its speech goes."""

    pieces: Iterable[str]
    """The text; in one piece, or as it arrives."""

    is_arriving: bool
    """Whether the text is still being written, so that each sentence is spoken when complete."""

    manner: Manner
    encoding: Encoding

    file: Path | None = None
    """The file to write, replaced if it exists; None for none."""

    is_played: bool = False
    """Whether to play the speech; with neither this nor a file it goes to `write`."""

    is_streamed: bool = False
    """Whether `write` gets it in pieces, as it comes into being."""


def speak(
    speaker: Speaker, request: SayRequest, *, write: Callable[[bytes], None], play: Player
) -> SpeechReport:
    """Carry out `request`.

    The worker is started before the text is needed: at once where the text is still arriving, else
    as soon as the cache turns out not to have its first utterance.

    Raises:
        InvalidRequestError: Nothing in the text can be spoken.
        EngineError: The engine failed; no file was written.
        OutputError: The file or the device does not take the sound.
    """
    voice = request.manner.voice
    utterances: Iterable[PlannedUtterance] = plan(request.pieces, request.manner)
    if request.is_arriving:
        speaker.synthesizer.warm_up(voice)
    else:
        utterances = planned = list(utterances)
        if not speaker.knows(utterance_key_of(planned[0])):
            speaker.synthesizer.warm_up(voice)
    if request.file is not None and request.is_played:
        utterances = list(utterances)  # needed twice; the second time the cache has the sound
    speech = SpeechRequest(voice, utterances)
    if request.file is not None:
        report = to_file(speaker, speech, request.file, request.encoding, replace=True)
        if request.is_played:
            to_player(speaker, speech, play)
        return report
    if request.is_played:
        return to_player(speaker, speech, play)
    hand_over = to_stream if request.is_streamed else to_bytes
    return hand_over(speaker, speech, request.encoding, write)

"""One text, spoken to a file, to stdout or to the loudspeaker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.formats import Encoding
from ttsctl.files import write_whole
from ttsctl.workflows.deliver import (
    FileWriter,
    Player,
    SpeechRequest,
    to_bytes,
    to_file,
    to_player,
    to_stream,
    utterance_key_of,
)
from ttsctl.workflows.plan import Manner, PlannedUtterance, plan
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import Speaker

Turn = Callable[[Sequence[PlannedUtterance]], AbstractContextManager[None]]


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

    has_units: bool = False
    """Whether the report is to say what was said when."""


@dataclass(frozen=True)
class Outlets:
    """Where speech goes in the process of whoever asked for it."""

    write: Callable[[bytes], None]
    """Takes what is meant for stdout."""

    play: Player
    """Takes what is meant for the loudspeaker."""

    write_file: FileWriter = write_whole

    turn: Turn = lambda _: nullcontext()
    """Entered for the length of the work on a text that is known to its end."""


def speak(speaker: Speaker, request: SayRequest, outlets: Outlets) -> SpeechReport:
    """Carry out `request`.

    The worker is started before the text is needed: at once where the text is still arriving, else
    as soon as the cache turns out not to have its first utterance.

    Raises:
        InvalidRequestError: Nothing in the text can be spoken.
        EngineError: The engine failed; no file was written.
        OutputError: The file or the device does not take the sound.
    """
    voice = request.manner.voice
    utterances = plan(request.pieces, request.manner)
    if request.is_arriving:
        speaker.synthesizer.warm_up(voice, has_trial=True)
        return _deliver(speaker, request, utterances, outlets)
    planned = list(utterances)
    if not speaker.knows(utterance_key_of(planned[0])):
        speaker.synthesizer.warm_up(voice)
    with outlets.turn(planned):
        return _deliver(speaker, request, planned, outlets)


def _deliver(
    speaker: Speaker,
    request: SayRequest,
    utterances: Iterable[PlannedUtterance],
    outlets: Outlets,
) -> SpeechReport:
    if request.file is not None and request.is_played:
        utterances = list(utterances)  # needed twice; the second time the cache has the sound
    speech = SpeechRequest(request.manner.voice, utterances, request.has_units)
    encoding = request.encoding
    if request.file is not None:
        report = to_file(
            speaker, speech, request.file, encoding, replace=True, write=outlets.write_file
        )
        if request.is_played:
            to_player(speaker, speech, outlets.play)
        return report
    if request.is_played:
        return to_player(speaker, speech, outlets.play)
    if request.is_streamed:
        return to_stream(speaker, speech, encoding, lambda data, _: outlets.write(data))
    return to_bytes(speaker, speech, encoding, outlets.write)

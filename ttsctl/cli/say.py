"""`ttsctl say`: one text, to a file, to stdout or to the loudspeaker."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Annotated

import typer

from ttsctl.audio.formats import FORMATS, format_named
from ttsctl.cli import options, output
from ttsctl.cli.request import encoding_for, manner_for, speaker_config, text_pieces
from ttsctl.cli.surroundings import is_typed
from ttsctl.errors import InvalidRequestError
from ttsctl.speech import Clip


def say(
    context: typer.Context,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT | -]", help="What to say; - reads stdin.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Say a text file.")
    ] = None,
    output_file: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="File to write, by its suffix; - is stdout."
        ),
    ] = None,
    voice: options.Voice = "auto",
    lang: options.Language = None,
    speed: options.Speed = 1.0,
    format: options.Format = None,
    sample_rate: options.SampleRate = None,
    bitrate: options.Bitrate = None,
    play: Annotated[
        bool | None, typer.Option("--play/--no-play", help="Play it, also beside --output.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write to stdout while it is being synthesized.")
    ] = False,
    sentence_silence: options.SentenceSilence = None,
    option: options.EngineOptions = None,
    no_fallback: options.NoFallback = False,
    offline: options.Offline = False,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Say a text.

    Without --output and --play, the speech is played where stdout is a terminal, and goes to
    stdout as WAV where it is not.
    """
    from ttsctl.workflows.assembly import make_speaker
    from ttsctl.workflows.say import SayRequest, speak

    if output_file not in (None, "-") and not is_typed(context, "format"):
        format = None  # the suffix of a file decides before any setting does
    target = _choose(output_file, play, format, is_json=json)
    encoding = encoding_for(target.file, format, sample_rate, bitrate)
    if stream:
        _check_streamable(target, encoding.format)
    manner = manner_for(voice, lang, speed, sentence_silence, option)
    pieces, is_arriving = text_pieces(text, file)
    request = SayRequest(
        pieces, is_arriving, manner, encoding, target.file, target.is_played, stream
    )
    config = speaker_config(
        context, no_cache=no_cache, refresh=refresh, has_fallback=not no_fallback
    )
    with closing(make_speaker(config, context.obj)) as speaker:
        report = speak(speaker, request, write=output.write_audio, play=_play)
    if json:
        output.result(report.fields(), is_json=True)
    elif target.file:
        output.say(target.reason + report.summary())


@dataclass(frozen=True)
class _Target:
    """Where the speech goes; with no file and not played, to stdout."""

    file: Path | None = None
    is_played: bool = False

    reason: str = ""
    """Why a file was chosen that nobody named."""


def _play(clips: Iterable[Clip]) -> None:
    from ttsctl.audio.play import play

    play(clips)


def _choose(
    output_file: str | None, play: bool | None, format: str | None, *, is_json: bool
) -> _Target:
    """Decide where the speech goes, from what was asked for and what stdout is."""
    if output_file not in (None, "-"):
        return _Target(Path(str(output_file)), bool(play))
    if play and output_file is None:
        return _Target(is_played=True)
    if output_file is None and sys.stdout.isatty():
        return _at_a_terminal(play, format or "wav")
    if is_json:
        raise InvalidRequestError("--json and audio cannot share stdout; name a file, or --play")
    if sys.stdout.isatty():
        raise InvalidRequestError("audio does not belong on a terminal; name a file, or --play")
    return _Target()


def _check_streamable(target: _Target, format: str) -> None:
    if target != _Target():
        raise InvalidRequestError("--stream is for audio on stdout; use it with -o -")
    if not format_named(format).is_streamable:
        streamable = ", ".join(name for name, entry in FORMATS.items() if entry.is_streamable)
        raise InvalidRequestError(f"'{format}' cannot be streamed; formats that can: {streamable}")


def _at_a_terminal(play: bool | None, format: str) -> _Target:
    """Play the speech, or keep it in a new file where there is nothing to play it on."""
    from ttsctl.audio.play import has_output_device

    if play is None and has_output_device():
        return _Target(is_played=True)
    suffix = format_named(format).suffixes[0]
    names = (Path(f"speech{number and f'-{number}'}{suffix}") for number in chain([""], count(2)))
    free = next(name for name in names if not name.exists())
    return _Target(free, reason="" if play is False else "there is no sound device, so: ")

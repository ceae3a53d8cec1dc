"""`ttsctl say`: one text, to a file, to stdout or to the loudspeaker."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.audio.formats import STREAMABLE, Encoding, format_named
from ttsctl.cli import options, output
from ttsctl.cli.caller import Caller, caller_of, play
from ttsctl.cli.request import encoding_for, manner_for, speaker_config, text_pieces
from ttsctl.cli.surroundings import is_typed
from ttsctl.errors import InvalidRequestError

if TYPE_CHECKING:
    from ttsctl.workflows.assembly import SpeakerConfig
    from ttsctl.workflows.plan import Manner
    from ttsctl.workflows.report import SpeechReport


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
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="A prompt: each line is spoken.")
    ] = False,
    sentence_silence: options.SentenceSilence = None,
    subtitles: Annotated[
        Path | None,
        typer.Option(
            "--subtitles", metavar="FILE", help="Write what is said when: srt, vtt, json."
        ),
    ] = None,
    option: options.EngineOptions = None,
    no_fallback: options.NoFallback = False,
    no_daemon: Annotated[
        bool, typer.Option("--no-daemon", help="Speak in this process, whoever else could.")
    ] = False,
    offline: options.Offline = False,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Say a text.

    Without --output and --play, the speech is played where stdout is a terminal, and goes to
    stdout as WAV where it is not.
    """
    from ttsctl.workflows.say import SayRequest

    caller = caller_of(context)
    manner = manner_for(voice, lang, speed, sentence_silence, option)
    config = speaker_config(
        context, no_cache=no_cache, refresh=refresh, has_fallback=not no_fallback
    )
    if interactive:
        _check_alone(text, file, output_file, stream=stream, is_json=json)
        return _converse(caller, manner, config, _Sound(play, format, sample_rate, bitrate))
    if output_file not in (None, "-") and not is_typed(context, "format"):
        format = None  # the suffix of a file decides before any setting does
    target = _choose(caller, output_file, play, format, is_json=json)
    encoding = encoding_for(target.file, format, sample_rate, bitrate)
    if stream:
        _check_streamable(target, encoding.format)
    pieces, is_arriving = text_pieces(caller, text, file)
    request = SayRequest(
        pieces,
        is_arriving,
        manner,
        encoding,
        target.file,
        target.is_played,
        stream,
        has_units=subtitles is not None,
    )
    if subtitles is not None:
        _check_subtitles(subtitles)
    report = caller.speak(request, config, is_local=no_daemon or subtitles is not None)
    if subtitles is not None:
        _write_subtitles(report, subtitles)
    caller.tell(
        report.fields() if json else None, target.reason + report.summary() if target.file else ""
    )


def _check_subtitles(path: Path) -> None:
    from ttsctl.audio.subtitles import subtitle_format_of

    subtitle_format_of(path)


def _write_subtitles(report: SpeechReport, path: Path) -> None:
    from ttsctl.audio.subtitles import Cue, subtitle_format_of, subtitles
    from ttsctl.files import write_whole

    words = report.log.words
    cues = [
        Cue(
            unit.start_s,
            unit.end_s,
            unit.text,
            tuple(word for word in words if unit.start_s <= word.start_s < unit.end_s),
        )
        for unit in report.log.units
    ]
    pieces = (piece.encode() for piece in subtitles(cues, subtitle_format_of(path)))
    write_whole(path, pieces, replace=True)


@dataclass(frozen=True)
class _Sound:
    """What the command line says of how a text is to be heard."""

    play: bool | None
    format: str | None
    sample_rate: int | None
    bitrate_bps: int | None


def _check_alone(
    text: str | None, file: Path | None, output_file: str | None, *, stream: bool, is_json: bool
) -> None:
    if text is not None or file is not None:
        raise InvalidRequestError("--interactive reads what it says from its prompt, nowhere else")
    if output_file is not None or stream or is_json:
        raise InvalidRequestError(
            "--interactive plays; it takes no --output, --stream or --json (:save FILE writes one)"
        )


def _converse(caller: Caller, manner: Manner, config: SpeakerConfig, sound: _Sound) -> None:
    """Hold the prompt of `--interactive`."""
    from ttsctl.cli.line_editor import line_editor
    from ttsctl.cli.prompt import Conversation, converse
    from ttsctl.settings import state_folder
    from ttsctl.workflows.say import Outlets, SayRequest, speak

    def encoding_of(file: Path | None) -> Encoding:
        name = None if file else sound.format
        return encoding_for(file, name, sound.sample_rate, sound.bitrate_bps)

    def deliver(text: str, manner: Manner) -> None:
        target = _at_a_terminal(caller, sound.play, sound.format or "wav")
        encoding = encoding_of(target.file)
        request = SayRequest([text], False, manner, encoding, target.file, target.is_played)
        report = speak(speaker, request, Outlets(output.write_audio, play))
        if target.file:
            output.say(target.reason + report.summary())

    # Who keeps a text out of the cache does not want it in another file either.
    history = state_folder() / "prompt-history" if config.cache_folder else None
    with closing(caller.own_speaker(config)) as speaker, line_editor(history) as read_line:
        converse(Conversation(speaker, manner, deliver, read_line, output.say, encoding_of))


@dataclass(frozen=True)
class _Target:
    """Where the speech goes; with no file and not played, to stdout."""

    file: Path | None = None
    is_played: bool = False

    reason: str = ""
    """Why a file was chosen that nobody named."""


def _choose(
    caller: Caller,
    output_file: str | None,
    play: bool | None,
    format: str | None,
    *,
    is_json: bool,
) -> _Target:
    """Decide where the speech goes, from what was asked for and what stdout is."""
    if output_file not in (None, "-"):
        return _Target(Path(str(output_file)), bool(play))
    if play and output_file is None:
        return _Target(is_played=True)
    if output_file is None and caller.is_stdout_a_terminal:
        return _at_a_terminal(caller, play, format or "wav")
    if is_json:
        raise InvalidRequestError("--json and audio cannot share stdout; name a file, or --play")
    if caller.is_stdout_a_terminal:
        raise InvalidRequestError("audio does not belong on a terminal; name a file, or --play")
    return _Target()


def _check_streamable(target: _Target, format: str) -> None:
    if target != _Target():
        raise InvalidRequestError("--stream is for audio on stdout; use it with -o -")
    if not format_named(format).is_streamable:
        raise InvalidRequestError(f"'{format}' cannot be streamed; formats that can: {STREAMABLE}")


def _at_a_terminal(caller: Caller, play: bool | None, format: str) -> _Target:
    """Play the speech, or keep it in a new file where there is nothing to play it on."""
    from ttsctl.audio.play import has_output_device

    if play is None and has_output_device():
        return _Target(is_played=True)
    suffix = format_named(format).suffixes[0]
    names = (Path(f"speech{number and f'-{number}'}{suffix}") for number in chain([""], count(2)))
    free = next(name for name in names if not caller.path(name).exists())
    return _Target(free, reason="" if play is False else "there is no sound device, so: ")

"""From options to the values that workflows take, for the commands that speak."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ttsctl.audio.formats import Encoding, format_of
from ttsctl.cli.caller import Caller
from ttsctl.errors import InvalidRequestError
from ttsctl.files import reason
from ttsctl.settings import cache_folder

if TYPE_CHECKING:
    from ttsctl.cache.eviction import CacheLimits
    from ttsctl.workflows.assembly import SpeakerConfig
    from ttsctl.workflows.plan import Manner

MIB = 1 << 20
_TEXT_SUFFIXES = (
    ".txt",
    ".md",
    ".csv",
    ".tsv",
    ".jsonl",
    ".json",
    ".srt",
    ".vtt",
    ".epub",
    ".html",
)


def manner_for(
    voice: str,
    language: str | None,
    speed: float,
    sentence_silence_s: float | None = None,
    engine_options: list[str] | None = None,
) -> Manner:
    """Return the checked manner in which the user wants to be spoken to."""
    from ttsctl.voices.catalogue import resolve
    from ttsctl.workflows.plan import Manner, check_manner

    chosen = resolve(voice, language)
    return check_manner(
        Manner(
            chosen,
            language or chosen.language,
            speed,
            sentence_silence_s,
            options=_pairs(engine_options or []),
        )
    )


def _pairs(engine_options: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = {}
    for text in engine_options:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InvalidRequestError(f"option '{text}' is not of the form NAME=VALUE")
        pairs[name] = value
    return tuple(sorted(pairs.items()))


def encoding_for(
    file: Path | None, format: str | None, sample_rate: int | None, bitrate_bps: int | None
) -> Encoding:
    """Return the encoding for `file`, or for a stream, which is WAV unless the user says else."""
    name = format_of(file, format) if file else format or "wav"
    return Encoding(name, sample_rate, bitrate_bps)


def speaker_config(
    context: typer.Context,
    *,
    no_cache: bool = False,
    refresh: bool = False,
    has_fallback: bool = False,
) -> SpeakerConfig:
    """Return what the global options say about the cache, for whoever makes a speaker."""
    from ttsctl.workflows.assembly import SpeakerConfig

    folder = None if no_cache else cache_folder_of(context)
    return SpeakerConfig(
        folder, cache_limits(context), is_refreshing=refresh, has_fallback=has_fallback
    )


def cache_folder_of(context: typer.Context) -> Path:
    """Return the cache folder: the user's own, or one called ttsctl in the folder that is named.

    In, not at: the cache makes its folder private and moves it aside when it is damaged, which
    nobody would want done to a folder that holds other things.
    """
    chosen = context.find_root().params["cache_dir"]
    return Path(chosen).expanduser() / "ttsctl" if chosen else cache_folder()


def cache_limits(context: typer.Context) -> CacheLimits:
    """Return the limits of the cache that the global options set."""
    from ttsctl.cache.eviction import CacheLimits

    params = context.find_root().params
    return CacheLimits(
        memory_bytes=params["cache_memory_mb"] * MIB,
        disk_bytes=params["cache_mb"] * MIB,
        ttl_s=params["cache_ttl"],
        max_entries=params["cache_entries"],
    )


def text_pieces(caller: Caller, text: str | None, file: Path | None) -> tuple[Iterable[str], bool]:
    """Return the text to speak, in pieces, and whether it is still arriving.

    Raises:
        InvalidRequestError: There is no text, there are two, or it cannot be read.
    """
    from ttsctl.text.readers import decode_stream, read_text

    if text not in (None, "-") and file is not None:
        raise InvalidRequestError("give a text or --file, not both")
    if file is not None and str(file) != "-":
        return [read_text(caller.path(file))], False
    if text is None and file is None and caller.is_stdin_a_terminal:
        raise InvalidRequestError("no text; write it after `say`, or pipe it in, or use --file")
    if text in (None, "-"):
        return decode_stream(caller.stdin_blocks(), "standard input"), True
    spoken = _argument(str(text))
    _refuse_file_name(caller, spoken)
    return [spoken], False


def _argument(text: str) -> str:
    """Return the text, whose bytes Python may not have been able to read in this locale."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(text).decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"the text is not UTF-8 at byte {error.start}") from error
    return text


def _refuse_file_name(caller: Caller, text: str) -> None:
    """The name of a file is hardly ever meant to be read aloud."""
    is_one_word = len(text.split()) == 1
    if is_one_word and (
        text.lower().endswith(_TEXT_SUFFIXES) or os.path.isfile(caller.path(Path(text)))
    ):
        raise InvalidRequestError(
            f"'{text}' is the name of a file; to speak what is in it, use --file {text}"
        )


def file_blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file piece by piece.

    Raises:
        InvalidRequestError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 18):
                yield block
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        what = reason(error) if isinstance(error, OSError) else str(error)
        raise InvalidRequestError(f"cannot read {path}: {what}") from error

"""What client and service say to each other: JSON, one object a line, in either direction.

Every line that comes in is either a request or refused with the reason; no line, whatever is in
it, raises. The id of a request is of any JSON type and is sent back as it came.
Pure: nothing here reads or writes a stream.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from ttsctl.errors import InvalidRequestError, TextTooLongError, TtsctlError, nearest
from ttsctl.service.commands import Command, StdinBlock, read_command, read_stdin_block
from ttsctl.service.fields import MAX_DEPTH, Fields, read_fields, shown
from ttsctl.service.lines import MAX_LINE_BYTES, Overlong
from ttsctl.service.lines import LineDecoder as LineDecoder  # part of the protocol, for its users

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Absent(Enum):
    """Says that a request has no id, which is not the same as the id null."""

    ABSENT = "absent"


Id: TypeAlias = "Json | Absent"


@dataclass(frozen=True)
class Synthesize:
    """Asks for speech. None leaves a choice to the service."""

    id: Id
    text: str
    voice: str = "auto"
    language: str | None = None
    """BCP 47 tag."""
    speed: float = 1.0
    """Multiplier, finite; its range is for others to check."""
    format: str | None = None
    sample_rate: int | None = None
    bitrate_bps: int | None = None
    output_path: str | None = None
    """File to write; not empty, and None where the sound is streamed."""
    is_streamed: bool = False
    sentence_silence_s: float | None = None
    options: tuple[tuple[str, str], ...] = ()
    """Engine options by name and value, sorted by name."""
    is_cached: bool = True
    is_refreshing: bool = False
    has_fallback: bool = True


@dataclass(frozen=True)
class Ping:
    """Asks whether the service is well."""

    id: Id


@dataclass(frozen=True)
class Voices:
    """Asks which voices there are."""

    id: Id


@dataclass(frozen=True)
class Metrics:
    """Asks what the service has done."""

    id: Id


@dataclass(frozen=True)
class Cancel:
    """Asks for another request to be given up."""

    id: Id
    target: Json
    """Id of that request."""


@dataclass(frozen=True)
class Shutdown:
    """Asks the service to end."""

    id: Id


Request: TypeAlias = (
    "Synthesize | Ping | Voices | Metrics | Cancel | Shutdown | Command | StdinBlock"
)


@dataclass(frozen=True)
class Refused:
    """A line that is no request, and why."""

    id: Id
    """Of the request, where it could be read."""

    error: TtsctlError


def parse(line: bytes | Overlong) -> Request | Refused:
    """Return the request that `line` makes, or why it makes none; fields unknown are ignored."""
    identity: Id = Absent.ABSENT
    try:
        fields = _read(line)
        if fields.is_returnable("id"):
            identity = fields.value("id")
        fields.check()
        if "id" in fields:
            _check_returnable(fields, "id")
        return _maker_of(fields)(fields, identity)
    except InvalidRequestError as error:
        return Refused(identity, error)


def _read(line: bytes | Overlong) -> Fields:
    if isinstance(line, Overlong):
        raise TextTooLongError(
            f"the line is over the limit of {MAX_LINE_BYTES:,} bytes; send the text in parts"
        )
    return read_fields(line)


def _maker_of(fields: Fields) -> Callable[[Fields, Id], Request]:
    action = fields.text("action")
    known = ", ".join(_PUBLIC)
    if action is None:
        raise InvalidRequestError(f"field 'action' is missing; it is one of: {known}")
    if action not in _MAKERS:
        near = nearest(action[:20], _PUBLIC)
        raise InvalidRequestError(f"unknown action {shown(action)}{near} (known: {known})")
    return _MAKERS[action]


def _synthesize(fields: Fields, identity: Id) -> Synthesize:
    text, speed = fields.text("text"), fields.number("speed")
    output_path = fields.name("outputPath", "output_path")
    is_streamed = fields.is_set("stream")
    if text is None:
        raise InvalidRequestError("field 'text' is missing; it holds what is to be spoken")
    if output_path == "":
        raise InvalidRequestError("field 'outputPath' is empty; name a file, or leave it out")
    if is_streamed and output_path is not None:
        raise InvalidRequestError("'outputPath' and 'stream' exclude each other; leave one out")
    return Synthesize(
        identity,
        text,
        voice=fields.name("voice", "voiceId") or "auto",
        language=fields.name("lang", "language"),
        speed=1.0 if speed is None else speed,
        format=fields.name("format"),
        sample_rate=fields.whole("sampleRate", "sample_rate"),
        bitrate_bps=fields.whole("bitrate"),
        output_path=output_path,
        is_streamed=is_streamed,
        sentence_silence_s=fields.number("sentenceSilence", "sentence_silence"),
        options=fields.options("options"),
        is_cached=not fields.is_set("noCache", "no_cache"),
        is_refreshing=fields.is_set("refresh"),
        has_fallback=not fields.is_set("noFallback", "no_fallback"),
    )


def _cancel(fields: Fields, identity: Id) -> Cancel:
    if "target" not in fields:
        raise InvalidRequestError("field 'target' is missing; it is the id of the other request")
    _check_returnable(fields, "target")
    return Cancel(identity, fields.value("target"))


def _check_returnable(fields: Fields, name: str) -> None:
    if not fields.is_returnable(name):
        raise InvalidRequestError(
            f"field '{name}' cannot be an id: it holds a number too large to hold,"
            f" or is nested more than {MAX_DEPTH} levels deep; a short text will do"
        )


_MAKERS: dict[str, Callable[[Fields, Id], Request]] = {
    "synthesize": _synthesize,
    "ping": lambda _, identity: Ping(identity),
    "voices": lambda _, identity: Voices(identity),
    "metrics": lambda _, identity: Metrics(identity),
    "cancel": _cancel,
    "shutdown": lambda _, identity: Shutdown(identity),
    "say": read_command,
    "stdin": read_stdin_block,
}

_PUBLIC = [action for action in _MAKERS if action not in ("say", "stdin")]


def success(identity: Id, **fields: Any) -> dict[str, Any]:
    """Return the reply that ends a request which went well."""
    return {**_with_id(identity), "success": True, **fields}


def failure(identity: Id, error: TtsctlError) -> dict[str, Any]:
    """Return the reply that ends a request which failed, or a line which was none."""
    told = {"code": error.code, "message": error.message}
    return {**_with_id(identity), "success": False, "error": told}


def audio_event(identity: Id, seq: int, sample_rate: int, data: bytes) -> dict[str, Any]:
    """Return the reply that carries a stretch of encoded sound, the `seq`-th from 0."""
    encoded = base64.b64encode(data).decode("ascii")
    event = {"event": "audio", "seq": seq, "sample_rate": sample_rate, "data": encoded}
    return {**_with_id(identity), **event}


def encode(reply: dict[str, Any]) -> bytes:
    """Return `reply` as a line of ASCII; a number that JSON has no word for becomes null."""
    try:
        return _encode(reply)
    except ValueError:
        return _encode(_finite(reply))


def _encode(reply: dict[str, Any]) -> bytes:
    text = json.dumps(reply, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _with_id(identity: Id) -> dict[str, Any]:
    return {} if isinstance(identity, Absent) else {"id": identity}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Every failure that ttsctl reports, and the exit code that each one ends with.

    TtsctlError
    ├── InvalidRequestError    2  TTS_INVALID_REQUEST   the request makes no sense as it stands
    │   ├── TextTooLongError   2  TTS_TEXT_TOO_LONG     the text is over a limit
    │   └── InvalidConfigError 2  TTS_INVALID_CONFIG    config.toml or a TTSCTL_ variable is wrong
    ├── EngineError            4  TTS_ENGINE_FAILED     the engine could not speak this text
    │   ├── EngineCrashError   4  TTS_ENGINE_CRASHED    its process died with the text in hand
    │   ├── InvalidVoiceError  4  TTS_INVALID_VOICE     no such voice
    │   ├── ModelNotFoundError 4  TTS_MODEL_NOT_FOUND   the voice is known, its model is not here
    │   └── NotInstalledError  4  TTS_NOT_INSTALLED     the engine's package is missing
    ├── OutputError            5  TTS_OUTPUT_FAILED     the result could not be written or played
    └── BusyError              6  TTS_BUSY              another run holds the lock; a queue is full
        ├── DeadlineError      6  TTS_TIMEOUT           it took longer than allowed
        │   └── OutOfTimeError 6  TTS_TIMEOUT           the whole request did, not one engine
        └── CancelledError     6  TTS_CANCELLED         whoever asked does not want it any more

Messages say what is wrong, which thing, and what to do next: lower case, no full stop at the end.
Constructors take the message only, because errors are pickled on their way out of a process pool.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum, unique
from typing import ClassVar


@unique
class ExitCode(IntEnum):
    """The exit codes that scripts rely on."""

    OK = 0
    BUG = 1
    USAGE = 2
    PARTIAL = 3
    ENGINE = 4
    OUTPUT = 5
    BUSY = 6
    STALE = 7


class TtsctlError(Exception):
    """Base of every error that ttsctl reports on purpose."""

    code: ClassVar[str] = "TTS_SERVICE_ERROR"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str) -> None:
        super().__init__(message)

    @property
    def message(self) -> str:
        """What went wrong, in one line."""
        return str(self.args[0])


class InvalidRequestError(TtsctlError):
    """The request makes no sense as it stands; nothing was started."""

    code = "TTS_INVALID_REQUEST"
    exit_code = ExitCode.USAGE


class TextTooLongError(InvalidRequestError):
    """The text is over a limit."""

    code = "TTS_TEXT_TOO_LONG"


class InvalidConfigError(InvalidRequestError):
    """The configuration file or an environment variable is wrong."""

    code = "TTS_INVALID_CONFIG"


class EngineError(TtsctlError):
    """The engine could not speak this text."""

    code = "TTS_ENGINE_FAILED"
    exit_code = ExitCode.ENGINE


class EngineCrashError(EngineError):
    """The engine's process died with the text in hand."""

    code = "TTS_ENGINE_CRASHED"


class InvalidVoiceError(EngineError):
    """No voice has this name."""

    code = "TTS_INVALID_VOICE"


class ModelNotFoundError(EngineError):
    """The voice is known, but its model is not on this machine."""

    code = "TTS_MODEL_NOT_FOUND"


class NotInstalledError(EngineError):
    """The package that holds the engine is not installed."""

    code = "TTS_NOT_INSTALLED"


class OutputError(TtsctlError):
    """The result could not be written or played."""

    code = "TTS_OUTPUT_FAILED"
    exit_code = ExitCode.OUTPUT


class BusyError(TtsctlError):
    """Another run holds what this one needs, or too many wait already."""

    code = "TTS_BUSY"
    exit_code = ExitCode.BUSY


class DeadlineError(BusyError):
    """It took longer than allowed."""

    code = "TTS_TIMEOUT"


class OutOfTimeError(DeadlineError):
    """The time that the whole request was given is up; no other engine can make up for it."""


class CancelledError(BusyError):
    """Whoever asked does not want it any more."""

    code = "TTS_CANCELLED"


def error_classes(root: type[TtsctlError] = TtsctlError) -> list[type[TtsctlError]]:
    """Return `root` and every class below it, parents first."""
    return [root, *(found for child in root.__subclasses__() for found in error_classes(child))]


def error_from(code: str, message: str) -> TtsctlError:
    """Rebuild the error that another process described by its code and message.

    An unknown code, from an engine of another release say, becomes an `EngineError`.
    """
    by_code = {error.code: error for error in reversed(error_classes())}  # parents win
    return by_code.get(code, EngineError)(message)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a "not found" message: the names closest to `name`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(near)}" if near else ""

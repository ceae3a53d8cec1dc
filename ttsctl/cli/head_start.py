"""Starts the worker of `say` before the command line is understood, which takes as long to import.

It is a guess from the few options that name a voice. A wrong one costs a process that is ended
unused; whatever is wrong with the command line is left for the command line to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from ttsctl.settings import look_around
from ttsctl.voices.catalogue import AUTO, resolve
from ttsctl.workers.parent import Worker

_COMMAND = "say"
_VOICE = ("--voice", "-v")
_LANGUAGE = ("--lang", "-l")
# These end without speaking, or change what the rest means.
_NOT_SPEAKING = ("--help", "-h", "--config")


def start_worker(arguments: Sequence[str]) -> Worker | None:
    """Start the worker of the engine that `arguments` seem to ask for; None where they do not."""
    if arguments[:1] != [_COMMAND] or any(option in arguments for option in _NOT_SPEAKING):
        return None
    try:
        surroundings = look_around(None)
        voice = _value(arguments, _VOICE)
        language = _value(arguments, _LANGUAGE)
        if voice is None and (setting := surroundings.find(_COMMAND, "voice")):
            voice = str(setting.value)
        if language is None and (setting := surroundings.find(_COMMAND, "lang")):
            language = str(setting.value)
        chosen = resolve(AUTO if voice is None else voice, language)
        worker = Worker(chosen.engine)
        worker.begin_load(chosen)
    except Exception:
        # Whatever it is, bugs included: the command meets it again, and can say it better.
        return None
    return worker


def _value(arguments: Sequence[str], names: tuple[str, str]) -> str | None:
    """Return the last value that an option is given: `--voice V`, `--voice=V`, `-v V` or `-vV`."""
    long, short = names
    found = None
    for place, argument in enumerate(arguments):
        if argument in names:
            found = "".join(arguments[place + 1 : place + 2])
        elif argument.startswith(f"{long}="):
            found = argument.partition("=")[2]
        elif argument.startswith(short) and not argument.startswith("--"):
            found = argument.removeprefix(short)
    return found

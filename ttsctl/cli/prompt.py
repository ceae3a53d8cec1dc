"""The prompt of `ttsctl say -i`: each line is spoken, and a few commands change how.

The voice is loaded while the first line is typed. Ctrl-C stops what is being done and never the
program; Ctrl-D leaves it. What is typed is text, also where it looks like the name of a file.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from ttsctl.audio.formats import Encoding, format_of
from ttsctl.errors import InvalidRequestError, TtsctlError, nearest
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.deliver import SpeechRequest, to_file
from ttsctl.workflows.plan import Manner, check_manner, plan
from ttsctl.workflows.speak import Speaker

PROMPT = "> "

_COMMANDS = {
    ":voice": ":voice NAME  speak with another voice, in its language; alone, tell which it is",
    ":speed": ":speed X     speak at 0.25 to 4 times the normal speed; alone, tell which it is",
    ":save": ":save FILE   write what was spoken last, as it was spoken, to a file of any format",
    ":help": ":help        tell this; a line that begins with a space is spoken as it stands",
    ":quit": ":quit        leave, as Ctrl-D does; Ctrl-C stops the speech",
}


def _by_suffix(file: Path) -> Encoding:
    return Encoding(format_of(file))


@dataclass(frozen=True)
class Conversation:
    """Who speaks at the prompt, and what it talks through."""

    speaker: Speaker

    manner: Manner
    """How it speaks until the user changes it."""

    deliver: Callable[[str, Manner], None]
    """Has a text heard, or keeps it where nothing can play; Ctrl-C in it must leave no trace."""

    read_line: Callable[[str], str]
    """Shows a prompt and returns the line; EOFError at the end, KeyboardInterrupt at Ctrl-C."""

    tell: Callable[[str], None]
    """Tells the user something, a line at a time."""

    encoding_of: Callable[[Path], Encoding] = _by_suffix
    """Says how `:save` is to write a file; InvalidRequestError where it cannot."""


@dataclass(frozen=True)
class Command:
    """What a line asks for."""

    name: str
    """One of the commands with its colon, or "speak"."""

    argument: str = ""


@dataclass(frozen=True)
class _Spoken:
    """A text and how it was spoken."""

    text: str
    manner: Manner


@dataclass(frozen=True)
class _State:
    manner: Manner
    last: _Spoken | None = None


def converse(conversation: Conversation) -> None:
    """Speak what the user types, line by line, until the end of the input or `:quit`.

    Runs in the main thread, whose Ctrl-C it takes over. No error of a line ends it.
    """
    tell, manner = conversation.tell, conversation.manner
    tell(f"{manner.voice.id} speaks what you type; :help lists the commands, Ctrl-D leaves")
    with contextlib.suppress(TtsctlError):  # which the first line meets again
        conversation.speaker.synthesizer.warm_up(manner.voice, has_trial=True)
    state: _State | None = _State(manner)
    with _Interrupts() as interrupts:
        while state is not None:
            try:
                with interrupts.awaited():
                    state = _next(conversation, state)
            except KeyboardInterrupt:
                tell("")  # ends the line on which the terminal shows ^C
            except TtsctlError as error:
                tell(f"error: {error.message}")


def parse(line: str) -> Command | None:
    """Return what `line` asks for; None for nothing.

    A colon at its very beginning makes it a command. Everything else is to be spoken.

    Raises:
        InvalidRequestError: There is no such command; the message has the nearest.
    """
    if not line.strip():
        return None
    if not line.startswith(":"):
        return Command("speak", line.strip())
    name, argument = (*line.split(maxsplit=1), "")[:2]
    if name not in _COMMANDS:
        raise InvalidRequestError(
            f"unknown command '{name}'{nearest(name, _COMMANDS)}; :help lists them"
        )
    return Command(name, argument.strip())


class _Interrupts:
    """Ctrl-C, let through once in each stretch of work that may be broken off.

    A second one would break off the clean-up that the first one began, such as taking leave of an
    engine in the middle of its answer, whose rest would then be heard as the answer to another.
    """

    def __init__(self) -> None:
        self._is_awaited = False

    def __enter__(self) -> _Interrupts:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Let the next one raise KeyboardInterrupt in this block."""
        self._is_awaited = True
        try:
            yield
        finally:
            self._is_awaited = False

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_awaited:
            self._is_awaited = False
            raise KeyboardInterrupt


def _next(conversation: Conversation, state: _State) -> _State | None:
    """Read a line, do what it asks for, and return the new state; None at the end."""
    try:
        line = conversation.read_line(PROMPT)
        line.encode()  # Python reads what is not UTF-8 as half characters, or not at all
    except EOFError:
        conversation.tell("")
        return None
    except UnicodeError:
        raise InvalidRequestError("the line is not UTF-8") from None
    command = parse(line)
    if command is None:
        return state
    return None if command.name == ":quit" else _obey(conversation, state, command)


def _obey(conversation: Conversation, state: _State, command: Command) -> _State:
    match command:
        case Command(":voice", name):
            return _change_voice(conversation, state, name)
        case Command(":speed", number):
            return _change_speed(conversation, state, number)
        case Command(":save", name):
            _save(conversation, state.last, name)
        case Command(":help"):
            for line in _COMMANDS.values():
                conversation.tell(line)
        case Command(_, text):
            return _speak(conversation, state, text)
    return state


def _speak(conversation: Conversation, state: _State, text: str) -> _State:
    try:
        conversation.deliver(text, state.manner)
    except KeyboardInterrupt:
        conversation.tell("")  # as in `converse`; what was begun counts as spoken
    return replace(state, last=_Spoken(text, state.manner))


def _change_voice(conversation: Conversation, state: _State, name: str) -> _State:
    old = state.manner
    if not name:
        conversation.tell(old.voice.id)
        return state
    voice = resolve(name)
    # Options are an engine's own; another one would refuse them with each line.
    options = old.options if voice.engine == old.voice.engine else ()
    if options != old.options:
        conversation.tell(f"the options for {old.voice.engine} are left out")
    conversation.speaker.synthesizer.warm_up(voice, has_trial=True)
    conversation.tell(voice.id)
    manner = replace(old, voice=voice, language=voice.language, options=options)
    return replace(state, manner=manner)


def _change_speed(conversation: Conversation, state: _State, number: str) -> _State:
    manner = state.manner
    if number:
        try:
            manner = check_manner(replace(manner, speed=float(number)))
        except ValueError:
            raise InvalidRequestError(f"speed '{number}' is not a number; 1 is normal") from None
    conversation.tell(f"speed {manner.speed:g}")
    return replace(state, manner=manner)


def _save(conversation: Conversation, last: _Spoken | None, name: str) -> None:
    """Write what was heard: its utterances are in the cache, or are synthesized again."""
    if not name or "\0" in name:
        raise InvalidRequestError("which file? for example :save speech.wav")
    if last is None:
        raise InvalidRequestError("nothing has been spoken yet")
    file = Path(os.path.expanduser(name))
    encoding = conversation.encoding_of(file)
    request = SpeechRequest(last.manner.voice, list(plan([last.text], last.manner)))
    report = to_file(conversation.speaker, request, file, encoding, replace=True)
    conversation.tell(report.summary())

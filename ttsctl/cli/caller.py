"""Who typed the command: where they stand, what their streams are, and who speaks for them.

`say` runs in the process that the user started or, where a daemon is there to speak for it, in
the daemon. All that differs between the two is here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from ttsctl.cli import output
from ttsctl.speech import Clip

if TYPE_CHECKING:
    from ttsctl.workers.parent import Worker
    from ttsctl.workflows.assembly import SpeakerConfig
    from ttsctl.workflows.report import SpeechReport
    from ttsctl.workflows.say import SayRequest
    from ttsctl.workflows.speak import Speaker


class Caller(Protocol):
    """The process that the user started."""

    is_stdin_a_terminal: bool
    is_stdout_a_terminal: bool

    def path(self, path: Path) -> Path:
        """Return where `path` leads from the caller's folder."""
        ...

    def stdin_blocks(self) -> Iterator[bytes]:
        """Yield what stdin has, as soon as it has it."""
        ...

    def speak(
        self, request: SayRequest, config: SpeakerConfig, *, is_local: bool = False
    ) -> SpeechReport:
        """Carry out `request`, in the user's own process where `is_local`.

        See `ttsctl.workflows.say.speak` for the errors.
        """
        ...

    def own_speaker(self, config: SpeakerConfig) -> Speaker:
        """Return a speaker in the user's own process, for the caller to close."""
        ...

    def tell(self, fields: dict[str, Any] | None, summary: str) -> None:
        """Report: `fields` as a JSON object on stdout, or else `summary` on stderr."""
        ...


class LocalCaller:
    """The process that this code runs in.

    Args:
        worker: A worker that was started ahead of time.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self._worker = worker
        self.is_stdin_a_terminal = sys.stdin is not None and sys.stdin.isatty()
        self.is_stdout_a_terminal = sys.stdout.isatty()

    def path(self, path: Path) -> Path:
        """Return `path`."""
        return path

    def stdin_blocks(self) -> Iterator[bytes]:
        """Yield what stdin has, as soon as it has it."""
        stdin: Any = sys.stdin.buffer  # a BufferedReader; the declared type has no read1
        while block := stdin.read1(1 << 16):
            yield block

    def speak(
        self, request: SayRequest, config: SpeakerConfig, *, is_local: bool = False
    ) -> SpeechReport:
        """Carry out `request` with a speaker of its own, as is always so here."""
        from ttsctl.workflows.say import Outlets, speak

        with closing(self.own_speaker(config)) as speaker:
            return speak(speaker, request, Outlets(output.write_audio, play))

    def own_speaker(self, config: SpeakerConfig) -> Speaker:
        """Return a speaker, for the caller to close."""
        from ttsctl.workflows.assembly import make_speaker

        return make_speaker(config, self._worker)

    def tell(self, fields: dict[str, Any] | None, summary: str) -> None:
        """Print it."""
        if fields is not None:
            output.result(fields, is_json=True)
        elif summary:
            output.say(summary)


def caller_of(context: typer.Context) -> Caller:
    """Return who typed the command."""
    caller: Caller | None = context.obj
    return caller or LocalCaller()


def play(clips: Iterable[Clip]) -> None:
    """Play `clips` on the loudspeaker."""
    from ttsctl.audio.play import play

    play(clips)

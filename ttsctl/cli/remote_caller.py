"""`say` in the daemon, for a process that is not this one. Runs in the daemon."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from ttsctl import __version__
from ttsctl.cli import output
from ttsctl.cli.surroundings import wants_json
from ttsctl.errors import ExitCode, TtsctlError
from ttsctl.files import Head
from ttsctl.rendezvous import shared_environment
from ttsctl.service.commands import Command, DeclinedError, Link
from ttsctl.service.service import Service
from ttsctl.speech import Clip
from ttsctl.workflows.plan import PlannedUtterance
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.say import Outlets, SayRequest, speak

if TYPE_CHECKING:
    from ttsctl.workflows.assembly import SpeakerConfig
    from ttsctl.workflows.speak import Speaker


_OWN_TO_A_PROCESS = (("/", "dev"), ("/", "proc"))  # /dev/stdin, /dev/fd/63, /proc/self/fd/0


class RemoteCaller:
    """The process that a thin client runs in.

    Args:
        service: What speaks for it.
        cache_folder: Of the service; a client that names another one is declined.
        command: What it asks for.
        link: To the client.
    """

    def __init__(
        self, service: Service, cache_folder: Path | None, command: Command, link: Link
    ) -> None:
        self._service = service
        self._cache_folder = cache_folder
        self._folder = Path(command.folder)
        self._link = link
        self.is_json = "--json" in command.arguments
        self.wants_json: Callable[[], bool] = lambda: False
        """Whether the settings ask for JSON, once they are read."""
        self.is_accepted = self._is_sounding = False
        self.is_stdin_a_terminal = command.is_stdin_a_terminal
        self.is_stdout_a_terminal = command.is_stdout_a_terminal
        self.stdout = self.stderr = ""

    def path(self, path: Path) -> Path:
        """Return where `path` leads from the client's folder.

        Raises:
            DeclinedError: It is not the same for another process, or can be read only once.
        """
        path = self._folder / path
        is_plain = os.path.isfile(path) or os.path.isdir(path) or not os.path.lexists(path)
        if not is_plain or path.parts[:2] in _OWN_TO_A_PROCESS:
            raise DeclinedError
        return path

    def stdin_blocks(self) -> Iterator[bytes]:
        """Yield what the client's stdin has, as soon as it comes."""
        return self._link.stdin_blocks()

    def speak(
        self, request: SayRequest, config: SpeakerConfig, *, is_local: bool = False
    ) -> SpeechReport:
        """Carry out `request`, handing the sound to the client."""
        if is_local or config.cache_folder not in (None, self._cache_folder):
            raise DeclinedError
        speaker = self._service.speaker(
            self._link.patience,
            is_cached=config.cache_folder is not None,
            is_refreshing=config.is_refreshing,
            has_fallback=config.has_fallback,
        )

        def turn(utterances: Sequence[PlannedUtterance]) -> AbstractContextManager[None]:
            # As long as it would be waited for without a daemon.
            return self._service.turn(speaker, utterances, self._link.patience, has_limit=False)

        outlets = Outlets(self._write, self._play, self._write_file, turn)
        self.is_json = self.is_json or self.wants_json()
        self._link.event("accepted", is_json=self.is_json)
        self.is_accepted = True
        try:
            report = self._service.report(
                request.manner.voice, lambda: speak(speaker, request, outlets)
            )
        finally:
            self._end_audio()
        if fallback := report.log.chain.fallback:  # the warning of it went to this process's stderr
            self.stderr = f"warning: {output.escape(fallback.told())}\n"
        return report

    def own_speaker(self, config: SpeakerConfig) -> Speaker:
        """Decline: what needs one has a terminal."""
        raise DeclinedError

    def tell(self, fields: dict[str, Any] | None, summary: str) -> None:
        """Keep the report for the client."""
        if fields is not None:
            fields = fields | {"served_by": "daemon"}
            self.stdout = json.dumps(fields, ensure_ascii=False) + "\n"
        elif summary:
            self.stderr += f"{output.escape(summary)}\n"

    def _write(self, data: bytes) -> None:
        if not self._is_sounding:
            self._begin_audio("stdout")
        self._link.audio(data)

    def _write_file(
        self, path: Path, blocks: Iterable[bytes], *, replace: bool, head: Head | None
    ) -> int:
        """Have the client write its file, once there is all of it: a header tells the length."""
        parts = list(blocks)
        size_bytes = sum(map(len, parts))
        if head is not None:
            parts[0] = head(parts[0], size_bytes)
        self._begin_audio("file", path=str(path))
        for part in parts:
            self._link.audio(part)
        self._end_audio()
        return size_bytes

    def _play(self, clips: Iterable[Clip]) -> None:
        for clip in clips:
            if not self._is_sounding:
                self._begin_audio("player", sample_rate=clip.sample_rate)
            self._link.audio(clip.pcm)
        self._end_audio()

    def _begin_audio(self, where: str, **fields: Any) -> None:
        self._link.event(where, **fields)
        self._is_sounding = True

    def _end_audio(self) -> None:
        if self._is_sounding:
            self._link.event("end")
        self._is_sounding = False


def carry_out(
    root: Any, service: Service, cache_folder: Path | None, command: Command, link: Link
) -> None:
    """Understand a command line and carry it out for the client; an error is part of the answer.

    Args:
        root: The click group of all commands.
        service: What speaks.
        cache_folder: Of the service.
        command: What the client has sent.
        link: To the client.

    Raises:
        DeclinedError: The client has to do it itself: it is of another version, has another
            environment, or its command line is wrong, which it can say better.
    """
    if command.version != __version__ or command.arguments[:1] != ("say",):
        raise DeclinedError
    if command.environment != shared_environment(os.environ):
        raise DeclinedError
    caller = RemoteCaller(service, cache_folder, command, link)
    exit_code = ExitCode.OK
    try:
        _run(root, command.arguments, caller)
    except TtsctlError as error:
        if not caller.is_accepted:
            raise DeclinedError from error
        caller.stdout, caller.stderr = output.described(error, is_json=caller.is_json)
        exit_code = error.exit_code
    link.event("done", stdout=caller.stdout, stderr=caller.stderr, exit_code=int(exit_code))


def _run(root: Any, arguments: Sequence[str], caller: RemoteCaller) -> None:
    """Run the command line, and let out the errors that `BoundaryGroup` would report here."""
    try:
        context = root.make_context("ttsctl", list(arguments), obj=caller)
        caller.wants_json = lambda: wants_json(context)
        TyperGroup.invoke(root, context)
    except TtsctlError:
        raise
    except (Exception, typer.Exit) as error:
        # A usage error, `--help`: whatever it is, the client meets it again.
        if caller.is_accepted:
            raise
        raise DeclinedError from error

"""A `say` that the daemon carries out, and that has next to nothing to import.

The command line goes to the daemon as it was typed. Left to the client is what the daemon cannot
do for it: to read its stdin, to write its files and its stdout, to play on its loudspeaker.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ttsctl import __version__
from ttsctl.rendezvous import OPT_OUT_VARIABLE, shared_environment, socket_path
from ttsctl.service.descriptors import is_same_user

_COMMAND = "say"
_OPT_OUT = "--no-daemon"
_ANSWER_TIMEOUT_S = 5.0  # to say whether it will do it; a daemon that is stopped says nothing


def say(arguments: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Have the daemon carry out a `say`.

    Args:
        arguments: The command line without the name of the program.
        environ: The environment.

    Returns:
        The exit code; None where the caller has to do it: there is no daemon, it is of another
        version, or it declined. Nothing has been read or written then.
    """
    if arguments[:1] != [_COMMAND] or _OPT_OUT in arguments or environ.get(OPT_OUT_VARIABLE):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            connection.connect(socket_path(environ))
            if not is_same_user(connection):  # it could have us write any file
                return None
            connection.sendall(_line(_command(arguments, environ)))
            stream = connection.makefile("rb")
            accepted = json.loads(stream.readline() or b"{}")
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(accepted, dict) or accepted.get("event") != "accepted":
            return None
        connection.settimeout(None)
        return _Conversation(connection, stream, is_json=bool(accepted.get("is_json"))).carry_out()


def _command(arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "action": "say",
        "version": __version__,
        "arguments": list(arguments),
        "folder": os.getcwd(),
        "environment": shared_environment(environ),
        "stdin_is_terminal": sys.stdin.isatty(),
        "stdout_is_terminal": sys.stdout.isatty(),
    }


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode() + b"\n"


class _CutShortError(Exception):
    """The sound ended before its end; holds what came instead."""


class _Conversation:
    """Does what the daemon says, event by event."""

    def __init__(self, connection: socket.socket, stream: Any, *, is_json: bool) -> None:
        self._connection = connection
        self._is_json = is_json
        # Read by a thread of its own: a loudspeaker takes its time, and the daemon has other work.
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def carry_out(self) -> int:
        """Return the exit code."""
        try:
            end = self._listen()
            if end["event"] == "lost":
                return self._fail(None)
            sys.stdout.write(end["stdout"])
            sys.stderr.write(end["stderr"])
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 128 + signal.SIGPIPE
        except Exception as error:
            return self._fail(error)
        return int(end["exit_code"])

    def _listen(self) -> dict[str, Any]:
        """Do what the daemon says, and return the last of it."""
        try:
            while (event := self._events.get())["event"] not in ("done", "lost"):
                self._do(event)
        except _CutShortError as cut:
            event = cut.args[0]
        return event

    def _do(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "stdin":
                threading.Thread(target=self._send_stdin, daemon=True).start()
            case "stdout":
                for block in self._audio():
                    sys.stdout.buffer.write(block)
                    sys.stdout.buffer.flush()
            case "file":
                from pathlib import Path

                from ttsctl.files import write_whole

                write_whole(Path(event["path"]), self._audio(), replace=True)
            case "player":
                from ttsctl.audio.play import play
                from ttsctl.speech import Clip

                sample_rate = event["sample_rate"]
                play(Clip(block, sample_rate) for block in self._audio())

    def _audio(self) -> Iterator[bytes]:
        """Yield the sound up to the end of it."""
        while (event := self._events.get())["event"] == "audio":
            yield base64.b64decode(event["data"])
        if event["event"] != "end":
            raise _CutShortError(event)

    def _read(self, stream: Any) -> None:
        """Queue what the daemon says. Runs in a thread of its own."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            for line in stream:
                event = json.loads(line)
                if "event" not in event:  # it has met a bug, which its log describes
                    break
                self._events.put(event)
        self._events.put({"event": "lost"})

    def _send_stdin(self) -> None:
        """Hand on stdin, as soon as it has something. Runs in a thread of its own."""
        is_ended = False
        while not is_ended:
            try:
                block = os.read(sys.stdin.fileno(), 1 << 16)
            except OSError:  # it was opened for writing, say: there is nothing to come
                block = b""
            is_ended = not block
            data = base64.b64encode(block).decode()
            with contextlib.suppress(OSError):  # gone: `_read` notices, too
                self._connection.sendall(_line({"action": "stdin", "data": data}))

    def _fail(self, error: Exception | None) -> int:
        """Report what went wrong on this side."""
        from ttsctl.cli import output
        from ttsctl.errors import EngineError, OutputError, TtsctlError
        from ttsctl.files import reason

        if error is None:
            error = EngineError("the daemon ended in the middle; try again, or use --no-daemon")
        if isinstance(error, OSError):  # where files and loudspeakers fail is told by their rooms
            output.silence_stdout()  # what is left in its buffer would fail once more at exit
            error = OutputError(f"cannot write to standard output: {reason(error)}")
        if not isinstance(error, TtsctlError):
            raise error
        output.failure(error, is_json=self._is_json)
        return error.exit_code

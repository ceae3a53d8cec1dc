"""Services in processes of their own, and those who talk to them.

Whoever makes a `Home` ends it: that ends every process that was started in it, whatever happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from tests.cli.conftest import Answer

PATIENCE_S = 30.0  # for what takes moments on a machine that has nothing else to do
TONE = ("--preload", "tone:sine")


class Program:
    """A ttsctl that runs; what it says is read all the time.

    Args:
        arguments: The command line.
        folder: Its current folder.
        environment: All of it.
        options: For `Popen`; each of the three streams is a pipe unless told otherwise.
    """

    def __init__(
        self, *arguments: object, folder: Path, environment: dict[str, str], **options: Any
    ) -> None:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        streams: dict[str, Any] = pipes | options
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "ttsctl", *map(str, arguments)],
            cwd=folder,
            env=environment,
            **streams,
        )
        self._stdout = _Lines(self.process.stdout)
        self._stderr = _Lines(self.process.stderr)

    @property
    def stderr(self) -> str:
        """What it has said on stderr so far."""
        return b"\n".join(self._stderr.all()).decode()

    def last_words(self) -> str:
        """Wait for its end, and return all that it has said on stderr."""
        self.wait()
        self._stderr.wait_end()
        return self.stderr

    def wait_ready(self) -> Program:
        """Wait until it says on stderr that it can be asked."""
        wait_until(lambda: '"ready"' in self.stderr or not self._stderr.is_open, self)
        assert '"ready"' in self.stderr, self.stderr
        return self

    def write(self, data: bytes) -> None:
        """Write to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *requests: dict[str, Any]) -> None:
        """Send requests, one a line, in one write."""
        self.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    def line(self) -> bytes:
        """Return the next line of stdout."""
        line = self._stdout.next()
        assert line, f"no line; {self.stderr}"
        return line

    def reply(self) -> dict[str, Any]:
        """Return the next line of stdout, which has to be a JSON object."""
        reply = json.loads(self.line())
        assert isinstance(reply, dict)
        return reply

    def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send a request, and return the next reply."""
        self.send({"action": action, **fields})
        return self.reply()

    def replies_left(self) -> list[dict[str, Any]]:
        """Return the replies that have not been asked for, once it has ended."""
        self.wait()
        replies = []
        while line := self._stdout.next():
            replies.append(json.loads(line))
        return replies

    def close_stdin(self) -> None:
        """End its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close_stdout(self) -> None:
        """Read its stdout no more."""
        self._stdout.close()

    def close_stderr(self) -> None:
        """Read its stderr no more."""
        self._stderr.close()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Return the exit code."""
        return self.process.wait(timeout_s)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that it has started."""
        children: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return children

    def end(self) -> None:
        """End it and what it has started, and close the streams."""
        with contextlib.suppress(psutil.Error):
            for worker in self.workers():
                worker.kill()
        self.process.kill()
        self.process.wait()
        self._stdout.close()
        self._stderr.close()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):  # what was still to be written has no reader
                self.process.stdin.close()


class _Lines:
    """The lines of a pipe, read by a thread, so that the pipe can be closed at any time."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._data = bytearray()  # a line that is not whole
        self._lines: list[bytes] = []
        self._given = 0
        self.is_open = stream is not None
        self._thread = threading.Thread(target=self._read, daemon=True)
        if stream is not None:
            self._thread.start()

    def all(self) -> list[bytes]:
        with self._changed:
            return [*self._lines, bytes(self._data)]

    def next(self) -> bytes:
        """Return the next line; nothing where there will be none."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._lines) > self._given or not self.is_open, PATIENCE_S
            )
            if len(self._lines) <= self._given:
                return b""
            self._given += 1
            return self._lines[self._given - 1]

    def wait_end(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self.is_open, PATIENCE_S)

    def close(self) -> None:
        self.is_open = False
        if self._stream is not None:
            self._thread.join()
            self._stream.close()

    def _read(self) -> None:
        assert self._stream is not None
        descriptor = self._stream.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while self.is_open:
            if poller.poll(50):
                self._take(os.read(descriptor, 1 << 16))

    def _take(self, data: bytes) -> None:
        with self._changed:
            self._data += data
            *lines, rest = self._data.split(b"\n") if data else [self._data, b""]
            self._lines += [bytes(line) for line in lines if line]
            self._data = bytearray(rest)
            self.is_open = self.is_open and bool(data)
            self._changed.notify_all()


class Home:
    """A user with nothing but a folder, whose name is short enough for a socket in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tts-"))
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TTSCTL_", "XDG_"))
        } | {
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            **{f"XDG_{name}_HOME": str(self.folder / name.lower()) for name in _KINDS},
        }
        self.socket = self.folder / "run" / "ttsctl" / "ttsctl.sock"
        self.work = self.folder / "work"
        self.work.mkdir()
        (self.folder / "run").mkdir(mode=0o700)
        self._programs: list[Program] = []
        self._clients: list[Program] = []

    def start(self, *arguments: object, **options: Any) -> Program:
        """Start a ttsctl that runs on."""
        program = Program(*arguments, folder=self.work, environment=self.environment, **options)
        self._programs.append(program)
        if arguments[0] == "say":
            self._clients.append(program)
        return program

    def serve(self, *arguments: object) -> Program:
        """Start the daemon, and wait until it can be asked."""
        return self.start("serve", *(arguments or TONE)).wait_ready()

    def stdio(self, *arguments: object) -> Program:
        """Start a service for this process, and wait until it can be asked."""
        return self.start("serve", "--stdio", *(arguments or TONE)).wait_ready()

    def run(
        self,
        *arguments: object,
        stdin: bytes = b"",
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> Answer:
        """Run a command to its end."""
        finished = subprocess.run(
            [sys.executable, "-m", "ttsctl", *map(str, arguments)],
            cwd=folder or self.work,
            input=stdin,
            capture_output=True,
            env=self.environment | (environment or {}),
            timeout=PATIENCE_S,
            check=False,
        )
        stderr = finished.stderr.decode()
        assert "Traceback" not in stderr, stderr
        return Answer(finished.returncode, finished.stdout, stderr)

    def files(self) -> list[str]:
        """Return the names of all files in the working folder, hidden ones too."""
        return sorted(path.name for path in self.work.iterdir())

    @contextlib.contextmanager
    def connected(self, timeout_s: float = PATIENCE_S) -> Iterator[Client]:
        """Connect to the daemon for the length of the block."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(self.socket))
            with connection.makefile("rb") as replies:
                yield Client(connection, replies)

    def ask(self, action: str) -> dict[str, Any]:
        """Return the daemon's reply."""
        with self.connected() as client:
            return client.ask(action)

    def end_clients(self) -> None:
        """End what is no service."""
        while self._clients:
            client = self._clients.pop()
            client.end()
            self._programs.remove(client)

    def end(self) -> None:
        """End what runs still, and remove the folder."""
        for program in self._programs:
            program.end()
        shutil.rmtree(self.folder)


class Client:
    """Talks to the daemon over its socket."""

    def __init__(self, connection: socket.socket, replies: Any) -> None:
        self.connection = connection
        self._replies = replies

    def send(self, **fields: Any) -> None:
        """Send a request."""
        self.connection.sendall(json.dumps(fields).encode() + b"\n")

    def reply(self) -> dict[str, Any]:
        """Return the next reply."""
        reply = json.loads(self._replies.readline())
        assert isinstance(reply, dict)
        return reply

    def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send a request, and return the next reply."""
        self.send(action=action, **fields)
        return self.reply()


_KINDS = ("CONFIG", "CACHE", "DATA", "STATE")


def wait_until(
    is_so: Callable[[], bool], program: Program | None = None, timeout_s: float = PATIENCE_S
) -> None:
    """Wait until `is_so`; what `program` has said explains why it is not."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, program.stderr if program else "it did not happen"
        time.sleep(0.02)


def wait_ended(processes: list[psutil.Process], timeout_s: float = PATIENCE_S) -> None:
    """Wait until none of the processes runs; those that nobody reaps count as ended."""
    wait_until(lambda: not any(map(_runs, processes)), timeout_s=timeout_s)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

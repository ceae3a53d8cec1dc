"""Services in processes of their own, and those who talk to them.

Whoever makes a `Home` ends it: that ends every process that was started in it, whatever happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
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

PATIENCE_S = 60.0  # for what takes moments on a machine that has nothing else to do
TONE = ("--preload", "tone:sine")


class Program:
    """A ttsctl that runs; what it says is read all the time.

    Args:
        arguments: The command line.
        folder: Its current folder.
        environment: All of it.
    """

    def __init__(
        self, *arguments: object, folder: Path, environment: dict[str, str], **options: Any
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ttsctl", *map(str, arguments)],
            cwd=folder,
            env=environment,
            **{name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")} | options,
        )
        self.stderr = ""
        self._changed = threading.Condition()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=read, args=(stream,), daemon=True)
            for read, stream in (
                (self._read_stdout, self.process.stdout),
                (self._read_stderr, self.process.stderr),
            )
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def wait_ready(self) -> Program:
        """Wait until it says on stderr that it can be asked."""
        self.wait_said('{"status": "ready"')
        return self

    def wait_said(self, text: str) -> None:
        """Wait until stderr has `text`."""
        with self._changed:
            heard = self._changed.wait_for(
                lambda: text in self.stderr or not self._readers[-1].is_alive(), PATIENCE_S
            )
        assert heard, self.stderr
        assert text in self.stderr, self.stderr

    def write(self, data: bytes) -> None:
        """Write to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *requests: dict[str, Any]) -> None:
        """Send requests, one a line, in one write."""
        self.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    def line(self, timeout_s: float = PATIENCE_S) -> bytes:
        """Return the next line of stdout."""
        try:
            return self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"no line within {timeout_s:g} s; {self.stderr}") from None

    def reply(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Return the next line of stdout, which has to be a JSON object."""
        reply = json.loads(self.line(timeout_s))
        assert isinstance(reply, dict)
        return reply

    def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send a request, and return the next reply."""
        self.send({"action": action, **fields})
        return self.reply()

    def rest(self) -> list[bytes]:
        """Return the lines that are left, once it has ended."""
        self.wait()
        for reader in self._readers:
            reader.join()
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def close_stdin(self) -> None:
        """End its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

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
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be written has no reader
                    stream.close()

    def _read_stdout(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError):  # closed by the test
            for line in stream:
                self._lines.put(line)

    def _read_stderr(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError):
            for line in stream:
                with self._changed:
                    self.stderr += line.decode()
                    self._changed.notify_all()
        with self._changed:
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

    def start(self, *arguments: object, **options: Any) -> Program:
        """Start a ttsctl that runs on."""
        program = Program(
            *arguments, folder=self.work, environment=self.environment, **options
        )
        self._programs.append(program)
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
        **environment: str,
    ) -> Answer:
        """Run a command to its end."""
        finished = subprocess.run(
            [sys.executable, "-m", "ttsctl", *map(str, arguments)],
            cwd=folder or self.work,
            input=stdin,
            capture_output=True,
            env=self.environment | environment,
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


def wait_until(is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait until `is_so`."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def wait_ended(processes: list[psutil.Process], timeout_s: float = PATIENCE_S) -> None:
    """Wait until none of the processes runs; those that nobody reaps count as ended."""
    wait_until(lambda: not any(map(_runs, processes)), timeout_s)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

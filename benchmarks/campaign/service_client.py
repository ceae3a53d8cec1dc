"""Services in processes of their own, and clients that note when each reply came."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from ttsctl.audio.wav import read_wav

PATIENCE_S = 90.0  # for what takes moments on a machine that has nothing else to do
PIPER_NAME = "en_US-untrained-medium"
_REPOSITORY = Path(__file__).parents[2]
_ABANDONED_S = "120"  # a daemon whose campaign was killed ends by itself
_KINDS = ("CONFIG", "CACHE", "DATA", "STATE")


@dataclass
class Answer:
    """A reply, and when what happened, on the clock of `time.perf_counter`."""

    sent_at: float
    arrived_at: float = 0.0
    first_audio_at: float | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def took_ms(self) -> float:
        """From the request to the whole reply."""
        return (self.arrived_at - self.sent_at) * 1000

    @property
    def code(self) -> str | None:
        """What went wrong; None where nothing did."""
        return None if self.fields["success"] else self.fields["error"]["code"]

    @property
    def sound(self) -> bytes:
        """The samples of a reply that holds its file, as wav or as pcm."""
        data = base64.b64decode(self.fields["data"])
        return read_wav(data).pcm if self.fields["format"] == "wav" else data


class Client:
    """One connection; threads may share it. Replies are matched to their requests by the id.

    Args:
        write: Sends bytes.
        lines: What the service says.
    """

    def __init__(self, write: Callable[[bytes], object], lines: Iterable[bytes]) -> None:
        self._write = write
        self._ids = itertools.count()
        self._waiting: dict[int, tuple[Answer, Future[Answer]]] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._is_over = False
        self.is_cut_off = False
        """Whether it ended while there was something to be answered."""
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def ask(self, action: str, **fields: Any) -> Future[Answer]:
        """Send a request; the future has its answer, or `ConnectionError` where none will come."""
        reply: Future[Answer] = Future()
        number = next(self._ids)
        line = json.dumps({"id": number, "action": action, **fields}).encode() + b"\n"
        with self._lock:
            if self._is_over:
                reply.set_exception(ConnectionError("the service has ended"))
                return reply
            self._waiting[number] = Answer(time.perf_counter()), reply
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._write(line)  # where it fails the reading ends, too, and tells the future
        return reply

    def speak(self, text: str, voice: str, **fields: Any) -> Future[Answer]:
        """Ask for speech that the cache does not know."""
        return self.ask("synthesize", **{"text": text, "voice": voice, "noCache": True} | fields)

    def _read(self, lines: Iterable[bytes]) -> None:
        """Take what comes, to the end of it. Runs in a thread of its own."""
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                self._take(line, time.perf_counter())
        with self._lock:
            self._is_over, self.is_cut_off = True, bool(self._waiting)
            for _, reply in self._waiting.values():
                reply.set_exception(ConnectionError("the service has ended"))
            self._waiting.clear()

    def _take(self, line: bytes, now: float) -> None:
        fields = json.loads(line)
        answer, reply = self._waiting[fields["id"]]
        if fields.get("event") == "audio":
            answer.first_audio_at = answer.first_audio_at or now
            return
        with self._lock:
            del self._waiting[fields["id"]]
        answer.arrived_at, answer.fields = now, fields
        reply.set_result(answer)


Asked = TypeVar("Asked")


def answered(asked: Iterable[tuple[Asked, Future[Answer]]]) -> list[tuple[Asked, Answer]]:
    """Return those whose request has been answered, with the answer."""
    return [(what, reply.result()) for what, reply in asked if _is_answered(reply)]


def settled(
    asked: Iterable[Future[Answer]], timeout_s: float = PATIENCE_S
) -> tuple[list[Answer], int]:
    """Wait for the replies; return them, and how many requests never got one."""
    asked = list(asked)
    wait(asked, timeout_s)
    answers = [each.result() for each in asked if _is_answered(each)]
    return answers, len(asked) - len(answers)


def _is_answered(reply: Future[Answer]) -> bool:
    return reply.done() and reply.exception() is None


class Service:
    """A ttsctl that serves."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def seen(self) -> psutil.Process:
        """The process as the system has it."""
        return psutil.Process(self.process.pid)

    @property
    def log(self) -> str:
        """What it has said on stderr."""
        return self._log.read_text(errors="replace")

    def wait_ready(self) -> None:
        """Wait until it says that it can be asked."""
        deadline = time.monotonic() + PATIENCE_S
        while '{"status": "ready"' not in self.log:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a service did not start: {self.log[-2_000:]}")
            time.sleep(0.01)

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes; the last word of their command line is the engine."""
        try:
            children = self.seen.children()
        except psutil.Error:  # it has ended
            return []
        return [
            child
            for child in children
            if any("ttsctl.workers.child" in word for word in _words_of(child))
        ]


class Home:
    """A user with nothing but a folder, whose name is short enough for a socket in it.

    At the end of the block every process that was started for that user, workers that lost their
    parent included, is ended, and the folder is removed.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ttsc-"))
        left_out = ("TTSCTL_", "XDG_", "HF_", "PYTHONDONTWRITEBYTECODE")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(left_out)
        } | {
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            **{f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in _KINDS},
            "PYTHONPATH": str(_REPOSITORY),
        }
        self.work = self.folder / "work"
        self.work.mkdir()
        (self.folder / "run").mkdir(mode=0o700)
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        while left := self.processes():
            kill_all(left)
            for started in self._started:
                started.poll()  # or it stays behind as a zombie
            time.sleep(0.02)
        for started in self._started:
            started.wait()
            for stream in (started.stdin, started.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):  # what was still to be written has no reader
                        stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a ttsctl."""
        return [sys.executable, "-m", "ttsctl", *arguments]

    def run(self, command: list[str], folder: Path | None = None) -> bytes:
        """Run a program to its end; return what it printed.

        Raises:
            RuntimeError: It failed; the message has its last words.
        """
        finished = subprocess.run(
            command,
            cwd=folder or self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
            check=False,
        )
        if finished.returncode:
            said = finished.stderr.decode(errors="replace")[-2_000:]
            raise RuntimeError(f"{command} ended with {finished.returncode}:\n{said}")
        return finished.stdout

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program that runs on, at the latest until the end of the block."""
        process = subprocess.Popen(command, cwd=self.work, env=self.environment, **options)
        self._started.append(process)
        return process

    def daemon(
        self,
        *options: str,
        preload: str = "tone:sine",
        before: Iterable[str] = (),
    ) -> Service:
        """Start the daemon, and wait until it can be asked.

        Args:
            options: Of `serve`.
            preload: What it loads before it can be asked.
            before: Options of ttsctl, which stand before the command.
        """
        fixed = ("--preload", preload, "--idle-timeout", _ABANDONED_S)
        service = self._serve([*before, "serve", *fixed, *options])
        service.wait_ready()
        return service

    def stdio(self, *options: str, preload: str = "tone:sine") -> tuple[Service, Client]:
        """Start a service on pipes, without waiting for it; return it and its one client."""
        service = self._serve(
            ["serve", "--stdio", "--preload", preload, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        to, back = service.process.stdin, service.process.stdout
        assert to is not None
        assert back is not None

        def write(data: bytes) -> None:
            to.write(data)
            to.flush()

        return service, Client(write, back)

    @contextlib.contextmanager
    def connected(self, path: Path | None = None) -> Iterator[Client]:
        """Connect to the daemon, at `path` where it is not at its usual place."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path or self.folder / "run" / "ttsctl" / "ttsctl.sock"))
            try:
                yield Client(connection.sendall, connection.makefile("rb"))
            finally:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of this user that run; the dead that nobody reaps are none."""
        return [process for process in psutil.process_iter() if _runs_in(process, str(self.folder))]

    def install_piper(self) -> str | None:
        """Install a Piper voice of true architecture, ready for use; None where torch is missing.

        It is built by a process of its own, so that torch is not in this one.
        """
        if not (importlib.util.find_spec("torch") and importlib.util.find_spec("piper")):
            return None
        build = [sys.executable, "-m", "benchmarks.piper_voice", str(self.folder / "piper")]
        self.run([*build, "--name", PIPER_NAME], folder=_REPOSITORY)
        model = self.folder / "piper" / f"{PIPER_NAME}.onnx"
        self.run(self.command("voices", "add", str(model)))
        say = ("say", "Hello.", "-v", PIPER_NAME, "-o", "first.wav", "--no-cache", "--no-daemon")
        self.run(self.command(*say))
        self._wait_prepared()
        return f"piper:{PIPER_NAME}"

    def _wait_prepared(self) -> None:
        """Wait until the model is made ready for this machine, which goes on after the command."""
        models = self.folder / "cache" / "ttsctl-models"
        deadline = time.monotonic() + PATIENCE_S
        while not any(path.is_dir() for path in models.glob("[!.]*")) or self.processes():
            if time.monotonic() > deadline:
                raise RuntimeError(f"no prepared model in {models}")
            time.sleep(0.1)

    def _serve(self, arguments: list[str], **options: Any) -> Service:
        log = self.folder / f"log-{len(self._started)}"
        with log.open("wb") as stderr:
            process = self.start(self.command(*arguments), stderr=stderr, **options)
        return Service(process, log)


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """End processes, some of which may have ended already."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _runs_in(process: psutil.Process, home: str) -> bool:
    try:
        is_ours = process.environ().get("HOME") == home
        return is_ours and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _words_of(process: psutil.Process) -> list[str]:
    """Return its command line, which is empty where it has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []

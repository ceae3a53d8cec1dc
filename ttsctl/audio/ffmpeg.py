"""A run of the program ffmpeg: sound goes in by its stdin, and its end is never waited for long.

No dead end is possible: its stderr goes to a file and its stdout nowhere, so that it never waits
for us, and we write and wait with a time limit.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from typing import IO

from ttsctl.errors import OutputError
from ttsctl.settings import worker_environment

_POLL_MS = 1_000
_LOG_TAIL_BYTES = 4_000
_FAREWELL = "Conversion failed!"  # after the line that says why


def find_ffmpeg(program: str = "ffmpeg") -> str:
    """Return the path of `program`, which is a name to look for in PATH, or a path.

    Raises:
        OutputError: It is not installed.
    """
    if found := shutil.which(program):
        return os.path.abspath(found)
    raise OutputError(
        f"this format needs the program {program}, which is not installed; "
        "install ffmpeg, or choose opus or mp3, which hold chapters too"
    )


class Run:
    """A run of ffmpeg; at the end of the `with` block it has ended, if need be by force.

    Args:
        command: The program's path and its arguments. It gets the user's environment without
            secrets.
        stall_s: How long it may take no sound, and how long it may take to end after the last.

    Raises:
        OSError: The program cannot be started.
    """

    def __init__(self, command: list[str], stall_s: float) -> None:
        self._stall_s = stall_s
        with contextlib.ExitStack() as stack:
            self._log: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                env=worker_environment(),
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )
            stack.pop_all()
        assert self._process.stdin is not None
        self._sink = self._process.stdin
        os.set_blocking(self._sink.fileno(), False)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            # It leads a session of its own, so no other process dies. It may have ended just now.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._sink.close()
        self._log.close()

    def feed(self, block: bytes) -> None:
        """Write `block` into its stdin.

        Raises:
            OutputError: It ended, or takes no more.
        """
        rest = memoryview(block)
        while rest:
            self._wait_until_it_reads()
            try:
                rest = rest[os.write(self._sink.fileno(), rest) :]
            except BrokenPipeError:
                self.finish()
                raise OutputError("ffmpeg stopped before the end of the sound") from None

    def finish(self) -> None:
        """Tell it that no more will come, and wait for its end.

        Raises:
            OutputError: It failed, was killed, or does not end.
        """
        self._sink.close()
        try:
            status = self._process.wait(self._stall_s)
        except subprocess.TimeoutExpired:
            raise self._stalled() from None
        if status:
            how = f"killed by signal {-status}" if status < 0 else f"exit code {status}"
            raise OutputError(f"ffmpeg failed ({how}): {self._last_line()}")

    def _wait_until_it_reads(self) -> None:
        poll = select.poll()
        poll.register(self._sink, select.POLLOUT)
        deadline = time.monotonic() + self._stall_s
        while not poll.poll(min(_POLL_MS, self._stall_s * 1000)):
            if time.monotonic() >= deadline:
                raise self._stalled()

    def _stalled(self) -> OutputError:
        return OutputError(f"ffmpeg stood still for {self._stall_s:g} s and was ended")

    def _last_line(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), _LOG_TAIL_BYTES, max(0, size - _LOG_TAIL_BYTES))
        lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
        told = [line for line in lines if line != _FAREWELL] or ["it did not say why"]
        return "".join(character for character in told[-1] if character.isprintable())[:200]

"""A worker's process and the two pipes to it: frames out, frames in, and how it ended."""

from __future__ import annotations

import logging
import os
import select
import tempfile
import time
from collections.abc import Callable
from typing import IO

from ttsctl.errors import DeadlineError, EngineCrashError, EngineError
from ttsctl.files import reason
from ttsctl.workers import messages
from ttsctl.workers.launch import how_it_ended, last_words, launch
from ttsctl.workers.messages import Frame, FrameDecoder, ProtocolError

Check = Callable[[], None]

_CHECK_EVERY_S = 0.05
_logger = logging.getLogger(__name__)


class EngineProcess:
    """The process that an engine runs in.

    Args:
        engine: Name in the registry.
        threads: How many it may use for one utterance; None for its own default.

    Raises:
        EngineError: The system does not start another process, or has no temporary folder.
    """

    def __init__(self, engine: str, threads: int | None) -> None:
        self._engine = engine
        try:
            # A file rather than a pipe: nobody has to drain it, and its end explains a crash.
            self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`
            self._process = launch(engine, self._log, threads)
        except OSError as error:
            raise EngineError(f"cannot start engine '{engine}': {reason(error)}") from error
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []
        self.in_hand = "starting"
        """What it is doing, for the message where it dies of it."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        """The operating system's number for it."""
        return self._process.pid

    def send(self, frame: Frame) -> None:
        """Write a frame.

        Raises:
            EngineCrashError: The process is dead.
        """
        data = memoryview(messages.encode(frame))
        assert self._process.stdin is not None
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except BrokenPipeError:
            raise self._died() from None

    def receive(self, deadline: float, check: Check = lambda: None) -> Frame:
        """Return the next frame; warnings among them go to the log.

        Args:
            deadline: On the clock `time.monotonic`.
            check: Called every 50 ms while it is waited for; what it raises ends the wait.

        Raises:
            EngineCrashError: The process died.
            EngineError: What it wrote is no frame; it was killed.
            DeadlineError: There was none in time; it was killed.
        """
        while not self._frames:
            data = self._read(deadline, check)
            if not data:
                raise self._died()
            try:
                self._frames.extend(filter(_is_answer, self._decoder.feed(data)))
            except ProtocolError as error:
                raise self.distrust(str(error)) from error
        return self._frames.pop(0)

    def distrust(self, what: str) -> EngineError:
        """Kill a process that does not keep to the protocol, and return the error to raise."""
        self.kill()
        return EngineError(f"engine '{self._engine}': {what}")

    def end(self) -> None:
        """End it now, from any thread; whoever uses it finds it dead."""
        self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it now and free what it held. Safe to call twice."""
        self.end()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()

    def _read(self, deadline: float, check: Check) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while not poller.poll(max(0.0, min(deadline - time.monotonic(), _CHECK_EVERY_S)) * 1000):
            check()
            if time.monotonic() >= deadline:
                self.kill()
                raise DeadlineError(f"engine '{self._engine}' took too long {self.in_hand}")
        return os.read(descriptor, 1 << 18)

    def _died(self) -> EngineCrashError:
        self._process.wait()
        how = how_it_ended(self._process.returncode)
        words = last_words(self._log)
        self.kill()
        return EngineCrashError(
            f"engine '{self._engine}' {how} while {self.in_hand}" + (f" ({words})" if words else "")
        )


def _is_answer(frame: Frame) -> bool:
    """Pass a warning on to the user; everything else answers a request."""
    if frame.header.get("event") != "warning":
        return True
    _logger.warning("%s", frame.header.get("message"))
    return False

"""The parent's side of the boundary: one engine in one process that may crash, hang or lie.

A worker is used by one request at a time, and at most once after it has died: `Supervisor` makes
the next one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import tempfile
import time
from collections.abc import Callable, Generator
from typing import IO

from ttsctl.errors import DeadlineError, EngineCrashError, EngineError, TtsctlError, error_from
from ttsctl.files import reason
from ttsctl.speech import Clip, Utterance, Voice
from ttsctl.workers import messages
from ttsctl.workers.launch import how_it_ended, last_words, launch
from ttsctl.workers.messages import Frame, FrameDecoder, ProtocolError

START_TIMEOUT_S = 30.0
LOAD_TIMEOUT_S = 120.0
CANCEL_TIMEOUT_S = 1.0  # a worker that has not let go by then is killed
_CHECK_EVERY_S = 0.05
_EXCERPT_CHARS = 40
_logger = logging.getLogger(__name__)

Check = Callable[[], None]


class Worker:
    """An engine in a process of its own.

    The process is started by the constructor, which does not wait for it: whatever the caller does
    before the first request hides the start-up.

    Args:
        engine: Name in the registry.
        threads: How many it may use for one utterance; None for its own default.

    Raises:
        EngineError: The system does not start another process, or has no temporary folder.
    """

    def __init__(self, engine: str, threads: int | None = None) -> None:
        self.engine = engine
        try:
            # A file rather than a pipe: nobody has to drain it, and its end explains a crash.
            self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`
            self._process = launch(engine, self._log, threads)
        except OSError as error:
            raise EngineError(f"cannot start engine '{engine}': {reason(error)}") from error
        self.started_at = time.perf_counter()
        self.ready_at: float | None = None
        """When the engine was imported, on the clock of `time.perf_counter`."""
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []
        self.voice: Voice | None = None  # what it has loaded, or is loading
        self._is_loading = False
        self._in_hand = "starting"

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        """The operating system's number for the process."""
        return self._process.pid

    def wait_ready(self, check: Check = lambda: None) -> None:
        """Wait until the engine is imported; `check` is as in `stream`.

        Raises:
            NotInstalledError: The engine is not there.
            EngineCrashError: The process died on the way.
            DeadlineError: It took over 30 s.
        """
        if self.ready_at is None:
            self._in_hand = f"starting engine '{self.engine}'"
            frame = self._receive(time.monotonic() + START_TIMEOUT_S, check)
            self._raise_if_failed(frame)
            self.ready_at = messages.ready_at(frame)

    def begin_load(self, voice: Voice) -> None:
        """Have `voice` made ready while the caller does something else; `load` waits for it."""
        self._send(messages.load_request(voice))
        self.voice, self._is_loading = voice, True

    def load(self, voice: Voice, check: Check = lambda: None) -> None:
        """Make `voice` ready to speak at once; `check` is as in `stream`."""
        self.wait_ready(check)
        if self.voice != voice:
            try:
                self._end_loading(check)
            except EngineCrashError:
                raise
            except EngineError:
                pass  # whoever wanted that voice does not any more
            self.begin_load(voice)
        self._end_loading(check)

    def _end_loading(self, check: Check = lambda: None) -> None:
        if self.voice is None or not self._is_loading:
            return
        self._in_hand = f"loading voice '{self.voice.id}'"
        frame = self._receive(time.monotonic() + LOAD_TIMEOUT_S, check)
        # Not before: where `check` ends the wait the answer is still to come.
        voice, self.voice, self._is_loading = self.voice, None, False
        self._raise_if_failed(frame)
        self.voice = voice

    def voices(self) -> list[Voice]:
        """Return the voices that the engine reports."""
        self.wait_ready()
        self._end_loading()
        self._in_hand = "listing its voices"
        self._send(messages.voices_request())
        done = self._receive(time.monotonic() + START_TIMEOUT_S)
        self._raise_if_failed(done)
        try:
            return [Voice(**fields) for fields in done.header["voices"]]
        except (KeyError, TypeError) as error:
            raise EngineError(f"engine '{self.engine}' reports no usable voices") from error

    def stream(
        self, utterance: Utterance, deadline_s: float, check: Check = lambda: None
    ) -> Generator[Clip, None, None]:
        """Yield the sound of `utterance`; a consumer that stops early cancels the rest.

        Args:
            utterance: What to say.
            deadline_s: Seconds of working time after which the engine counts as hung.
            check: Called every 50 ms while the engine is waited for; what it raises ends the wait.

        Raises:
            EngineError: The engine refused the text, died on it, or answered nonsense.
            DeadlineError: No end within `deadline_s` of working time; the worker was killed.
        """
        self.wait_ready(check)
        self._end_loading(check)
        self._in_hand = f"speaking '{_excerpt(utterance.text)}'"
        self.voice = utterance.voice
        self._send(messages.speak_request(utterance))
        is_answered = False
        deadline = time.monotonic() + deadline_s
        try:
            while (frame := self._receive(deadline, check)).header.get("event") == "audio":
                clip = self._clip(frame)
                waited_since = time.monotonic()
                yield clip
                # The consumer's time, a player's say, is not the engine's.
                deadline += time.monotonic() - waited_since
            is_answered = True
            self._raise_if_failed(frame)
        finally:
            if not is_answered and self.is_alive:
                self._cancel()

    def kill(self) -> None:
        """End the process now and free what it held. Safe to call twice."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()

    def _send(self, frame: Frame) -> None:
        data = memoryview(messages.encode(frame))
        assert self._process.stdin is not None
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except BrokenPipeError:
            raise self._died() from None

    def _raise_if_failed(self, frame: Frame) -> None:
        header = frame.header
        if header.get("event") == "failed":
            raise error_from(str(header.get("code")), str(header.get("message")))
        if header.get("event") != "done":
            self.kill()
            raise EngineError(f"engine '{self.engine}' sent an unknown reply")

    def _clip(self, frame: Frame) -> Clip:
        try:
            return messages.clip_of(frame)
        except ProtocolError as error:
            self.kill()
            raise EngineError(f"engine '{self.engine}': {error}") from error

    def _receive(self, deadline: float, check: Check = lambda: None) -> Frame:
        while not self._frames:
            data = self._read(deadline, check)
            if not data:
                raise self._died()
            try:
                self._frames.extend(filter(_is_answer, self._decoder.feed(data)))
            except ProtocolError as error:
                self.kill()
                raise EngineError(f"engine '{self.engine}': {error}") from error
        return self._frames.pop(0)

    def _read(self, deadline: float, check: Check) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while not poller.poll(max(0.0, min(deadline - time.monotonic(), _CHECK_EVERY_S)) * 1000):
            check()
            if time.monotonic() >= deadline:
                self.kill()
                raise DeadlineError(f"engine '{self.engine}' took too long {self._in_hand}")
        return os.read(descriptor, 1 << 18)

    def _cancel(self) -> None:
        """Have the worker give up the utterance in hand, or kill it where it does not."""
        deadline = time.monotonic() + CANCEL_TIMEOUT_S
        with contextlib.suppress(TtsctlError):
            self._send(messages.cancel_request())
            while self._receive(deadline).header.get("event") == "audio":
                pass

    def _died(self) -> TtsctlError:
        self._process.wait()
        how = how_it_ended(self._process.returncode)
        words = last_words(self._log)
        self.kill()
        return EngineCrashError(
            f"engine '{self.engine}' {how} while {self._in_hand}" + (f" ({words})" if words else "")
        )


def _is_answer(frame: Frame) -> bool:
    """Pass a warning on to the user; everything else answers a request."""
    if frame.header.get("event") != "warning":
        return True
    _logger.warning("%s", frame.header.get("message"))
    return False


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT_CHARS else f"{text[:_EXCERPT_CHARS]}…"

"""The parent's side of the boundary: one engine in one process that may crash, hang or lie.

A worker is used by one request at a time, and at most once after it has died: `Supervisor` makes
the next one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator

from ttsctl.errors import EngineError, TtsctlError, error_from
from ttsctl.speech import Clip, Utterance, Voice
from ttsctl.workers import messages
from ttsctl.workers.messages import Frame, ProtocolError
from ttsctl.workers.process import Check, EngineProcess

START_TIMEOUT_S = 30.0
LOAD_TIMEOUT_S = 120.0
CANCEL_TIMEOUT_S = 1.0  # a worker that has not let go by then is killed
_EXCERPT_CHARS = 40


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
        self._process = EngineProcess(engine, threads)
        self._start_deadline = time.monotonic() + START_TIMEOUT_S
        self.started_at = time.perf_counter()
        self.ready_at: float | None = None
        """When the engine was imported, on the clock of `time.perf_counter`."""
        self.voice: Voice | None = None  # what it has loaded, or is loading
        self._loading: list[tuple[Voice, float]] = []
        """What was asked for and is not answered yet, in order, each with its deadline."""

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive

    @property
    def process_id(self) -> int:
        """The operating system's number for the process."""
        return self._process.process_id

    def wait_ready(self, check: Check = lambda: None) -> None:
        """Wait until the engine is imported; `check` is as in `stream`.

        Raises:
            NotInstalledError: The engine is not there.
            EngineCrashError: The process died on the way.
            DeadlineError: It took over 30 s.
        """
        if self.ready_at is None:
            self._process.in_hand = f"starting engine '{self.engine}'"
            frame = self._process.receive(self._start_deadline, check)
            self._raise_if_failed(frame)
            self.ready_at = messages.ready_at(frame)

    def has_loaded(self, voice: Voice) -> bool:
        """Tell whether `voice` can speak at once."""
        return self.voice == voice and not self._loading

    def begin_load(self, voice: Voice, *, has_trial: bool = False) -> None:
        """Have `voice` made ready while the caller does something else; `load` waits for it.

        With a trial the worker then speaks a word to nobody, for when no text is there yet.
        """
        self._process.send(messages.load_request(voice, has_trial=has_trial))
        self.voice = voice
        self._loading.append((voice, time.monotonic() + LOAD_TIMEOUT_S))

    def load(self, voice: Voice, check: Check = lambda: None) -> None:
        """Make `voice` ready to speak at once; `check` is as in `stream`."""
        self.wait_ready(check)
        if self.voice != voice:
            self.begin_load(voice)
        self._end_loading(check)

    def _end_loading(self, check: Check = lambda: None) -> None:
        while self._loading:
            voice, deadline = self._loading[0]
            self._process.in_hand = f"loading voice '{voice.id}'"
            frame = self._process.receive(deadline, check)
            # Not before: where `check` ends the wait the answer is still to come.
            self._loading.pop(0)
            if not self._loading:  # or whoever wanted that voice does not any more
                self.voice = None
                self._raise_if_failed(frame)
                self.voice = voice

    def voices(self) -> list[Voice]:
        """Return the voices that the engine reports."""
        self.wait_ready()
        self._end_loading()
        self._process.in_hand = "listing its voices"
        self._process.send(messages.voices_request())
        done = self._process.receive(time.monotonic() + START_TIMEOUT_S)
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
        self._process.in_hand = f"speaking '{_excerpt(utterance.text)}'"
        self.voice = utterance.voice
        self._process.send(messages.speak_request(utterance))
        is_answered = False
        deadline = time.monotonic() + deadline_s
        try:
            while (frame := self._process.receive(deadline, check)).header.get("event") == "audio":
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

    def end_process(self) -> None:
        """End the process now, from any thread; whoever uses the worker finds it dead."""
        self._process.end()

    def kill(self) -> None:
        """End the process now and free what it held. Safe to call twice."""
        self._process.kill()

    def _raise_if_failed(self, frame: Frame) -> None:
        header = frame.header
        if header.get("event") == "failed":
            raise error_from(str(header.get("code")), str(header.get("message")))
        if header.get("event") != "done":
            raise self._process.distrust("it sent an unknown reply")

    def _clip(self, frame: Frame) -> Clip:
        try:
            return messages.clip_of(frame)
        except ProtocolError as error:
            raise self._process.distrust(str(error)) from error

    def _cancel(self) -> None:
        """Have the worker give up the utterance in hand, or kill it where it does not."""
        deadline = time.monotonic() + CANCEL_TIMEOUT_S
        with contextlib.suppress(TtsctlError):
            self._process.send(messages.cancel_request())
            while self._process.receive(deadline).header.get("event") == "audio":
                pass


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT_CHARS else f"{text[:_EXCERPT_CHARS]}…"

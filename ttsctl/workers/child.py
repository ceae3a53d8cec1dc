"""The worker's side of the boundary, and the only importer of engines.

The main thread owns the engine and answers requests one after another. A second thread reads the
requests, so that it sees a cancel, or the end of the parent, while the engine is busy.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator

from ttsctl.engines import registry
from ttsctl.engines.base import Engine
from ttsctl.errors import EngineError, TtsctlError
from ttsctl.speech import Utterance, Voice
from ttsctl.workers import messages
from ttsctl.workers.messages import Frame, FrameDecoder


def main(engine_name: str) -> None:
    """Serve one engine until the parent closes the pipe. Runs in the worker."""
    faulthandler.enable()
    requests, replies = _claim_pipes()
    channel = _Channel(requests, replies)
    try:
        engine = registry.create(engine_name)
    except BaseException as error:
        channel.send(_failure(error))
        return
    logging.getLogger("ttsctl").addHandler(_WarningHandler(channel))
    channel.send(messages.ready_reply())
    for request in channel.requests():
        _answer(engine, request, channel)
        if request.header.get("trial") and not channel.is_asked:
            _try_out(engine, Voice(**request.header["voice"]))


def _claim_pipes() -> tuple[int, int]:
    """Take descriptors 0 and 1 for the protocol; what a library prints goes to stderr instead."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return requests, replies


class _WarningHandler(logging.Handler):
    """Passes warnings on to the parent, who can show them."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__(logging.WARNING)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send(messages.warning_reply(record.getMessage()))


class _Channel:
    """The two pipes to the parent."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self._sending = threading.Lock()  # an engine may warn from a thread of its own
        self._queue: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def is_asked(self) -> bool:
        """Whether a request waits."""
        return not self._queue.empty()

    def requests(self) -> Iterator[Frame]:
        while True:
            request = self._queue.get()
            self.cancelled.clear()
            yield request

    def send(self, frame: Frame) -> None:
        data = memoryview(messages.encode(frame))
        try:
            with self._sending:
                while data:
                    data = data[os.write(self._replies, data) :]
        except BrokenPipeError:
            os._exit(0)  # nobody is listening

    def _read(self) -> None:
        decoder = FrameDecoder()
        while data := os.read(self._requests, 1 << 16):
            for frame in decoder.feed(data):
                if frame.header["op"] == "cancel":
                    self.cancelled.set()
                else:
                    self._queue.put(frame)
        # The parent is gone or has let go. Nothing here needs saving, and a busy engine cannot be
        # asked to stop, so the process just ends.
        os._exit(0)


def _answer(engine: Engine, request: Frame, channel: _Channel) -> None:
    try:
        channel.send(_perform(engine, request, channel))
    except BaseException as error:
        # SystemExit too: libraries leave by it where a model is missing.
        channel.send(_failure(error))


def _perform(engine: Engine, request: Frame, channel: _Channel) -> Frame:
    header = request.header
    if header["op"] == "voices":
        return messages.done_reply(engine.voices())
    if header["op"] == "load":
        engine.load(Voice(**header["voice"]))
        return messages.done_reply()
    utterance = messages.utterance_of(header)
    engine.load(utterance.voice)
    for clip in engine.synthesize(utterance):
        if channel.cancelled.is_set():
            break
        channel.send(messages.audio_reply(clip))
    return messages.done_reply()


def _try_out(engine: Engine, voice: Voice) -> None:
    """Speak a word to nobody: the first one takes up to a sixth longer than those that follow."""
    with contextlib.suppress(Exception):  # what is wrong shows with the first text
        for _ in engine.synthesize(Utterance(("a",), voice, voice.language)):
            pass


def _failure(error: BaseException) -> Frame:
    if not isinstance(error, TtsctlError):
        traceback.print_exception(error, file=sys.stderr)
        error = EngineError(f"{type(error).__name__}: {error}")
    return messages.failed_reply(error.code, error.message)

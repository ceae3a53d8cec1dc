"""Playback through miniaudio, which needs no system library.

Synthesis and playback overlap: the caller's thread reads the clips into a queue of a few seconds,
and the device's own thread takes from it. When synthesis falls behind, silence is played.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

import miniaudio

from ttsctl.audio.stream import Stream, stream_of
from ttsctl.errors import OutputError
from ttsctl.speech import SAMPLE_BYTES, Clip

_PERIOD_MS, _PERIODS = 40, 3  # what the device holds: short enough to start and stop at once
_PIECE_MS, _QUEUED_PIECES = 100, 100  # the queue: 10 s, so that a slow sentence is not heard
_STALL_S = 5.0  # a device that takes nothing for so long has gone

_END = b""  # in the queue: no more sound will come

_stderr_lock = threading.Lock()


class Device(Protocol):
    """What plays: a device of miniaudio, or a stand-in for it."""

    def start(self, source: Generator[bytes, int, None]) -> None:
        """Begin to take sound from `source`, which has been started, in a thread of its own."""
        ...


def play(clips: Iterable[Clip], *, backend: str | None = None) -> None:
    """Play `clips` without gaps, as they come; return when the last sample has sounded.

    Whatever ends the reading of `clips`, an error or Ctrl-C, closes the device first.

    Args:
        clips: Sound of one sample rate; taken from in the caller's thread.
        backend: Sound system by miniaudio's name; "null" plays to nowhere, in real time. None takes
            the best there is.

    Raises:
        EngineError: There is no sound in `clips`.
        OutputError: There is no device, or it stopped in the middle.
    """
    stream = stream_of(clips)
    with contextlib.closing(_open_device(stream.sample_rate, backend)) as device:
        play_on(device, stream)


def play_on(device: Device, stream: Stream) -> None:
    """Play `stream` on a device that was opened for its sample rate; `play` has the rest.

    Between two samples of the stream the device is given nothing else, unless it runs out.
    """
    pieces: queue.Queue[bytes] = queue.Queue(_QUEUED_PIECES)
    sounded = threading.Event()
    device_bytes = _PERIODS * _bytes_of(_PERIOD_MS, stream.sample_rate)
    source = frames(pieces, sounded, device_bytes)
    next(source)
    slices = _slices(stream)
    # A device that starts on less than it holds plays silence first, or in the first word.
    pieces.put(_take(slices, device_bytes))
    with _translated_errors():
        device.start(source)
    _feed(slices, pieces)
    if not sounded.wait(_STALL_S + _QUEUED_PIECES * _PIECE_MS / 1000):
        raise OutputError("the sound device stopped in the middle")


def has_output_device() -> bool:
    """Tell whether `play` would find a device, by opening it.

    A list of devices is not enough: ALSA names some that cannot be opened.
    """
    try:
        _open_device(sample_rate=48_000, backend=None).close()
    except OutputError:
        return False
    return True


def frames(
    pieces: queue.Queue[bytes], sounded: threading.Event, tail_bytes: int
) -> Generator[bytes, int, None]:
    """Give a device the sound in `pieces`: send it a number of frames, and it yields as many.

    Runs in the device's thread, so it never waits. What is missing is filled with silence.

    Args:
        pieces: The sound in order, ended by an empty piece.
        sounded: Set once all of it, and the tail, has been given away.
        tail_bytes: Silence after the end: what the device holds, to push the last sound out of it.
    """
    held, is_ended = bytearray(), False
    wanted = yield b""
    while True:
        wanted_bytes = wanted * SAMPLE_BYTES
        while len(held) < wanted_bytes and not is_ended:
            try:
                piece = pieces.get_nowait()
            except queue.Empty:
                break
            is_ended = piece == _END
            held += bytes(tail_bytes) if is_ended else piece
        given = bytes(held[:wanted_bytes])
        del held[:wanted_bytes]
        if is_ended and not held:
            sounded.set()
        wanted = yield given.ljust(wanted_bytes, b"\0")


def _slices(stream: Stream) -> Iterator[bytes]:
    """Cut the stream small, so that the length of the queue is a time."""
    size = _bytes_of(_PIECE_MS, stream.sample_rate)
    for block in stream.blocks:
        for start in range(0, len(block), size):
            yield block[start : start + size]


def _take(slices: Iterator[bytes], least_bytes: int) -> bytes:
    """Return that much sound, or all there is, and leave the rest."""
    taken = bytearray()
    for piece in slices:
        taken += piece
        if len(taken) >= least_bytes:
            break
    return bytes(taken)


def _feed(slices: Iterator[bytes], pieces: queue.Queue[bytes]) -> None:
    """Queue the sound and its end, waiting where the queue is full."""
    try:
        for piece in slices:
            pieces.put(piece, timeout=_STALL_S)
        pieces.put(_END, timeout=_STALL_S)
    except queue.Full:
        raise OutputError("the sound device stopped in the middle") from None


def _bytes_of(duration_ms: int, sample_rate: int) -> int:
    return duration_ms * sample_rate // 1000 * SAMPLE_BYTES


def _open_device(sample_rate: int, backend: str | None) -> miniaudio.PlaybackDevice:
    backends = [miniaudio.Backend[backend.upper()]] if backend else []
    with _translated_errors(), _native_stderr_dropped():
        device = miniaudio.PlaybackDevice(
            nchannels=1,
            sample_rate=sample_rate,
            buffersize_msec=_PERIOD_MS,
            callback_periods=_PERIODS,
            backends=backends,
            app_name="ttsctl",
        )
        # Without any sound system miniaudio falls back to its null device, which nobody hears.
        if device.backend == "Null" and not backends:
            device.close()
            raise miniaudio.MiniaudioError("no sound system")
    return device


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except miniaudio.MiniaudioError as error:
        reason = str(error.args[0])
        raise OutputError(
            f"no sound device can be used ({reason}); write a file instead with -o speech.wav"
        ) from error


@contextlib.contextmanager
def _native_stderr_dropped() -> Iterator[None]:
    """Keep what C libraries print off the terminal; ALSA writes dozens of lines without a device.

    Descriptor 2 belongs to the whole process: another thread that writes an error in these few
    milliseconds loses it. The lock keeps two of us from restoring each other's /dev/null for good.
    """
    with _stderr_lock, open(os.devnull, "wb") as nowhere:
        saved = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)

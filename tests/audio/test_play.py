"""Playback, on a device that plays to nowhere in real time."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.sounds import pcm, tone
from ttsctl.audio.play import frames, play, play_on
from ttsctl.audio.stream import stream_of
from ttsctl.errors import EngineError, OutputError
from ttsctl.speech import Clip


def test_every_clip_is_taken_and_played() -> None:
    clips = iter([tone(0.05), tone(0.3), tone(0.01)])

    play(clips, backend="null")

    assert next(clips, None) is None


def test_clips_are_read_in_the_callers_thread() -> None:
    readers = set()

    def clips() -> Iterator[Clip]:
        readers.add(threading.current_thread())
        yield tone(0.05)

    play(clips(), backend="null")

    assert readers == {threading.current_thread()}


@pytest.mark.parametrize("error", [EngineError("the engine died"), KeyboardInterrupt()])
def test_what_ends_the_clips_reaches_the_caller(error: BaseException) -> None:
    def clips() -> Iterator[Clip]:
        yield tone(0.05)
        raise error

    with pytest.raises(type(error)):
        play(clips(), backend="null")


@pytest.mark.timeout(6)
@pytest.mark.parametrize("duration_s", [60, 8], ids=["while it is queued", "when all is queued"])
def test_ctrl_c_ends_the_playback_at_once(duration_s: float) -> None:
    """The time limit is the assertion: to the end it would take longer."""
    main = threading.main_thread().ident
    assert main is not None
    signaller = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    signaller.start()

    with pytest.raises(KeyboardInterrupt):
        play([tone(duration_s)], backend="null")
    signaller.join()


def test_no_sound_is_an_error() -> None:
    with pytest.raises(EngineError, match="no sound"):
        play([], backend="null")


def test_no_device_is_an_error_that_says_what_to_do() -> None:
    missing = "winmm" if sys.platform != "win32" else "alsa"

    with pytest.raises(OutputError, match="write a file instead"):
        play([tone(0.1)], backend=missing)


def test_looking_for_a_device_prints_nothing_and_gives_stderr_back() -> None:
    program = (
        "import os; from ttsctl.audio.play import has_output_device\n"
        "assert has_output_device() in (True, False); os.write(2, b'after')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"after")


def queued(*pieces: bytes) -> queue.Queue[bytes]:
    waiting: queue.Queue[bytes] = queue.Queue()
    for piece in pieces:
        waiting.put(piece)
    return waiting


@settings(deadline=None)
@given(
    st.lists(pcm(200), max_size=8), st.lists(st.integers(1, 300), min_size=1), st.integers(1, 50)
)
def test_the_device_gets_the_sound_without_gaps_and_then_silence(
    pieces: list[bytes], wishes: list[int], tail_frames: int
) -> None:
    sounded = threading.Event()
    device = frames(queued(*pieces, b""), sounded, 2 * tail_frames)
    next(device)
    expected = b"".join(pieces) + bytes(2 * tail_frames)
    given_away = b""
    for wanted in wishes * (len(expected) // 2 + 1):
        given_away += device.send(wanted)
        assert sounded.is_set() == (len(given_away) >= len(expected))
        if sounded.is_set():
            break

    assert given_away[: len(expected)] == expected
    assert not any(given_away[len(expected) :])


def test_the_device_gets_exactly_as_much_as_it_wants() -> None:
    device = frames(queued(b"1122", b"33", b""), threading.Event(), tail_bytes=2)
    next(device)

    assert [device.send(1), device.send(4), device.send(2)] == [b"11", b"2233\0\0\0\0", bytes(4)]


def test_when_synthesis_falls_behind_silence_is_played_and_nothing_is_lost() -> None:
    waiting, sounded = queued(b"11"), threading.Event()
    device = frames(waiting, sounded, tail_bytes=0)
    next(device)
    early = [device.send(2), device.send(2)]
    waiting.put(b"22")
    waiting.put(b"")

    assert [*early, device.send(1)] == [b"11\0\0", bytes(4), b"22"]
    assert not sounded.is_set()
    device.send(1)
    assert sounded.is_set()


class Recorder:
    """A device that begins to take sound at a signal and remembers what it was given."""

    def __init__(self, begin: threading.Event, wanted_frames: int) -> None:
        self._begin = begin
        self._wanted_frames = wanted_frames
        self.is_closed = False
        self.heard = b""

    def start(self, source: Generator[bytes, int, None]) -> None:
        threading.Thread(target=self._take, args=(source,), daemon=True).start()

    def _take(self, source: Generator[bytes, int, None]) -> None:
        self._begin.wait()
        while not self.is_closed:
            self.heard += source.send(self._wanted_frames)


@settings(max_examples=30)
@given(
    st.lists(st.binary(min_size=1, max_size=4_000), min_size=1, max_size=8),
    st.integers(200, 700),
)
def test_sentences_are_played_without_a_sample_between_them(
    sentences: list[bytes], wanted_frames: int
) -> None:
    """All of the way from clips to the device; the sound is cut into new pieces on it."""
    loud = [sentence.replace(b"\0", b"\1") * 2 for sentence in sentences]
    all_made = threading.Event()

    def speaking() -> Iterator[Clip]:
        for sentence in loud:
            yield Clip(sentence, 16_000)
            yield Clip(b"", 16_000)
        all_made.set()  # every piece is queued now, for the queue holds 10 s

    device = Recorder(all_made, wanted_frames)
    play_on(device, stream_of(speaking()))
    device.is_closed = True

    expected = b"".join(loud)
    assert device.heard[: len(expected)] == expected

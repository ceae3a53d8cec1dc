"""Ogg Opus, by libopusenc and by what takes its place."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.sounds import SAMPLE_RATES, decoded, dominant_hz, tone
from ttsctl.audio import opus
from ttsctl.audio.formats import Encoding
from ttsctl.audio.stream import Stream, stream_of
from ttsctl.errors import OutputError
from ttsctl.speech import Clip

OPUS = Encoding("opus")

Load = Callable[[], ctypes.CDLL | None]


def nothing() -> None:
    """Find no library, as on a machine without libopusenc."""


needs_libopusenc = pytest.mark.skipif(
    opus.load_library() is None, reason="libopusenc is not installed"
)
every_library = pytest.mark.parametrize(
    "load",
    [
        pytest.param(opus.load_library, id="libopusenc", marks=needs_libopusenc),
        pytest.param(nothing, id="libsndfile"),
    ],
)


def encoded(clip: Clip, load: Load = opus.load_library, encoding: Encoding = OPUS) -> bytes:
    return b"".join(opus.encode(stream_of([clip]), encoding, load))


@every_library
@given(sample_rate=st.sampled_from(SAMPLE_RATES), duration_s=st.floats(0.001, 1.0))
@settings(max_examples=25, deadline=None)
def test_the_duration_stays_to_within_a_frame_of_20_ms(
    load: Load, sample_rate: int, duration_s: float
) -> None:
    clip = tone(duration_s, sample_rate)
    samples, found_rate = decoded(encoded(clip, load), "opus", 48_000)

    assert abs(len(samples) / found_rate - clip.duration_s) <= 0.02


@every_library
@pytest.mark.parametrize("sample_rate", SAMPLE_RATES)
def test_sound_of_any_rate_keeps_its_pitch(load: Load, sample_rate: int) -> None:
    samples, found_rate = decoded(encoded(tone(0.5, sample_rate), load), "opus", 48_000)

    assert dominant_hz(samples, found_rate) == pytest.approx(440, abs=4)


@every_library
def test_the_stream_begins_with_the_header_of_rfc_7845(load: Load) -> None:
    file = encoded(tone(0.2), load)
    packet = file[28:]  # after the header of a page that holds one packet: RFC 3533, section 6
    magic, version, channels, _, _, _, family = struct.unpack_from("<8sBBHIhB", packet)

    assert file[:4] == b"OggS"
    assert (magic, version, channels, family) == (b"OpusHead", 1, 1, 0)


@every_library
def test_a_higher_bit_rate_makes_a_larger_file(load: Load) -> None:
    small, large = (
        len(encoded(tone(2.0), load, Encoding("opus", None, bitrate_bps)))
        for bitrate_bps in (16_000, 128_000)
    )

    assert small < large


@needs_libopusenc
def test_the_header_tells_the_rate_of_the_source() -> None:
    (source_rate,) = struct.unpack_from("<I", encoded(tone(0.2, 22_050)), 28 + 12)

    assert source_rate == 22_050


@needs_libopusenc
def test_a_second_of_sound_takes_about_the_bit_rate() -> None:
    size_bytes = len(encoded(tone(10.0)))

    assert size_bytes * 8 / 10 == pytest.approx(32_000, rel=0.2)


@needs_libopusenc
def test_sound_leaves_within_200_ms_of_sound() -> None:
    taken: list[bytes] = []

    def blocks() -> Iterator[bytes]:
        for _ in range(100):
            taken.append(tone(0.02).pcm)
            yield taken[-1]

    leaving = opus.encode(Stream(22_050, blocks()), OPUS)
    head, tags, first_sound = next(leaving), next(leaving), next(leaving)

    assert (head[28:36], tags[28:36]) == (b"OpusHead", b"OpusTags")
    assert len(first_sound) > 100
    assert len(taken) <= 10
    leaving.close()


@needs_libopusenc
def test_a_refusal_of_the_library_is_told_in_its_words() -> None:
    impossible = Stream(0, iter([bytes(2)]))

    with pytest.raises(OutputError, match="cannot encode Opus: invalid argument"):
        list(opus.encode(impossible, OPUS))


@pytest.mark.parametrize("path", ["/usr/bin:/bin", None])
def test_path_is_left_as_it_was(path: str | None) -> None:
    """PyOgg appends to PATH on import, and prints a traceback where there is none."""
    program = (
        "import os\n"
        "from ttsctl.audio.opus import load_library\n"
        "load_library()\n"
        "print(os.environ.get('PATH'))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PATH"}
    if path:
        environment["PATH"] = path
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True
    )

    assert (done.stdout.strip(), done.stderr) == (str(path), "")

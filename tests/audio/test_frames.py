"""Live sound travels in frames of 20 ms, and none that is complete waits for the next."""

from __future__ import annotations

import ctypes
import itertools
import struct
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.sounds import SAMPLE_RATES, cuts, decoded, pcm, pieces, tone
from ttsctl.audio import opus
from ttsctl.audio.encode import encode, encode_live, encode_whole
from ttsctl.audio.formats import FORMATS, Encoding
from ttsctl.audio.frames import frame_bytes, frames
from ttsctl.audio.stream import Stream, stream_of
from ttsctl.errors import EngineError
from ttsctl.speech import SAMPLE_BYTES, Clip

G711 = ("ulaw", "alaw")
LIVE = [
    *(Encoding(name) for name, entry in FORMATS.items() if entry.is_streamable),
    *(Encoding("wav", 16_000), Encoding("pcm", 8_000), Encoding("pcm", 44_100)),
    *(Encoding("ulaw", 16_000), Encoding("opus", None, 6_000), Encoding("opus", None, 256_000)),
]
every_live = pytest.mark.parametrize("encoding", LIVE, ids=lambda each: each.identity)
every_live_but_opus = pytest.mark.parametrize(
    "encoding",
    [each for each in LIVE if each.format != "opus"],
    ids=lambda each: each.identity,
)
every_rate = st.sampled_from(SAMPLE_RATES)

# Blocks as engines make them: of any length, empty, and cut inside a frame.
any_blocks = st.lists(st.one_of(st.just(b""), pcm(1_500)), max_size=8)


def largest_block(encoding: Encoding, clip_rate: int) -> int:
    """Return how many bytes 20 ms take."""
    size_bytes = frame_bytes(encoding.output_rate(clip_rate))
    return size_bytes // SAMPLE_BYTES if encoding.format in G711 else size_bytes


@pytest.mark.parametrize(
    ("sample_rate", "samples"), [(8_000, 160), (11_025, 220), (22_050, 441), (48_000, 960), (1, 1)]
)
def test_a_frame_is_the_whole_samples_of_20_ms(sample_rate: int, samples: int) -> None:
    assert frame_bytes(sample_rate) == samples * SAMPLE_BYTES


@given(blocks=any_blocks, sample_rate=every_rate)
def test_frames_are_the_sound_in_pieces_of_exactly_20_ms(
    blocks: list[bytes], sample_rate: int
) -> None:
    found = list(frames(blocks, sample_rate))

    assert b"".join(found) == b"".join(blocks)
    assert {len(frame) for frame in found[:-1]} <= {frame_bytes(sample_rate)}
    assert all(0 < len(frame) <= frame_bytes(sample_rate) for frame in found[-1:])


@given(blocks=any_blocks, sample_rate=every_rate)
def test_a_frame_that_is_complete_leaves_before_more_is_asked_for(
    blocks: list[bytes], sample_rate: int
) -> None:
    given_bytes = taken_bytes = 0

    def watched() -> Iterator[bytes]:
        nonlocal given_bytes
        for block in blocks:
            assert given_bytes - taken_bytes < frame_bytes(sample_rate)
            given_bytes += len(block)
            yield block
        assert given_bytes - taken_bytes < frame_bytes(sample_rate)

    for frame in frames(watched(), sample_rate):
        taken_bytes += len(frame)

    assert taken_bytes == given_bytes


@every_live
@given(at=cuts(6_000), duration_s=st.floats(0.001, 0.27))
@settings(max_examples=15)
def test_live_sound_has_the_samples_of_a_file(
    encoding: Encoding, at: list[int], duration_s: float
) -> None:
    clip = tone(duration_s)
    sample_rate = encoding.output_rate(clip.sample_rate)
    live = b"".join(encode_live(pieces(clip, at), encoding))
    found, found_rate = decoded(live, encoding.format, sample_rate)
    expected, _ = decoded(encode_whole(clip, encoding), encoding.format, sample_rate)

    assert found.tolist() == expected.tolist()
    assert abs(len(found) / found_rate - clip.duration_s) <= 0.02


@every_live_but_opus
@given(at=cuts(6_000))
@settings(max_examples=10)
def test_live_bytes_are_those_of_the_stream_in_blocks_of_at_most_20_ms(
    encoding: Encoding, at: list[int]
) -> None:
    clip = tone(0.25)
    blocks = list(encode_live(pieces(clip, at), encoding))
    if encoding.format == "wav":
        assert len(blocks[0]) == 44
    sound = blocks[1:] if encoding.format == "wav" else blocks

    assert b"".join(blocks) == b"".join(encode(pieces(clip, at), encoding))
    assert {len(block) for block in sound[:-1]} == {largest_block(encoding, clip.sample_rate)}
    assert 0 < len(sound[-1]) <= largest_block(encoding, clip.sample_rate)


@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_every_frame_of_a_sentence_leaves_before_the_next_sentence_is_made(name: str) -> None:
    sentences = [tone(0.31, 16_000), tone(0.02, 16_000), tone(0.009, 16_000), tone(1.0, 16_000)]
    events: list[str] = []

    def speaking() -> Iterator[Clip]:
        for sentence in sentences:
            events.append(f"made {sentence.duration_s:g}")
            yield sentence

    header_bytes = 44 if name == "wav" else 0
    for block in encode_live(speaking(), Encoding(name)):
        events += ["frame"] if len(block) != header_bytes else []

    made = [place for place, event in enumerate(events) if event != "frame"]
    # 15 and a half, one, none, and then 50 with what was over: 19 ms.
    assert [after - place - 1 for place, after in itertools.pairwise(made)] == [15, 1, 0]
    assert events[made[-1] + 1 :] == ["frame"] * 51


@pytest.mark.parametrize("name", G711)
def test_telephone_sound_leaves_frame_by_frame(name: str) -> None:
    """At 8 kHz nothing is resampled, so that nothing is held back."""
    taken = 0

    def speaking() -> Iterator[Clip]:
        nonlocal taken
        for _ in range(10):
            taken += 1
            yield tone(0.02, 8_000)

    for number, block in enumerate(encode_live(speaking(), Encoding(name)), 1):
        assert (len(block), taken) == (160, number)


@every_live
def test_resampled_sound_flows_too(encoding: Encoding) -> None:
    taken: list[Clip] = []

    def speaking() -> Iterator[Clip]:
        for _ in range(100):
            taken.append(tone(0.1, 24_000))
            yield taken[-1]

    leaving = encode_live(speaking(), encoding)
    received = b""
    while len(received) < 400:
        received += next(leaving)

    assert sum(clip.duration_s for clip in taken) <= 0.3
    leaving.close()


@every_live
def test_no_sound_makes_an_error_and_not_a_header(encoding: Encoding) -> None:
    with pytest.raises(EngineError, match="no sound"):
        next(encode_live([Clip(b"", 22_050)], encoding))


@every_live
def test_a_live_stream_may_be_left_unread(encoding: Encoding) -> None:
    for _ in range(20):
        leaving = encode_live((tone(0.5) for _ in range(3)), encoding)
        next(leaving)
        leaving.close()


def test_ten_minutes_of_sound_are_cut_in_well_under_a_second() -> None:
    clip = Clip(bytes(600 * 24_000 * SAMPLE_BYTES), 24_000)
    started_s = time.process_time()
    count = sum(1 for _ in encode_live([clip], Encoding("pcm")))

    assert count == 600 * 50
    assert time.process_time() - started_s < 0.5


def nothing() -> None:
    """Find no library, as on a machine without libopusenc."""


Load = Callable[[], ctypes.CDLL | None]
needs_libopusenc = pytest.mark.skipif(
    opus.load_library() is None, reason="libopusenc is not installed"
)
every_library = pytest.mark.parametrize(
    ("load", "page_s", "first_page_s"),
    [
        pytest.param(opus.load_library, 0.02, 0.04, id="libopusenc", marks=needs_libopusenc),
        pytest.param(nothing, 0.06, 0.2, id="libsndfile"),
    ],
)


def granule_positions(ogg: bytes) -> list[int]:
    """Return where each page with sound ends, in samples at 48 kHz (RFC 3533, section 6)."""
    positions, start, number = [], 0, 0
    while start < len(ogg):
        assert ogg[start : start + 4] == b"OggS"
        (position,) = struct.unpack_from("<q", ogg, start + 6)
        segments = ogg[start + 26]
        start += 27 + segments + sum(ogg[start + 27 : start + 27 + segments])
        if number >= 2:  # the first two pages are headers
            positions.append(position)
        number += 1
    return positions


@every_library
@pytest.mark.parametrize("sample_rate", SAMPLE_RATES)
def test_pages_of_live_opus_are_short(
    load: Load, page_s: float, first_page_s: float, sample_rate: int
) -> None:
    live = b"".join(opus.encode_live(stream_of([tone(1.03, sample_rate)]), Encoding("opus"), load))
    positions = granule_positions(live)

    steps = [after - before for before, after in itertools.pairwise([0, *positions])]
    assert max(steps) <= page_s * 48_000
    assert positions[-1] >= 1.03 * 48_000 - 1


@every_library
def test_the_first_page_of_live_opus_leaves_at_once(
    load: Load, page_s: float, first_page_s: float
) -> None:
    taken_s = 0.0

    def blocks() -> Iterator[bytes]:
        nonlocal taken_s
        for frame in frames([tone(2.0).pcm], 22_050):
            taken_s += len(frame) / SAMPLE_BYTES / 22_050
            yield frame

    leaving = opus.encode_live(Stream(22_050, blocks()), Encoding("opus"), load)
    received = b""
    while not any(granule_positions(received)):
        received += next(leaving)

    assert taken_s <= first_page_s + 1e-6
    leaving.close()


@every_library
def test_pages_of_an_opus_file_stay_long(load: Load, page_s: float, first_page_s: float) -> None:
    clip = tone(2.0)
    file = b"".join(opus.encode(stream_of([clip]), Encoding("opus"), load))
    live = b"".join(opus.encode_live(stream_of([clip]), Encoding("opus"), load))

    assert len(granule_positions(file)) <= 21
    assert len(file) < len(live)


@every_library
def test_live_opus_decodes_to_the_samples_of_the_file(
    load: Load, page_s: float, first_page_s: float
) -> None:
    clip = tone(0.73)
    file, live = (
        b"".join(encoder(stream_of([clip]), Encoding("opus"), load))
        for encoder in (opus.encode, opus.encode_live)
    )

    assert decoded(live, "opus", 48_000)[0].tolist() == decoded(file, "opus", 48_000)[0].tolist()

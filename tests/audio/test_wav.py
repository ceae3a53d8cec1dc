"""WAV files: byte by byte, and as other programs read them."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import miniaudio
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.sounds import pcm, samples_of, tone
from ttsctl.audio.encode import encode, encode_whole, head_of_file
from ttsctl.audio.formats import Encoding
from ttsctl.audio.wav import ENDLESS_DATA_BYTES, MAX_DATA_BYTES, header, read_wav, read_wav_clips
from ttsctl.errors import OutputError
from ttsctl.speech import Clip, join

WAV = Encoding("wav")


@settings(deadline=None)
@given(pcm(), st.integers(8_000, 192_000))
def test_a_clip_comes_back_from_its_file_exactly(samples: bytes, sample_rate: int) -> None:
    clip = Clip(samples, sample_rate)

    assert read_wav(encode_whole(clip, WAV)) == clip


def test_the_header_is_the_canonical_one() -> None:
    """Read here by hand: the wave module would forgive a wrong size."""
    file = encode_whole(Clip(b"\x01\x02\x03\x04", 22_050), WAV)

    assert file[:4] == b"RIFF"
    assert struct.unpack("<I", file[4:8]) == (len(file) - 8,)
    assert file[8:16] == b"WAVEfmt "
    assert struct.unpack("<IHHIIHH", file[16:36]) == (16, 1, 1, 22_050, 44_100, 2, 16)
    assert file[36:40] == b"data"
    assert struct.unpack("<I", file[40:44]) == (4,)
    assert file[44:] == b"\x01\x02\x03\x04"


def test_a_streamed_file_leaves_its_length_open() -> None:
    clip = tone(0.1)
    file = b"".join(encode([clip], WAV))

    assert file == header(ENDLESS_DATA_BYTES, clip.sample_rate) + clip.pcm


def test_python_reads_a_streamed_file_to_its_end() -> None:
    clip = tone(0.5)
    with wave.open(io.BytesIO(b"".join(encode([clip], WAV)))) as file:
        frames = file.readframes(file.getnframes())

    assert frames == clip.pcm


def test_libsndfile_reads_a_streamed_file_to_its_end() -> None:
    clip = tone(0.5)
    samples, _ = soundfile.read(io.BytesIO(b"".join(encode([clip], WAV))), dtype="int16")

    assert samples.tolist() == samples_of(clip).tolist()


def test_miniaudio_reads_a_streamed_file_to_its_end() -> None:
    clip = tone(0.5)
    read = miniaudio.decode(b"".join(encode([clip], WAV)), nchannels=1, sample_rate=22_050)

    assert read.samples.tobytes() == clip.pcm


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("source", ["file", "pipe"])
def test_ffmpeg_reads_a_streamed_file_to_its_end(source: str, tmp_path: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-i", "{}", "-f", "s16le", "-"]

    assert _read_by(command, source, tmp_path) == (tone(0.5).pcm, b"")


@pytest.mark.skipif(not shutil.which("sox"), reason="sox is not installed")
@pytest.mark.parametrize("source", ["file", "pipe"])
def test_sox_reads_a_streamed_file_to_its_end_without_a_warning(
    source: str, tmp_path: Path
) -> None:
    command = ["sox", "-t", "wav", "{}", "-t", "raw", "-"]

    assert _read_by(command, source, tmp_path) == (tone(0.5).pcm, b"")


def _read_by(command: list[str], source: str, folder: Path) -> tuple[bytes, bytes]:
    """Return what the program printed of a streamed file, on stdout and on stderr."""
    path = folder / "streamed.wav"
    path.write_bytes(b"".join(encode([tone(0.5)], WAV)))
    name = str(path) if source == "file" else "-"
    command = [part.format(name) for part in command]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True)
    return done.stdout, done.stderr


def test_a_streamed_file_becomes_a_whole_one_by_its_head() -> None:
    """So a file of any length is written without holding it in memory."""
    clip = tone(0.5)
    first, *rest = encode([clip], WAV)
    mend = head_of_file(WAV)

    assert mend is not None
    size_bytes = len(first) + sum(map(len, rest))
    assert b"".join([mend(first, size_bytes), *rest]) == encode_whole(clip, WAV)


def test_more_than_32_bits_can_say_is_refused() -> None:
    assert len(header(MAX_DATA_BYTES, 22_050)) == 44
    with pytest.raises(OutputError, match="at most 4 GiB"):
        header(MAX_DATA_BYTES + 1, 22_050)


def _written(channels: int, sample_bytes: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_bytes)
        file.setframerate(22_050)
        file.writeframes(bytes(12))
    return buffer.getvalue()


def test_a_file_that_python_wrote_is_read() -> None:
    assert read_wav(_written(channels=1, sample_bytes=2)) == Clip(bytes(12), 22_050)


GOOD = encode_whole(Clip(bytes(range(100)), 22_050), WAV)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(GOOD[:20], id="half a header"),
        pytest.param(GOOD[:-1], id="half a sample lost"),
        pytest.param(GOOD[:-2], id="a sample lost"),
        pytest.param(GOOD + b"\0\0", id="a sample too many"),
        pytest.param(b"RIFX" + GOOD[4:], id="not RIFF"),
        pytest.param(GOOD[:24] + b"\x57" + GOOD[25:], id="rates that disagree"),
        pytest.param(header(0, 0), id="no sample rate"),
        pytest.param(header(ENDLESS_DATA_BYTES, 22_050) + bytes(12), id="streamed"),
        pytest.param(_written(channels=2, sample_bytes=2), id="stereo"),
        pytest.param(_written(channels=1, sample_bytes=1), id="8 bits"),
        pytest.param(_written(channels=1, sample_bytes=4), id="32 bits"),
    ],
)
def test_anything_but_a_whole_file_of_ours_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        read_wav(damaged)


@settings(deadline=None)
@given(pcm(), st.sampled_from([1, 8_000, 22_050]), st.floats(0, 0.1))
def test_a_file_read_in_pieces_is_the_clip(
    tmp_path_factory: pytest.TempPathFactory, samples: bytes, sample_rate: int, chunk_s: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.wav"
    path.write_bytes(encode_whole(Clip(samples, sample_rate), WAV))
    found = list(read_wav_clips(path, chunk_s))
    frames = max(1, int(chunk_s * sample_rate))

    assert join(found) == Clip(samples, sample_rate)
    assert {clip.frames for clip in found[:-1]} <= {frames}
    assert 0 < found[-1].frames <= frames


def test_a_file_of_several_seconds_is_read_second_by_second(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(encode_whole(tone(2.5), WAV))

    assert [clip.duration_s for clip in read_wav_clips(path)] == [1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(GOOD[:20], id="half a header"),
        pytest.param(GOOD[:-1], id="half a sample lost"),
        pytest.param(GOOD[:-2], id="a sample lost"),
        pytest.param(header(ENDLESS_DATA_BYTES, 22_050) + bytes(12), id="streamed"),
    ],
)
def test_a_damaged_file_is_not_read_in_pieces_either(damaged: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.wav"
    path.write_bytes(damaged)

    with pytest.raises(OutputError, match=r"cannot read .*damaged\.wav: not a"):
        next(read_wav_clips(path))


def test_a_file_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot read .*missing\.wav: no such file"):
        next(read_wav_clips(tmp_path / "missing.wav"))


def test_a_file_that_is_cut_while_it_is_read_is_an_output_error(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(encode_whole(tone(20.0), WAV))
    reading = read_wav_clips(path)
    next(reading)
    with path.open("r+b") as file:
        file.truncate(100_000)

    with pytest.raises(OutputError, match="became shorter"):
        list(reading)

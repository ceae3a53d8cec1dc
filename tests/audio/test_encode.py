"""What every format promises, tested once for each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio.sounds import cuts, decoded, dominant_hz, level, pieces, samples_of, tone
from ttsctl.audio.encode import encode, encode_whole
from ttsctl.audio.formats import FORMATS, Encoding
from ttsctl.errors import EngineError
from ttsctl.speech import Clip

ENCODINGS = [
    *(Encoding(name) for name in FORMATS),
    *(Encoding("wav", 16_000), Encoding("flac", 48_000), Encoding("pcm", 8_000)),
    *(Encoding("ulaw", 16_000), Encoding("mp3", 32_000, 64_000), Encoding("mp3", 48_000, 320_000)),
    *(Encoding("opus", None, 6_000), Encoding("opus", None, 256_000)),
]
STREAMABLE = [encoding for encoding in ENCODINGS if encoding.is_streamable]

every_encoding = pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda each: each.identity)
every_streamable = pytest.mark.parametrize("encoding", STREAMABLE, ids=lambda each: each.identity)


@every_encoding
@pytest.mark.parametrize("voice_rate", [16_000, 22_050, 24_000])
def test_a_file_sounds_like_its_clip(encoding: Encoding, voice_rate: int) -> None:
    clip = tone(1.0, voice_rate)
    file = encode_whole(clip, encoding)
    samples, sample_rate = decoded(file, encoding.format, encoding.output_rate(voice_rate))

    assert len(samples) / sample_rate == pytest.approx(clip.duration_s, abs=0.02)
    assert dominant_hz(samples, sample_rate) == pytest.approx(440, abs=2)
    assert level(samples) == pytest.approx(level(samples_of(clip)), rel=0.1)


@every_encoding
def test_a_file_has_the_sample_rate_that_was_promised(encoding: Encoding) -> None:
    file = encode_whole(tone(0.2), encoding)
    _, sample_rate = decoded(file, encoding.format, encoding.output_rate(22_050))

    # libsndfile tells of an Opus file which rate of the codec its source fits into.
    expected = 24_000 if encoding.format == "opus" else encoding.output_rate(22_050)
    assert sample_rate == expected


@pytest.mark.parametrize("name", ["wav", "flac", "pcm"])
def test_a_lossless_format_keeps_every_sample(name: str) -> None:
    clip = tone(0.5)
    samples, _ = decoded(encode_whole(clip, Encoding(name)), name, clip.sample_rate)

    assert samples.tobytes() == clip.pcm


@pytest.mark.parametrize("name", ["ulaw", "alaw"])
def test_telephone_sound_follows_its_source_closely(name: str) -> None:
    clip = tone(0.5, sample_rate=8_000)
    samples, _ = decoded(encode_whole(clip, Encoding(name)), name, 8_000)

    assert len(samples) == clip.frames
    assert np.corrcoef(samples, samples_of(clip))[0, 1] > 0.999


@every_streamable
@given(at=cuts(6_000), duration_s=st.floats(0.001, 0.27))
@settings(max_examples=15, deadline=None)
def test_streamed_and_whole_sound_are_the_same_samples(
    encoding: Encoding, at: list[int], duration_s: float
) -> None:
    clip = tone(duration_s)
    sample_rate = encoding.output_rate(clip.sample_rate)
    streamed = b"".join(encode(pieces(clip, at), encoding))
    found, _ = decoded(streamed, encoding.format, sample_rate)
    expected, _ = decoded(encode_whole(clip, encoding), encoding.format, sample_rate)

    assert found.tolist() == expected.tolist()


@every_encoding
def test_unstreamable_formats_too_can_be_encoded_from_pieces(encoding: Encoding) -> None:
    clip = tone(0.3)
    file = b"".join(encode(pieces(clip, [100, 4_000]), encoding))
    samples, sample_rate = decoded(file, encoding.format, encoding.output_rate(22_050))

    assert len(samples) / sample_rate == pytest.approx(clip.duration_s, abs=0.02)


@every_encoding
@pytest.mark.parametrize("clips", [[], [Clip(b"", 22_050)]], ids=["no clip", "an empty clip"])
def test_no_sound_makes_an_error_and_not_a_header(encoding: Encoding, clips: list[Clip]) -> None:
    with pytest.raises(EngineError, match="no sound"):
        next(encode(clips, encoding))


@every_encoding
def test_an_error_of_the_engine_passes_through(encoding: Encoding) -> None:
    def failing() -> Iterator[Clip]:
        yield tone(0.1)
        raise EngineError("the engine died")

    with pytest.raises(EngineError, match="the engine died"):
        list(encode(failing(), encoding))


@every_encoding
def test_clips_of_two_sample_rates_are_refused(encoding: Encoding) -> None:
    with pytest.raises(ValueError, match="16000 Hz cannot follow one at 22050 Hz"):
        list(encode([tone(0.1, 22_050), tone(0.1, 16_000)], encoding))


@every_streamable
def test_sound_leaves_while_the_engine_still_speaks(encoding: Encoding) -> None:
    taken: list[Clip] = []

    def speaking() -> Iterator[Clip]:
        for _ in range(100):
            taken.append(tone(0.1))
            yield taken[-1]

    leaving = encode(speaking(), encoding)
    received = b""
    while len(received) < 400:  # any header, and the first of the sound
        received += next(leaving)

    assert sum(clip.duration_s for clip in taken) <= 0.5
    leaving.close()


@every_encoding
def test_a_stream_may_be_left_unread(encoding: Encoding) -> None:
    for _ in range(20):
        leaving = encode((tone(0.5) for _ in range(3)), encoding)
        next(leaving)
        leaving.close()

    assert encode_whole(tone(0.1), encoding)


def test_a_wav_file_at_the_voices_own_rate_costs_no_heavy_import() -> None:
    program = (
        "import sys\n"
        "from ttsctl.audio.encode import encode_whole\n"
        "from ttsctl.audio.formats import Encoding\n"
        "from ttsctl.speech import Clip\n"
        "encode_whole(Clip(b'12', 22050), Encoding('wav'))\n"
        "print(*sys.modules)\n"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout

    assert {b"numpy", b"soundfile", b"soxr", b"pyogg", b"wave"}.isdisjoint(loaded.split())


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
@pytest.mark.parametrize("name", ["wav", "opus", "mp3", "flac"])
def test_ffprobe_sees_the_format_the_rate_and_the_duration(name: str, tmp_path: Path) -> None:
    encoding = Encoding(name)
    path = tmp_path / f"tone{encoding.suffix}"
    path.write_bytes(encode_whole(tone(2.0), encoding))
    found = _probed(path)

    codecs = {"wav": "pcm_s16le", "opus": "opus", "mp3": "mp3", "flac": "flac"}
    assert found["codec_name"] == codecs[name]
    assert found["channels"] == 1
    assert int(found["sample_rate"]) == encoding.output_rate(22_050)
    # An MP3 is a whole number of frames; how much of them is sound, a tag tells the decoder.
    assert float(found["duration"]) == pytest.approx(2.0, abs=0.06 if name == "mp3" else 0.02)


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
@pytest.mark.parametrize("bitrate_bps", [64_000, 128_000, 320_000])
def test_an_mp3_has_the_bit_rate_asked_for(bitrate_bps: int, tmp_path: Path) -> None:
    path = tmp_path / "tone.mp3"
    path.write_bytes(encode_whole(tone(2.0), Encoding("mp3", None, bitrate_bps)))

    assert int(_probed(path)["bit_rate"]) == bitrate_bps


def _probed(path: Path) -> dict[str, str | int]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    (stream,) = json.loads(shown)["streams"]
    return dict(stream)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", FORMATS)
def test_ffmpeg_hears_the_tone(name: str, tmp_path: Path) -> None:
    encoding = Encoding(name)
    path = tmp_path / f"tone{encoding.suffix}"
    path.write_bytes(encode_whole(tone(1.0), encoding))
    raw = {"pcm": ["-f", "s16le"], "ulaw": ["-f", "mulaw"], "alaw": ["-f", "alaw"]}
    given = [*raw[name], "-ar", str(encoding.output_rate(22_050))] if name in raw else []
    command = ["ffmpeg", "-v", "error", *given, "-i", str(path), "-ar", "16000", "-f", "s16le", "-"]
    heard = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.frombuffer(heard, "<i2")

    assert len(samples) / 16_000 == pytest.approx(1.0, abs=0.02)
    assert dominant_hz(samples, 16_000) == pytest.approx(440, abs=2)

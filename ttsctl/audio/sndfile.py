"""What libsndfile writes: MP3, FLAC, G.711, and Ogg Opus where libopusenc is missing."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import soundfile

from ttsctl.audio.formats import Encoding
from ttsctl.audio.resample import resample
from ttsctl.audio.stream import Stream
from ttsctl.errors import OutputError

# libsndfile has no bit rates but a level of compression in [0, 1], which it maps onto them by a
# straight line from the greatest rate to the least: these are the ends of the lines.
_MP3_BITRATES_BPS = 320_000, 32_000
_OPUS_BITRATES_BPS = 256_000, 6_000

_SET_PAGE_LATENCY_MS = 0x1302  # SFC_SET_OGG_PAGE_LATENCY_MS of sndfile.h
_SHORTEST_PAGE_MS = 50.0  # it takes less for as much


def encode_mp3(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield a whole MP3 file (MPEG-1 layer III, mono) at the nearest constant bit rate.

    Nearest of 64, 80, 96, 112, 128, 160, 192, 224, 256 and 320 kbit/s.
    """
    return _encode(
        stream,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_compression_level(encoding, _MP3_BITRATES_BPS),
        bitrate_mode="CONSTANT",
    )


def encode_flac(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield a whole FLAC file with the samples unchanged."""
    return _encode(stream, format="FLAC", subtype="PCM_16")


def encode_ulaw(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield one byte a sample, mu-law (ITU-T G.711), without a header."""
    return _encode(stream, is_draining=True, format="RAW", subtype="ULAW")


def encode_alaw(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield one byte a sample, A-law (ITU-T G.711), without a header."""
    return _encode(stream, is_draining=True, format="RAW", subtype="ALAW")


def encode_opus(stream: Stream, encoding: Encoding, title: str = "") -> Iterator[bytes]:
    """Yield Ogg Opus from sound of any sample rate; five times slower than libopusenc.

    The title is the only tag of use that libsndfile can write: it has no names of our own, so that
    chapters are lost.
    """
    return _encode_opus(stream, encoding, title=title)


def encode_opus_live(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield Ogg Opus in the shortest pages that libsndfile makes: 60 ms, for it asks for over 50.

    Where soundfile has come to hide the setting they are those of `encode_opus`: a second.
    """
    return _encode_opus(stream, encoding, page_ms=_SHORTEST_PAGE_MS)


def _encode_opus(stream: Stream, encoding: Encoding, **extras: Any) -> Iterator[bytes]:
    sample_rate = encoding.output_rate(stream.sample_rate)
    if stream.sample_rate != sample_rate:
        stream = resample(stream, sample_rate)
    return _encode(
        stream,
        is_draining=True,
        format="OGG",
        subtype="OPUS",
        compression_level=_compression_level(encoding, _OPUS_BITRATES_BPS),
        **extras,
    )


def _compression_level(encoding: Encoding, bitrates_bps: tuple[int, int]) -> float:
    greatest, least = bitrates_bps
    bitrate_bps = encoding.effective_bitrate_bps or greatest
    return (greatest - bitrate_bps) / (greatest - least)


def _encode(
    stream: Stream,
    *,
    is_draining: bool = False,
    page_ms: float | None = None,
    title: str = "",
    **parameters: Any,
) -> Iterator[bytes]:
    """Yield what libsndfile writes.

    Draining gives the bytes away between the blocks; it is for formats that are written from
    front to back. The others go back to their header at the end.
    """
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(
            buffer, "w", samplerate=stream.sample_rate, channels=1, **parameters
        ) as file:
            if page_ms is not None:
                _set_page_length(file, page_ms)
            if title:
                file.title = title
            for block in stream.blocks:
                file.buffer_write(block, dtype="int16")
                if is_draining and (ready := _drained(buffer)):
                    yield ready
    except soundfile.LibsndfileError as error:
        raise OutputError(f"cannot encode {parameters['subtype']}: {error}") from error
    if rest := buffer.getvalue():
        yield rest


def _set_page_length(file: soundfile.SoundFile, page_ms: float) -> None:
    """Set it by the C interface: soundfile has no method for it, and may do without these names."""
    with contextlib.suppress(AttributeError):
        value = soundfile._ffi.new("double *", page_ms)
        soundfile._snd.sf_command(
            file._file, _SET_PAGE_LATENCY_MS, value, soundfile._ffi.sizeof("double")
        )


def _drained(buffer: io.BytesIO) -> bytes:
    """Take all that was written out of `buffer`."""
    ready = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return ready

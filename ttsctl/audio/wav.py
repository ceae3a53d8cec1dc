"""WAV files of PCM16 mono, written and read with the standard library alone.

The header is the canonical one of 44 bytes: RIFF, a `fmt ` chunk of 16 bytes, `data` (Microsoft and
IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ttsctl.audio.formats import Encoding
from ttsctl.audio.stream import Stream
from ttsctl.errors import OutputError
from ttsctl.files import reason
from ttsctl.speech import SAMPLE_BYTES, Clip

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SAMPLE_RATE_FIELD = 7
_RIFF_OVERHEAD = _HEADER.size - 8  # what the RIFF chunk holds besides the samples
_PCM, _MONO = 1, 1

MAX_DATA_BYTES = 0xFFFF_FFFF - _RIFF_OVERHEAD - 1  # even, and the RIFF size still fits 32 bits

# A stream cannot know its length. Readers take a size that is too large to mean "up to the end",
# and a size of 0 to mean "nothing": Python's wave, libsndfile and sox return no sound at all. Among
# large ones this is the size that sox writes into a pipe, and the only one on which no reader
# (wave, libsndfile, ffmpeg, sox, miniaudio) is mistaken and sox does not warn of a premature end.
ENDLESS_DATA_BYTES = 0x7FFF_F000


def header(data_bytes: int, sample_rate: int) -> bytes:
    """Return the 44 bytes that go before `data_bytes` bytes of samples.

    Raises:
        OutputError: That is more than the 32-bit sizes of a WAV file can say.
    """
    if data_bytes > MAX_DATA_BYTES:
        raise OutputError("a WAV file holds at most 4 GiB; write flac or opus instead")
    return _HEADER.pack(*_fields(data_bytes, sample_rate))


def _fields(data_bytes: int, sample_rate: int) -> tuple[bytes | int, ...]:
    return (
        *(b"RIFF", data_bytes + _RIFF_OVERHEAD, b"WAVE"),
        *(b"fmt ", 16, _PCM, _MONO, sample_rate),
        *(sample_rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES),  # a second, a frame, bits
        *(b"data", data_bytes),
    )


def encode(stream: Stream, encoding: Encoding) -> Iterator[bytes]:
    """Yield a header that leaves the length open, then the samples as they come."""
    yield header(ENDLESS_DATA_BYTES, stream.sample_rate)
    yield from stream.blocks


def closed_header(endless: bytes, file_bytes: int) -> bytes:
    """Return the header for a file that began with `endless` and became `file_bytes` long.

    Raises:
        OutputError: The sound is longer than a WAV file can be.
    """
    sample_rate = int(_HEADER.unpack(endless)[_SAMPLE_RATE_FIELD])
    return header(file_bytes - _HEADER.size, sample_rate)


def read_wav(wav: bytes) -> Clip:
    """Return the clip in a file that `encode_whole` wrote; the inverse of it, exactly.

    Anything else is refused, so that a cached file that was cut short or altered in its header
    is never spoken: other chunks, channels, sample widths, or sizes that do not match the length.

    Raises:
        ValueError: The bytes are not such a file.
    """
    return Clip(wav[_HEADER.size :], _sample_rate_of(wav[: _HEADER.size], len(wav)))


def read_wav_clips(path: Path, chunk_s: float = 1.0) -> Iterator[Clip]:
    """Yield the sound of a file that `encode_whole` or `write_whole` wrote, without holding it all.

    The clips join to what `read_wav` returns of the file; only the last is shorter than the others.
    The file is opened when the first is asked for, and closed with the generator.

    Args:
        path: The file. It should not change meanwhile; that it became shorter is noticed.
        chunk_s: Length of a clip in seconds, rounded down to whole samples, at least one.

    Raises:
        OutputError: The file cannot be read, or `read_wav` would refuse it: it is a result of an
            earlier step, which has to be made again.
    """
    try:
        with path.open("rb") as file:
            yield from _clips(file, chunk_s)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {reason(error)}") from error
    except ValueError as error:
        raise OutputError(f"cannot read {path}: {error}") from error


def _clips(file: IO[bytes], chunk_s: float) -> Iterator[Clip]:
    file_bytes = os.fstat(file.fileno()).st_size
    sample_rate = _sample_rate_of(file.read(_HEADER.size), file_bytes)
    chunk_bytes = max(1, int(chunk_s * sample_rate)) * SAMPLE_BYTES
    for start in range(_HEADER.size, file_bytes, chunk_bytes):
        wanted_bytes = min(chunk_bytes, file_bytes - start)
        pcm = file.read(wanted_bytes)
        if len(pcm) < wanted_bytes:
            raise ValueError("it became shorter while it was read")
        yield Clip(pcm, sample_rate)


def _sample_rate_of(head: bytes, file_bytes: int) -> int:
    """Return what the first 44 bytes of a file tell, or raise ValueError where they are wrong."""
    data_bytes = file_bytes - _HEADER.size
    if len(head) < _HEADER.size or data_bytes % SAMPLE_BYTES:
        raise ValueError("not a whole WAV file")
    found = _HEADER.unpack(head)
    sample_rate = int(found[_SAMPLE_RATE_FIELD])
    if sample_rate == 0 or found != _fields(data_bytes, sample_rate):
        raise ValueError("not a WAV file of PCM16 mono with a canonical header")
    return sample_rate

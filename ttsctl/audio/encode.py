"""Sound to the bytes of a file or of a stream, in any of the formats.

The encoders are imported by name when they are first needed: numpy and the codecs take longer to
load than many a sentence takes to speak, and a WAV file needs none of them.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from ttsctl.audio.formats import FORMATS, Encoding
from ttsctl.audio.frames import frames
from ttsctl.audio.stream import Stream, stream_of
from ttsctl.files import Head
from ttsctl.speech import Clip

Encoder = Callable[[Stream, Encoding], Iterator[bytes]]

_ENCODERS = {
    "wav": "ttsctl.audio.wav:encode",
    "opus": "ttsctl.audio.opus:encode",
    "mp3": "ttsctl.audio.sndfile:encode_mp3",
    "flac": "ttsctl.audio.sndfile:encode_flac",
    "pcm": "ttsctl.audio.pcm:encode",
    "ulaw": "ttsctl.audio.sndfile:encode_ulaw",
    "alaw": "ttsctl.audio.sndfile:encode_alaw",
}

# Of the others, a live stream is the file, sooner.
_LIVE_ENCODERS = _ENCODERS | {"opus": "ttsctl.audio.opus:encode_live"}

# Only of WAV does a file look different from a stream: its header says how long it is.
_HEADS = {"wav": "ttsctl.audio.wav:closed_header"}


def encode(clips: Iterable[Clip], encoding: Encoding) -> Generator[bytes, None, None]:
    """Yield `clips` as `encoding` has them, each byte as soon as the format allows.

    Clips are taken one by one as bytes are asked for. Formats that cannot be streamed give all
    their bytes at the end. The samples are those of `encode_whole`, however the sound is cut.
    Closing the generator early frees the encoder.

    Raises:
        EngineError: There is no sound in `clips`; nothing was yielded then.
        OutputError: The encoder failed.
        ValueError: The clips differ in sample rate.
    """
    stream = _at_output_rate(stream_of(clips), encoding)
    encoder: Encoder = _load(_ENCODERS[encoding.format])
    yield from encoder(stream, encoding)


def encode_live(clips: Iterable[Clip], encoding: Encoding) -> Generator[bytes, None, None]:
    """Yield `clips` in frames of 20 ms, each as soon as it exists, for somebody who listens.

    A block holds at most one frame; the header of a WAV stream is a block of its own. One of Opus
    is a page with one packet; where libsndfile stands in for libopusenc, with three. The decoded
    samples are those of `encode`. The bytes are too, but for Opus: its file should be of `encode`,
    whose longer pages make it a fifth smaller.

    Raises:
        EngineError: There is no sound in `clips`; nothing was yielded then.
        OutputError: The encoder failed.
        ValueError: The clips differ in sample rate.
    """
    stream = _at_output_rate(stream_of(clips), encoding)
    framed = Stream(stream.sample_rate, frames(stream.blocks, stream.sample_rate))
    encoder: Encoder = _load(_LIVE_ENCODERS[encoding.format])
    yield from encoder(framed, encoding)


def at_rate(first: Clip, rest: Iterable[Clip], sample_rate: int) -> Iterator[Clip]:
    """Yield the sound of `first` and of `rest`, which share a sample rate, at another one."""
    resample = _load("ttsctl.audio.resample:resample")
    dropped = 0

    def counted() -> Iterator[Clip]:
        nonlocal dropped
        for clip in itertools.chain([first], rest):
            dropped += clip.dropped
            yield clip

    for block in resample(stream_of(counted()), sample_rate).blocks:
        yield Clip(block, sample_rate, dropped)
        dropped = 0


def encode_whole(clip: Clip, encoding: Encoding) -> bytes:
    """Return the file that holds `clip`; its header tells the true length.

    Raises:
        EngineError: The clip is empty.
        OutputError: The encoder failed, or the format cannot hold that much.
    """
    blocks = list(encode([clip], encoding))
    if head := head_of_file(encoding):
        blocks[0] = head(blocks[0], sum(map(len, blocks)))
    return b"".join(blocks)


def head_of_file(encoding: Encoding) -> Head | None:
    """Return what mends the first block of `encode`, once the size of the file is known.

    None where a file is no different from a stream. The function raises OutputError where the
    format cannot hold that much.
    """
    head: Head | None = _load(_HEADS[encoding.format]) if encoding.format in _HEADS else None
    return head


def _at_output_rate(stream: Stream, encoding: Encoding) -> Stream:
    sample_rate = encoding.output_rate(stream.sample_rate)
    if stream.sample_rate == sample_rate or FORMATS[encoding.format].is_resampling:
        return stream
    resampled: Stream = _load("ttsctl.audio.resample:resample")(stream, sample_rate)
    return resampled


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)

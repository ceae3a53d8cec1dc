"""A cache entry as bytes that prove themselves.

    bytes 0-3    magic and version
    bytes 4-35   SHA-256 over the key and all that follows
    bytes 36-39  length of the metadata, big-endian
    ...          metadata, JSON; where words are known, a line feed and they, JSON too
    ...          payload

The key is part of the digest, so that a value found under another's name is found out. This guards
against damage and mix-ups. It is no signature: who may write to the folder can make a valid one.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from typing import Literal

from ttsctl.speech import Word, words_from_json, words_to_json

EXCERPT_CHARS = 80  # as much of a text as a listing shows

_MAGIC = b"TTS\x01"
_HEADER = struct.Struct(">4s32sI")
_DIGESTED_FROM = 36


class DamagedRecordError(ValueError):
    """The bytes are not the record that was stored under this key."""


@dataclass(frozen=True)
class Metadata:
    """What a record holds, in words."""

    kind: Literal["master", "encoded"]
    """A master is PCM as the engine gave it; the encoded are made from masters."""

    voice: str
    """The voice's id: "espeak:en-us"."""

    format: str
    """Format of the payload: "pcm", "wav", "opus"."""

    sample_rate: int

    duration_s: float

    text: str
    """What is said; cut to 80 characters."""

    created_s: float
    """When it was made, in seconds since the epoch."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text[:EXCERPT_CHARS])

    def to_json(self) -> str:
        """Return the metadata as one line of ASCII."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Read what `to_json` wrote.

        Raises:
            DamagedRecordError: It is anything else.
        """
        try:
            metadata = cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError) as error:
            raise DamagedRecordError(f"the metadata cannot be read: {error}") from error
        if not metadata._is_well_typed():
            raise DamagedRecordError("the metadata has fields of the wrong type")
        return metadata

    def _is_well_typed(self) -> bool:
        words = (self.voice, self.format, self.text)
        numbers = (self.sample_rate, self.duration_s, self.created_s)
        return (
            self.kind in ("master", "encoded")
            and all(isinstance(word, str) for word in words)
            and all(isinstance(number, (int, float)) for number in numbers)
        )


@dataclass(frozen=True)
class Record:
    """A cached sound and what is known of it."""

    metadata: Metadata
    payload: bytes

    words: tuple[Word, ...] = ()
    """The words of the whole sound, where it is known when they are spoken. They are no metadata:
    a listing has no use for them."""

    dropped: int = 0
    """Phonemes of the text that the voice has no sound for."""


def pack(key: str, record: Record) -> bytes:
    """Return the bytes that are stored for `record` under `key`."""
    metadata = record.metadata.to_json().encode()
    if record.words or record.dropped:
        details = {"words": words_to_json(record.words), "dropped": record.dropped}
        metadata += b"\n" + json.dumps(details).encode()
    body = struct.pack(">I", len(metadata)) + metadata + record.payload
    return _MAGIC + _digest(key, body) + body


def unpack(key: str, blob: bytes) -> Record:
    """Return the record that `pack` made these bytes from.

    Raises:
        DamagedRecordError: A byte is missing, added or changed, or it was packed for another key.
    """
    if len(blob) < _HEADER.size:
        raise DamagedRecordError("it ends within the header")
    magic, digest, metadata_bytes = _HEADER.unpack_from(blob)
    if magic != _MAGIC:
        raise DamagedRecordError("it is no cache record of this version")
    if digest != _digest(key, memoryview(blob)[_DIGESTED_FROM:]):
        raise DamagedRecordError("its digest does not match")
    payload_from = _HEADER.size + metadata_bytes
    metadata, _, line = blob[_HEADER.size : payload_from].partition(b"\n")
    words, dropped = _read_details(line) if line else ((), 0)
    return Record(Metadata.from_json(metadata), blob[payload_from:], words, dropped)


def _read_details(line: bytes) -> tuple[tuple[Word, ...], int]:
    try:
        details = json.loads(line)
        words, dropped = words_from_json(details["words"]), details["dropped"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedRecordError(f"the details cannot be read: {error}") from error
    if not isinstance(dropped, int) or dropped < 0:
        raise DamagedRecordError("the number of what was dropped is none")
    return words, dropped


def _digest(key: str, body: bytes | memoryview) -> bytes:
    name = key.encode()
    digest = hashlib.sha256(b"%d:%s" % (len(name), name))
    digest.update(body)
    return digest.digest()

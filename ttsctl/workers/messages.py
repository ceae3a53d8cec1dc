"""What parent and worker say to each other: frames of a JSON header and raw bytes.

A frame is two big-endian 32-bit lengths, a UTF-8 JSON object and the raw bytes of the sound.
No pickle: a worker that an engine has corrupted must not be able to run code in its parent.
Pure: nothing here reads or writes a pipe.
"""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ttsctl.speech import Clip, Utterance, Voice, words_from_json, words_to_json

_LENGTHS = struct.Struct(">II")
MAX_FRAME_BYTES = 64 << 20  # a longer one means that the stream is out of step


class ProtocolError(ValueError):
    """The bytes are no frame, or the frame is no message."""


@dataclass(frozen=True)
class Frame:
    """One message as it travels."""

    header: dict[str, Any]
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return the bytes of `frame`."""
    header = json.dumps(frame.header, ensure_ascii=True).encode()
    return _LENGTHS.pack(len(header), len(frame.payload)) + header + frame.payload


class FrameDecoder:
    """Cuts a byte stream, arriving in any pieces, back into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes.

        Raises:
            ProtocolError: The stream is not made of frames.
        """
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if len(self._buffer) < _LENGTHS.size:
            return None
        header_bytes, payload_bytes = _LENGTHS.unpack_from(self._buffer)
        if header_bytes + payload_bytes > MAX_FRAME_BYTES:
            raise ProtocolError("a frame is over the size limit")
        header_end = _LENGTHS.size + header_bytes
        end = header_end + payload_bytes
        if len(self._buffer) < end:
            return None
        header = _parse(bytes(self._buffer[_LENGTHS.size : header_end]))
        payload = bytes(self._buffer[header_end:end])
        del self._buffer[:end]
        return Frame(header, payload)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a frame's header is not JSON") from error
    if not isinstance(header, dict):
        raise ProtocolError("a frame's header is not a JSON object")
    return header


# --- parent to worker ---


def load_request(voice: Voice, *, has_trial: bool = False) -> Frame:
    """Ask for `voice` to be made ready, and for a word that nobody hears where there is time."""
    return Frame({"op": "load", "voice": asdict(voice), "trial": has_trial})


def speak_request(utterance: Utterance) -> Frame:
    """Ask for the sound of `utterance`."""
    return Frame({"op": "speak", "utterance": asdict(utterance)})


def voices_request() -> Frame:
    """Ask which voices the engine has."""
    return Frame({"op": "voices"})


def cancel_request() -> Frame:
    """Ask for the utterance in hand to be given up."""
    return Frame({"op": "cancel"})


def utterance_of(header: dict[str, Any]) -> Utterance:
    """Return the utterance that a speak request carries."""
    fields = dict(header["utterance"])
    fields["voice"] = Voice(**fields["voice"])
    fields["clauses"] = tuple(fields["clauses"])
    fields["options"] = tuple((name, value) for name, value in fields["options"])
    return Utterance(**fields)


# --- worker to parent ---


def audio_reply(clip: Clip) -> Frame:
    """Carry a stretch of sound."""
    header: dict[str, Any] = {"event": "audio"}
    header |= {"sample_rate": clip.sample_rate, "dropped": clip.dropped}
    if clip.words:
        header["words"] = words_to_json(clip.words)
    return Frame(header, clip.pcm)


def done_reply(voices: list[Voice] | None = None) -> Frame:
    """End the answer to a request."""
    return Frame({"event": "done", "voices": [asdict(voice) for voice in voices or []]})


def ready_reply() -> Frame:
    """Say that the engine is imported, and since when: the parent may look late."""
    return Frame({"event": "done", "at": time.perf_counter()})


def ready_at(frame: Frame) -> float:
    """Return when the engine was imported, on the clock of `time.perf_counter`."""
    at = frame.header.get("at")
    return at if isinstance(at, float) and math.isfinite(at) else time.perf_counter()


def failed_reply(code: str, message: str) -> Frame:
    """End the answer to a request that failed."""
    return Frame({"event": "failed", "code": code, "message": message})


def warning_reply(message: str) -> Frame:
    """Tell the user something in the middle of an answer."""
    return Frame({"event": "warning", "message": message})


def clip_of(frame: Frame) -> Clip:
    """Return the sound that an audio reply carries.

    Raises:
        ProtocolError: The samples, their rate, the count of what was dropped or the words make no
            sense.
    """
    sample_rate, dropped = frame.header.get("sample_rate"), frame.header.get("dropped")
    if not isinstance(sample_rate, int) or not isinstance(dropped, int):
        raise ProtocolError("an audio frame lacks its numbers")
    if sample_rate <= 0 or dropped < 0 or len(frame.payload) % 2:
        raise ProtocolError("an audio frame makes no sense")
    try:
        words = words_from_json(frame.header.get("words", []))
    except ValueError as error:
        raise ProtocolError(f"an audio frame's words make no sense: {error}") from error
    return Clip(frame.payload, sample_rate, dropped, words)

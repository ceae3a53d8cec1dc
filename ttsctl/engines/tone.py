"""An engine that needs no model and proves whose sound it made.

The first 32 bytes of every utterance are the SHA-256 of its request, so a file, a reply or a cache
entry can be checked against the request that it claims to answer. A sine of 10 ms a character
follows: duration grows with the text, as speech does.

The voice `tone:faulty` also obeys words in the text, so that tests can break an engine on purpose:
`!segv` `!abort` `!exit` `!hang` `!endless` `!raise` `!empty` `!partial` `!stdout` `!warn`
`!slow=MS` `!leak=MB`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator

from ttsctl.errors import EngineError, InvalidVoiceError
from ttsctl.speech import Clip, Utterance, Voice

SAMPLE_RATE = 16_000
CHARACTER_S = 0.01
DIGEST_BYTES = hashlib.sha256().digest_size
VOICE_NAMES = ("sine", "faulty")

_logger = logging.getLogger(__name__)
_FREQUENCY_HZ = 400  # 16,000 / 400 is whole, so one period repeats without a seam
_AMPLITUDE = 8_000
_FAULT = re.compile(r"!([a-z]+)(?:=(\d+))?")


def request_digest(utterance: Utterance) -> bytes:
    """Return the 32 bytes that open the sound of `utterance`."""
    fields = [
        utterance.text,
        utterance.voice.id,
        utterance.language,
        f"{utterance.speed:.4f}",
        utterance.options,
    ]
    return hashlib.sha256(json.dumps(fields).encode()).digest()


class ToneEngine:
    """The deterministic engine of the tests and of `bench`."""

    def __init__(self) -> None:
        self._leaked: list[bytes] = []

    def voices(self) -> list[Voice]:
        """Return the two tone voices."""
        return [Voice("tone", name, "und", "tone 1") for name in VOICE_NAMES]

    def load(self, voice: Voice) -> None:
        """Check the name; there is nothing to load."""
        if voice.name not in VOICE_NAMES:
            raise InvalidVoiceError(f"voice '{voice.id}' not found; nearest: tone:sine")

    def synthesize(self, utterance: Utterance) -> Iterator[Clip]:
        """Yield the digest, then one clip of sine a clause."""
        if utterance.voice.name == "faulty":
            self._misbehave(utterance.text)
            if "!empty" in utterance.text:
                return
        yield Clip(request_digest(utterance), SAMPLE_RATE)
        for clause in utterance.clauses:
            yield Clip(_sine(len(clause) * CHARACTER_S / utterance.speed), SAMPLE_RATE)
        while utterance.voice.name == "faulty" and "!endless" in utterance.text:
            yield Clip(_sine(10.0), SAMPLE_RATE)
        if utterance.voice.name == "faulty" and "!partial" in utterance.text:
            os.kill(os.getpid(), signal.SIGKILL)

    def _misbehave(self, text: str) -> None:
        for match in _FAULT.finditer(text):
            if fault := _FAULTS.get(match[1]):
                fault(int(match[2] or 0))
            if match[1] == "leak":
                self._leaked.append(os.urandom(1 << 20) * int(match[2] or 1))


def _sine(duration_s: float) -> bytes:
    period = [
        round(_AMPLITUDE * math.sin(2 * math.pi * _FREQUENCY_HZ * i / SAMPLE_RATE))
        for i in range(SAMPLE_RATE // _FREQUENCY_HZ)
    ]
    frames = round(duration_s * SAMPLE_RATE)
    repeated = struct.pack(f"<{len(period)}h", *period) * (frames // len(period) + 1)
    return repeated[: frames * 2]


def _raise(_: int) -> None:
    raise EngineError("the tone engine was told to fail")


def _print_noise(_: int) -> None:
    print("noise from the engine" * 1000)
    os.write(
        sys.__stdout__.fileno() if sys.__stdout__ else 1, b"raw noise on descriptor 1\n" * 1000
    )


def _die_by(signal_number: int) -> Callable[[int], None]:
    return lambda _: os.kill(os.getpid(), signal_number)


_FAULTS: dict[str, Callable[[int], None]] = {
    "segv": _die_by(signal.SIGSEGV),
    "abort": _die_by(signal.SIGABRT),
    "exit": lambda _: os._exit(0),
    "hang": lambda _: time.sleep(3600),
    "raise": _raise,
    "stdout": _print_noise,
    "warn": lambda _: _logger.warning("the tone engine was told to warn"),
    "slow": lambda milliseconds: time.sleep(milliseconds / 1000),
}

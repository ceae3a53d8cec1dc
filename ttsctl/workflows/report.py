"""How a request for speech was answered, as it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ttsctl.audio.formats import Encoding
from ttsctl.metrics import milliseconds
from ttsctl.speech import Voice
from ttsctl.workflows.speech_log import SpeechLog


@dataclass(frozen=True)
class SpeechReport:
    """How a request was answered."""

    voice: Voice
    """The voice that was asked for."""

    log: SpeechLog

    output: str | None
    """Path of the file, "-" for stdout, None for the loudspeaker."""

    encoding: Encoding | None
    size_bytes: int
    total_s: float

    @property
    def voice_used(self) -> Voice:
        """The voice that spoke, at the end at least."""
        fallback = self.log.chain.fallback
        return fallback.used if fallback else self.voice

    def summary(self) -> str:
        """Return the report in a line, for a person."""
        total_ms = self.total_s * 1000
        source = "synthesized" if self.log.cache == "miss" else f"from {self.log.cache}"
        return (
            f"{self.output}: {self.log.duration_s:.2f} s of speech, {self.voice_used.id}, "
            f"{source} in {total_ms:.0f} ms"
        )

    def fields(self) -> dict[str, Any]:
        """Return the JSON object of `say --json`."""
        log, encoding, fallback = self.log, self.encoding, self.log.chain.fallback
        return {
            "ok": True,
            "output": self.output,
            "format": encoding and encoding.format,
            "sample_rate": encoding.output_rate(log.sample_rate) if encoding else log.sample_rate,
            "duration_s": round(log.duration_s, 4),
            "bytes": self.size_bytes,
            "engine": self.voice_used.engine,
            "voice": self.voice_used.id,
            "fallback": fallback and {"wanted": fallback.wanted.id, "reason": fallback.reason},
            "cache": log.cache,
            "served_by": "process",
            "chars": log.chars,
            "dropped": log.dropped,
            "timings_ms": self.timings_ms(),
            "timeline_ms": self.timeline_ms(),
            "words": [
                {
                    "text": word.text,
                    "start_s": round(word.start_s, 4),
                    "end_s": round(word.end_s, 4),
                }
                for word in log.words
            ],
        }

    def timeline_ms(self) -> dict[str, float]:
        """Return when what happened, in milliseconds from the start of the request."""
        return {name: milliseconds(moment) for name, moment in self.log.timeline_s().items()}

    def timings_ms(self) -> dict[str, float | None]:
        """Return how long each stage took, in milliseconds."""
        log = self.log
        return {
            "queue": milliseconds(log.queue_s),
            "load": milliseconds(log.load_s),
            "g2p": None,  # espeak-ng does not tell it apart from synthesis
            "synthesis": milliseconds(log.synthesis_s),
            "encode": milliseconds(log.encode_s),
            "first_audio": milliseconds(log.first_audio_s),
            "total": milliseconds(self.total_s),
        }

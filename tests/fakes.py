"""Stand-ins that work: no patching, no processes."""

from __future__ import annotations

from collections.abc import Iterator

from ttsctl.engines.tone import ToneEngine
from ttsctl.speech import Clip, Errand, Utterance, Voice


class InProcessSynthesizer:
    """The tone engine without the process boundary; remembers what it was asked."""

    def __init__(self) -> None:
        self._engine = ToneEngine()
        self.spoken: list[str] = []
        self.warmed: list[str] = []
        self.is_closed = False

    def stream(self, utterance: Utterance, errand: Errand | None = None) -> Iterator[Clip]:
        self._engine.load(utterance.voice)
        self.spoken.append(utterance.text)
        yield from self._engine.synthesize(utterance)

    def warm_up(self, voice: Voice, *, has_trial: bool = False) -> None:
        self.warmed.append(voice.id)

    def load(self, voice: Voice) -> None:
        self._engine.load(voice)

    def close(self) -> None:
        self.is_closed = True

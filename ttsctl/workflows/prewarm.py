"""Speaking phrases ahead of time, so that they are in the cache when they are wanted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from ttsctl.audio.formats import Encoding
from ttsctl.errors import InvalidRequestError, TtsctlError
from ttsctl.files import locked, make_folder
from ttsctl.workflows import pool
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.deliver import SpeechRequest, cache_keys, encoded
from ttsctl.workflows.plan import Manner, plan

MAX_DELAY_S = 86_400.0


@dataclass(frozen=True)
class Phrase:
    """A phrase to have ready, and how."""

    text: str
    manner: Manner
    encoding: Encoding
    is_pinned: bool = False


@dataclass(frozen=True)
class PhraseOutcome:
    """What became of a phrase."""

    phrase: Phrase
    state: Literal["already", "generated", "failed"]
    error: str | None = None


@dataclass
class PrewarmReport:
    """The sum of a run; the three counts add up to `total`."""

    total: int
    already: int = 0
    generated: int = 0
    failed: int = 0
    failures: list[PhraseOutcome] = field(default_factory=list)

    def count(self, outcome: PhraseOutcome) -> None:
        """Add `outcome` to the sum."""
        setattr(self, outcome.state, getattr(self, outcome.state) + 1)
        if outcome.state == "failed":
            self.failures.append(outcome)

    def fields(self) -> dict[str, object]:
        """Return the JSON object of `prewarm --json`."""
        counts = {"already": self.already, "generated": self.generated, "failed": self.failed}
        return {"ok": not self.failed, "total": self.total, **counts}


def phrases_of(text: str) -> list[str]:
    """Return the phrases of a phrase file: a line each, without blank lines and # comments."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def prewarm(
    phrases: Sequence[Phrase],
    config: SpeakerConfig,
    *,
    jobs: int = 1,
    delay_s: float = 0.0,
    on_outcome: Callable[[PhraseOutcome], None] = lambda _: None,
) -> PrewarmReport:
    """Speak every phrase that is not cached yet into the cache.

    Args:
        delay_s: Time to wait before the first synthesis, for a machine that has just booted.

    Raises:
        InvalidRequestError: There is no phrase, or no cache to put one in.
        BusyError: Another prewarm of the same cache is running.
        OutputError: The cache folder cannot be written.
    """
    if config.cache_folder is None or not phrases:
        raise InvalidRequestError("there is no phrase to prewarm")
    report = PrewarmReport(len(phrases))
    if not (math.isfinite(delay_s) and 0 <= delay_s <= MAX_DELAY_S):
        raise InvalidRequestError(f"delay {delay_s:g} is outside 0 to {MAX_DELAY_S:g} seconds")
    make_folder(config.cache_folder, 0o700)
    with locked(config.cache_folder / "prewarm.lock", "prewarm"):
        time.sleep(delay_s)
        singly = [[phrase] for phrase in phrases]
        for outcomes in pool.run(partial(warm, config), singly, jobs, _lost):
            for outcome in outcomes:
                report.count(outcome)
                on_outcome(outcome)
    return report


def warm(config: SpeakerConfig, phrase: Phrase) -> PhraseOutcome:
    """Have one phrase in the cache. Runs in a pool process; raises nothing but bugs."""
    speaker = pool.process_speaker(config)
    log = speaker.start_log()
    try:
        utterances = list(plan([phrase.text], phrase.manner))
        keys = cache_keys(utterances, phrase.encoding)
        request = SpeechRequest(phrase.manner.voice, utterances)
        for _ in encoded(speaker, request, phrase.encoding, log):
            pass
        if phrase.is_pinned:
            for key in keys:
                speaker.cache.pin(key)
        speaker.cache.flush()
        if not all(map(speaker.cache.is_stored, keys)):
            return PhraseOutcome(phrase, "failed", "the cache did not keep it; is the disk full?")
    except TtsctlError as error:
        return PhraseOutcome(phrase, "failed", error.message)
    return PhraseOutcome(phrase, "generated" if log.cache == "miss" else "already")


def _lost(phrase: Phrase) -> PhraseOutcome:
    return PhraseOutcome(phrase, "failed", "the worker process was killed")

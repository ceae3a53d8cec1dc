"""Where a voice fails another speaks, everybody is told, and nothing is kept under a wrong name."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import InProcessSynthesizer
from ttsctl.audio.formats import Encoding
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache
from ttsctl.engines.tone import request_digest
from ttsctl.errors import (
    DeadlineError,
    EngineCrashError,
    EngineError,
    InvalidRequestError,
    InvalidVoiceError,
    OutOfTimeError,
    TtsctlError,
)
from ttsctl.speech import Clip, Utterance, Voice, join
from ttsctl.workflows.deliver import SpeechRequest, to_file
from ttsctl.workflows.fallback import Chain, at_rate_of
from ttsctl.workflows.plan import Manner, plan
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import Speaker

BEST, GOOD, PLAIN = (Voice(engine, "v", "en", "1") for engine in ("best", "good", "plain"))
ORDER = [BEST, GOOD, PLAIN]
UTTERANCE = Utterance(("hello",), BEST, "en", options=(("noise", "1"),))


def lesser(voice: Voice, _language: str) -> list[Voice]:
    return ORDER[ORDER.index(voice) + 1 :]


class Cast:
    """Voices of which some fail, before or after their first sound."""

    def __init__(self, failing: dict[Voice, TtsctlError], *, begins: bool = False) -> None:
        self.failing = failing
        self.begins = begins
        self.asked: list[Utterance] = []

    def speak(self, utterance: Utterance) -> Iterator[Clip]:
        self.asked.append(utterance)
        if utterance.voice not in self.failing or self.begins:
            yield Clip(utterance.voice.engine.encode() * 2, 16_000)
        if utterance.voice in self.failing:
            raise self.failing[utterance.voice]


def test_the_voice_that_was_asked_for_speaks_if_it_can() -> None:
    cast, chain = Cast({}), Chain(lesser)
    assert join(list(chain.speak(UTTERANCE, cast.speak))).pcm == b"bestbest"
    assert cast.asked == [UTTERANCE]
    assert chain.fallback is None


@pytest.mark.parametrize("error", [EngineError("no"), EngineCrashError("no"), DeadlineError("no")])
def test_where_it_fails_the_next_speaks_and_a_warning_says_so(
    error: TtsctlError, caplog: pytest.LogCaptureFixture
) -> None:
    cast, chain = Cast({BEST: error}), Chain(lesser)
    with caplog.at_level(logging.WARNING):
        assert join(list(chain.speak(UTTERANCE, cast.speak))).pcm == b"goodgood"
    assert "best:v failed, so good:v speaks: no" in caplog.text
    assert chain.fallback is not None
    assert (chain.fallback.wanted, chain.fallback.used) == (BEST, GOOD)


def test_the_options_of_one_engine_are_not_given_to_another() -> None:
    cast, chain = Cast({BEST: EngineError("no")}), Chain(lesser)
    list(chain.speak(UTTERANCE, cast.speak))
    assert cast.asked[1].options == ()


def test_the_rest_of_the_request_is_spoken_by_the_one_that_stepped_in() -> None:
    cast, chain = Cast({BEST: EngineError("no")}), Chain(lesser)
    for _ in range(3):
        list(chain.speak(UTTERANCE, cast.speak))
    assert [asked.voice for asked in cast.asked] == [BEST, GOOD, GOOD, GOOD]


def test_the_last_failure_is_reported_where_all_fail() -> None:
    cast = Cast({voice: EngineError(f"{voice.id} cannot") for voice in ORDER})
    with pytest.raises(EngineError, match="plain:v cannot"):
        list(Chain(lesser).speak(UTTERANCE, cast.speak))


def test_nobody_repeats_words_that_were_heard() -> None:
    cast = Cast({BEST: EngineError("half way")}, begins=True)
    with pytest.raises(EngineError, match="half way"):
        list(Chain(lesser).speak(UTTERANCE, cast.speak))


@pytest.mark.parametrize(
    "error", [InvalidVoiceError("who"), InvalidRequestError("what"), OutOfTimeError("late")]
)
def test_a_mistake_of_the_user_is_not_covered_up(error: TtsctlError) -> None:
    with pytest.raises(type(error)):
        list(Chain(lesser).speak(UTTERANCE, Cast({BEST: error}).speak))


def test_without_alternatives_a_failure_is_a_failure() -> None:
    with pytest.raises(EngineError):
        list(Chain(None).speak(UTTERANCE, Cast({BEST: EngineError("no")}).speak))


def test_a_voice_of_another_rate_is_brought_to_that_of_the_request() -> None:
    def speak(utterance: Utterance) -> Iterator[Clip]:
        if utterance.voice == BEST:
            raise EngineError("no")
        for _ in range(10):
            yield Clip(bytes(3_200), 16_000)

    clip = join(list(at_rate_of(24_000, Chain(lesser).speak(UTTERANCE, speak))))
    assert clip.sample_rate == 24_000
    assert clip.duration_s == pytest.approx(1.0)


# --- in a speaker, with a cache ---


@pytest.fixture(name="speaker")
def _speaker(tmp_path: Path, tone: Voice) -> Iterator[Speaker]:
    """A speaker whose tone:faulty is replaced by tone:sine."""
    speaker = Speaker(
        InProcessSynthesizer(),
        Cache(tmp_path / "cache", CacheLimits()),
        alternatives=lambda voice, _: [] if voice == tone else [tone],
    )
    yield speaker
    speaker.close()


def say(speaker: Speaker, text: str, voice: Voice, path: Path) -> SpeechReport:
    request = SpeechRequest(voice, list(plan([text], Manner(voice, "und"))))
    return to_file(speaker, request, path, Encoding("flac"), replace=True)


def test_the_answer_names_who_spoke(
    speaker: Speaker, faulty: Voice, tone: Voice, tmp_path: Path
) -> None:
    report = say(speaker, "Say it, please, !raise or not.", faulty, tmp_path / "a.flac")
    fields = report.fields()
    assert (fields["voice"], fields["fallback"]["wanted"]) == (tone.id, faulty.id)
    assert "told to fail" in fields["fallback"]["reason"]
    assert tone.id in report.summary()


def test_what_another_voice_said_is_kept_under_its_own_name_only(
    speaker: Speaker, faulty: Voice, tone: Voice, tmp_path: Path
) -> None:
    text = "Say it, please, !raise or not."
    say(speaker, text, faulty, tmp_path / "a.flac")
    speaker.cache.flush()
    assert {entry.metadata.voice for entry in speaker.cache.entries()} == {tone.id}
    again = say(speaker, text, faulty, tmp_path / "b.flac")
    assert again.log.chain.fallback is not None  # it was asked again, and failed again
    (planned,) = plan([text], Manner(tone, "und"))
    log = speaker.start_log()
    heard = join(list(speaker.clips([planned], log)))
    assert heard.pcm.startswith(request_digest(planned.utterance))
    assert log.cache == "memory"

"""Sentences are synthesized side by side, and nobody can tell but by the time it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes import InProcessSynthesizer
from tests.timing import wait_for_threads_since, wait_until
from ttsctl.audio.formats import Encoding
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.off import NullCache
from ttsctl.cache.tiers import Cache
from ttsctl.engines.tone import DIGEST_BYTES, request_digest
from ttsctl.errors import CancelledError, EngineError
from ttsctl.patience import Patience
from ttsctl.speech import Clip, Errand, Utterance, Voice, join
from ttsctl.workers.place import PoolLimits
from ttsctl.workers.supervisor import Supervisor
from ttsctl.workflows.deliver import SpeechRequest, to_bytes, to_file, to_stream
from ttsctl.workflows.plan import Manner, PlannedUtterance, plan
from ttsctl.workflows.speak import Speaker
from ttsctl.workflows.speech_log import SpeechLog

TEXT = " ".join(
    f"This is sentence {number}, and it is long enough to stand." for number in range(8)
)


@pytest.fixture(name="pool")
def _pool() -> Iterator[Supervisor]:
    supervisor = Supervisor(PoolLimits(at_once=2))
    yield supervisor
    supervisor.close()


def planned(text: str, voice: Voice) -> list[PlannedUtterance]:
    return list(plan([text], Manner(voice, "und")))


def hear(speaker: Speaker, utterances: list[PlannedUtterance]) -> tuple[Clip, SpeechLog]:
    log = speaker.start_log()
    return join(list(speaker.clips(utterances, log))), log


def counts(log: SpeechLog) -> tuple[object, ...]:
    return (log.chars, log.dropped, log.frames, log.sample_rate, log.results, log.words)


@pytest.mark.parametrize("at_once", [2, 3, 8])
def test_the_sound_and_the_counts_are_those_of_one_at_a_time(
    tmp_path: Path, tone: Voice, at_once: int
) -> None:
    utterances = planned(
        TEXT + " \U0001f600 And here the end comes, which is dropped in part.", tone
    )
    assert len(utterances) > 5

    def make(number: int) -> Speaker:
        cache = Cache(tmp_path / str(number), CacheLimits())
        return Speaker(InProcessSynthesizer(), cache, at_once=number)

    one, several = make(1), make(at_once)
    for _ in range(2):  # synthesized, then from the cache
        sound, log = hear(one, utterances)
        other_sound, other_log = hear(several, utterances)
        assert other_sound == sound
        assert counts(other_log) == counts(log)
    assert log.dropped == 1
    one.close()
    several.close()


def test_workers_side_by_side_make_the_same_sound(pool: Supervisor, tone: Voice) -> None:
    utterances = planned(TEXT, tone)
    sound, log = hear(Speaker(InProcessSynthesizer(), NullCache()), utterances)
    other_sound, other_log = hear(Speaker(pool, NullCache(), at_once=2), utterances)
    assert other_sound == sound
    assert counts(other_log) == counts(log)


def test_a_text_that_repeats_itself_is_synthesized_once(tmp_path: Path, tone: Voice) -> None:
    sentence = "The same sentence comes again and again, long enough."
    utterances = planned(" ".join([sentence] * 6), tone)
    assert len({each.utterance.text.strip() for each in utterances}) == 1
    synthesizer = InProcessSynthesizer()
    speaker = Speaker(synthesizer, Cache(tmp_path / "cache", CacheLimits()), at_once=3)
    sound, log = hear(speaker, utterances)
    assert len(synthesizer.spoken) == len({each.utterance for each in utterances})
    assert log.cache == "miss"
    for each in utterances:
        assert request_digest(each.utterance) in sound.pcm
    speaker.close()


def test_a_failure_names_its_place_and_comes_after_what_was_before(
    pool: Supervisor, faulty: Voice
) -> None:
    after = "And it goes on after it, at least in writing."
    utterances = planned(f"{TEXT} But !raise is told in this one, it fails. {after}", faulty)
    offset = next(each.offset for each in utterances if "!raise" in each.utterance.text)
    speaker = Speaker(pool, NullCache(), at_once=2)
    heard: list[Clip] = []
    with pytest.raises(EngineError, match=rf"told to fail \(at character {offset}\)"):
        heard.extend(speaker.clips(utterances, speaker.start_log()))
    pcm = join(heard).pcm
    for each in utterances:
        assert (request_digest(each.utterance) in pcm) == (each.offset < offset)
    wait_until(lambda: all(worker["state"] == "idle" for worker in pool.workers()))
    assert hear(speaker, planned("After that", faulty))[0].frames


# --- fallback ---

BEST, PLAIN = Voice("best", "v", "und", "1"), Voice("plain", "v", "und", "1")


class TwoRates:
    """The best voice fails at some texts; the plain one has another sample rate."""

    def __init__(self, fails: Callable[[str], bool]) -> None:
        self._fails = fails

    def stream(self, utterance: Utterance, errand: Errand | None = None) -> Iterator[Clip]:
        if utterance.voice == PLAIN:
            yield from (Clip(b"\1\2" * 1_600, 16_000) for _ in range(10))
            return
        if self._fails(utterance.text):
            raise EngineError("it cannot")
        time.sleep(0.01)
        yield from (Clip(b"\1\2" * 2_400, 24_000) for _ in range(10))

    def warm_up(self, voice: Voice) -> None: ...

    def load(self, voice: Voice) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("failing", [0, 1, 2, 5, 7])
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_voice_that_steps_in_keeps_the_rate_of_the_request(failing: int, at_once: int) -> None:
    utterances = planned(TEXT, BEST)
    speaker = Speaker(
        TwoRates(lambda text: f"sentence {failing}" in text),
        NullCache(),
        alternatives=lambda voice, _: [PLAIN] if voice == BEST else [],
        at_once=at_once,
    )
    log = speaker.start_log()
    rates = {clip.sample_rate for clip in speaker.clips(utterances, log)}
    assert rates == ({16_000} if failing == 0 else {24_000})
    pauses_s = sum(each.pause_s for each in utterances)
    assert log.duration_s == pytest.approx(len(utterances) * 1.0 + pauses_s, abs=0.01)
    assert log.chain.fallback is not None
    assert (log.chain.fallback.wanted, log.chain.fallback.used) == (BEST, PLAIN)


# --- giving up ---


def test_a_cancelled_request_ends_and_frees_the_workers(pool: Supervisor, faulty: Voice) -> None:
    patience = Patience()
    speaker = Speaker(pool, NullCache(), at_once=2, patience=patience)
    sentences = (f"Sentence {n} takes its time !slow=300 or so, alas." for n in range(20))
    clips = speaker.clips(planned(" ".join(sentences), faulty), speaker.start_log())
    next(clips)
    patience.cancel()
    with pytest.raises(CancelledError):
        list(clips)
    wait_until(lambda: all(worker["state"] == "idle" for worker in pool.workers()))
    assert hear(Speaker(pool, NullCache()), planned("Next", faulty))[0].frames


def test_a_listener_that_leaves_frees_the_workers_and_the_threads(
    pool: Supervisor, faulty: Voice
) -> None:
    before = threading.enumerate()
    speaker = Speaker(pool, NullCache(), at_once=2)
    sentences = (f"Sentence {n} takes its time !slow=50 or so, alas." for n in range(20))
    clips = speaker.clips(planned(" ".join(sentences), faulty), speaker.start_log())
    next(clips)
    clips.close()
    wait_for_threads_since(before)
    assert all(worker["state"] == "idle" for worker in pool.workers())


def ignore(_: bytes) -> None: ...


def refuse(_: object) -> None:
    raise OSError("no room")


def test_an_output_that_fails_frees_the_workers(pool: Supervisor, faulty: Voice) -> None:
    """Even while somebody still holds the error, with all that its traceback holds."""
    before = threading.enumerate()
    utterances = planned(TEXT, faulty)
    request = SpeechRequest(faulty, utterances)
    failures: list[BaseException] = []
    for at_once in (1, 2):
        speaker = Speaker(pool, NullCache(), at_once=at_once)
        for attempt in (
            lambda speaker=speaker: to_stream(
                speaker, request, Encoding("pcm"), lambda data, _: refuse(data)
            ),
            lambda speaker=speaker: to_file(
                speaker, request, Path("/dev/full"), Encoding("pcm"), replace=True
            ),
        ):
            try:
                attempt()  # type: ignore[no-untyped-call]
            except Exception as error:
                failures.append(error)
            wait_until(lambda: all(worker["state"] == "idle" for worker in pool.workers()))
            wait_for_threads_since(before)
    assert len(failures) == 4


# --- time ---


def test_the_time_is_told_also_where_it_was_spent_side_by_side(
    pool: Supervisor, faulty: Voice
) -> None:
    text = " ".join(f"Sentence {n} takes its time !slow=50 or so, alas." for n in range(4))
    speaker = Speaker(pool, NullCache(), at_once=2)
    report = to_bytes(
        speaker, SpeechRequest(faulty, planned(text, faulty)), Encoding("pcm"), ignore
    )
    timings = report.timings_ms()
    assert timings["synthesis"] is not None
    assert timings["synthesis"] >= 4 * 50
    assert all(value is None or value >= 0 for value in timings.values())


@pytest.mark.slow
def test_two_workers_are_faster_than_one(pool: Supervisor, faulty: Voice) -> None:
    text = " ".join(f"Sentence {n} takes its time !slow=300 or so, alas." for n in range(3))
    utterances = planned(text, faulty)
    assert len(utterances) == 3

    def seconds(at_once: int) -> float:
        speaker = Speaker(pool, NullCache(), at_once=at_once)
        started_at = time.monotonic()
        sound, _ = hear(speaker, utterances)
        assert sound.pcm[:DIGEST_BYTES] == request_digest(utterances[0].utterance)
        return time.monotonic() - started_at

    seconds(2)  # starts the workers
    best = min(seconds(2) / seconds(1) for _ in range(3))
    assert best <= 0.75

"""Words have their times in the whole request, synthesized or remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import InProcessSynthesizer
from ttsctl.audio.formats import Encoding
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache
from ttsctl.engines.tone import request_digest
from ttsctl.speech import Clip, Errand, Utterance, Word, join
from ttsctl.workflows.deliver import SpeechRequest, to_bytes, to_file
from ttsctl.workflows.plan import Manner, PlannedUtterance, plan
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import Speaker

TEXT = (
    "A sentence that is long enough to stand on its own. And a second one, just as long.\n\n"
    "After a longer pause there is a third one, and that is all of them."
)

Tell = Callable[..., Speaker]


class TellingSynthesizer(InProcessSynthesizer):
    """Names each utterance as a word, spoken while the samples sound that prove whose it is."""

    def stream(self, utterance: Utterance, errand: Errand | None = None) -> Iterator[Clip]:
        first, *rest = super().stream(utterance, errand)
        words = (Word(utterance.text, 0.0, first.duration_s),)
        yield replace(first, words=words)
        yield from rest


@pytest.fixture(name="tell")
def _tell(tmp_path: Path) -> Iterator[Tell]:
    """Makes speakers that tell words and share a cache."""
    made: list[Speaker] = []

    def make(**options: int) -> Speaker:
        cache = Cache(tmp_path / "cache", CacheLimits())
        made.append(Speaker(TellingSynthesizer(), cache, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for speaker in made:
        speaker.close()


def planned(manner: Manner) -> list[PlannedUtterance]:
    return list(plan([TEXT], manner))


def written(speaker: Speaker, manner: Manner, path: Path) -> SpeechReport:
    request = SpeechRequest(manner.voice, planned(manner))
    return to_file(speaker, request, path, Encoding(path.suffix[1:]), replace=True)


def told(report: SpeechReport) -> list[dict[str, Any]]:
    words: list[dict[str, Any]] = report.fields()["words"]
    return words


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_word_is_where_its_samples_are(tell: Tell, manner: Manner, at_once: int) -> None:
    """Pauses are counted, and so is what was spoken side by side."""
    speaker, utterances = tell(at_once=at_once), planned(manner)
    log = speaker.start_log()
    whole = join(list(speaker.clips(utterances, log)))
    assert len(utterances) == 3
    assert [word.text for word in log.words] == [each.utterance.text for each in utterances]
    for word, each in zip(log.words, utterances, strict=True):
        place = whole.pcm.index(request_digest(each.utterance))
        assert round(word.start_s * whole.sample_rate) == place // 2
    assert log.words[-1].end_s <= whole.duration_s


@pytest.mark.parametrize("suffix", ["wav", "flac", "opus"])
def test_what_is_remembered_tells_the_same_words(
    tell: Tell, manner: Manner, tmp_path: Path, suffix: str
) -> None:
    """From memory, from disk, and from the finished file that the cache keeps."""
    first = tell()
    reports = [written(first, manner, tmp_path / f"a.{suffix}") for _ in range(2)]
    first.close()
    reports.append(written(tell(), manner, tmp_path / f"b.{suffix}"))
    assert [report.log.cache for report in reports] == ["miss", "memory", "disk"]
    assert len(told(reports[0])) == 3
    assert told(reports[1]) == told(reports[2]) == told(reports[0])


def test_a_part_that_is_remembered_has_its_place_in_a_new_request(
    tell: Tell, manner: Manner
) -> None:
    speaker, utterances = tell(), planned(manner)
    list(speaker.clips(utterances[1:2], speaker.start_log()))
    log = speaker.start_log()
    whole = join(list(speaker.clips(utterances, log)))
    place = whole.pcm.index(request_digest(utterances[1].utterance))
    assert round(log.words[1].start_s * whole.sample_rate) == place // 2


def test_the_report_tells_text_and_times_of_each_word(tell: Tell, manner: Manner) -> None:
    request = SpeechRequest(manner.voice, planned(manner))
    report = to_bytes(tell(), request, Encoding("pcm"), lambda _: None)
    first = told(report)[0]
    assert set(first) == {"text", "start_s", "end_s"}
    assert first["text"].startswith("A sentence")
    assert (first["start_s"], first["end_s"]) == (0.0, pytest.approx(0.001, abs=0.001))


def test_a_voice_that_does_not_tell_has_none(
    speaker: Speaker, manner: Manner, tmp_path: Path
) -> None:
    assert told(written(speaker, manner, tmp_path / "a.wav")) == []

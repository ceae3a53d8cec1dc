"""The one path to sound: cache, single flight, sanity, places of failure."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.fakes import InProcessSynthesizer
from tests.workflows.conftest import MakeSpeaker
from ttsctl.audio.encode import encode_whole
from ttsctl.audio.formats import Encoding
from ttsctl.cache.off import NullCache
from ttsctl.engines.tone import request_digest
from ttsctl.errors import EngineError, InvalidVoiceError
from ttsctl.speech import Clip, Voice, join
from ttsctl.workflows.deliver import SpeechRequest, to_bytes, to_file
from ttsctl.workflows.plan import Manner, PlannedUtterance, plan
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import Speaker

TEXT = "A sentence that is long enough to stand on its own. And a second one, just as long."


def planned(text: str, manner: Manner) -> list[PlannedUtterance]:
    return list(plan([text], manner))


def spoken(speaker: Speaker) -> list[str]:
    assert isinstance(speaker.synthesizer, InProcessSynthesizer)
    return speaker.synthesizer.spoken


def hear(speaker: Speaker, utterances: list[PlannedUtterance]) -> tuple[Clip, str]:
    log = speaker.start_log()
    return join(list(speaker.clips(utterances, log))), log.cache


def test_a_second_request_is_answered_from_memory_and_another_process_from_disk(
    make_speaker: MakeSpeaker, manner: Manner
) -> None:
    first = make_speaker()
    utterances = planned(TEXT, manner)
    sound, source = hear(first, utterances)
    assert (source, len(spoken(first))) == ("miss", 2)
    assert hear(first, utterances) == (sound, "memory")
    first.close()
    second = make_speaker()
    assert hear(second, utterances) == (sound, "disk")
    assert spoken(second) == []


def test_a_known_sentence_in_a_new_text_is_a_hit_and_the_text_a_miss(
    speaker: Speaker, manner: Manner
) -> None:
    hear(speaker, planned(TEXT, manner))
    _, source = hear(speaker, planned(TEXT + " Here is a third one, which is new to us.", manner))
    assert source == "miss"
    assert len(spoken(speaker)) == 3


def test_sound_joins_without_a_gap_but_for_the_declared_pause(
    speaker: Speaker, manner: Manner
) -> None:
    utterances = planned(TEXT, manner)
    whole, _ = hear(speaker, utterances)
    parts = [hear(speaker, [each])[0] for each in utterances]
    # Alone, an utterance keeps its pause: it is a property of the plan.
    assert whole.frames == sum(part.frames for part in parts)
    assert whole.pcm.startswith(request_digest(utterances[0].utterance))
    assert request_digest(utterances[1].utterance) in whole.pcm


def test_refresh_speaks_anew_and_replaces_what_was_cached(
    make_speaker: MakeSpeaker, manner: Manner
) -> None:
    utterances = planned(TEXT, manner)
    hear(make_speaker(), utterances)
    refreshing = make_speaker(is_refreshing=True)
    assert hear(refreshing, utterances)[1] == "miss"
    assert len(spoken(refreshing)) == 2


def test_a_change_of_anything_that_is_heard_is_a_miss(speaker: Speaker, tone: Voice) -> None:
    manners = [
        Manner(tone, "und"),
        Manner(tone, "und", speed=1.5),
        Manner(tone, "en"),
        Manner(tone, "und", options=(("noise", "1"),)),
        Manner(Voice("tone", "sine", "und", "tone 2"), "und"),
        Manner(Voice("tone", "faulty", "und", "tone 1"), "und"),
    ]
    assert [hear(speaker, planned("Hello", manner))[1] for manner in manners] == ["miss"] * 6


def test_a_long_utterance_is_not_cached_unless_wanted(
    make_speaker: MakeSpeaker, manner: Manner
) -> None:
    long = planned("word " * 55, manner)
    speaker = make_speaker()
    assert [hear(speaker, long)[1], hear(speaker, long)[1]] == ["miss", "miss"]
    speaker.cacheable_chars = 1000
    assert [hear(speaker, long)[1], hear(speaker, long)[1]] == ["miss", "memory"]


def test_a_failure_names_the_place_in_the_text(speaker: Speaker, faulty: Voice) -> None:
    text = "A first sentence that is long enough to stand alone. Then !raise comes in the second."
    with pytest.raises(EngineError, match=r"told to fail \(at character 53\)"):
        hear(speaker, planned(text, Manner(faulty, "und")))


def test_sound_that_cannot_be_speech_fails_and_is_not_cached(
    speaker: Speaker, faulty: Voice
) -> None:
    utterances = planned("!empty", Manner(faulty, "und"))
    for _ in range(2):
        with pytest.raises(EngineError, match="no sound"):
            hear(speaker, utterances)
    assert len(spoken(speaker)) == 2


def test_one_synthesis_serves_all_who_ask_at_once(make_speaker: MakeSpeaker, faulty: Voice) -> None:
    speakers = [make_speaker() for _ in range(8)]
    utterances = planned("slowly !slow=200", Manner(faulty, "und"))
    sounds: list[Clip] = []

    def ask(speaker: Speaker) -> None:
        sounds.append(hear(speaker, utterances)[0])
        speaker.cache.close()  # the database connection belongs to the thread

    threads = [threading.Thread(target=ask, args=(each,)) for each in speakers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(sounds)) == 1
    assert sum(len(spoken(each)) for each in speakers) == 1


def test_an_abandoned_utterance_is_not_cached(speaker: Speaker, manner: Manner) -> None:
    utterances = planned("Hello there", manner)
    stream = speaker.clips(utterances, speaker.start_log())
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    assert hear(speaker, utterances)[1] == "miss"


def test_without_a_cache_everything_is_spoken_each_time(manner: Manner) -> None:
    speaker = Speaker(InProcessSynthesizer(), NullCache())
    utterances = planned("Hello", manner)
    assert [hear(speaker, utterances)[1], hear(speaker, utterances)[1]] == ["miss", "miss"]
    speaker.close()


def report(speaker: Speaker, manner: Manner, path: Path, format: str) -> SpeechReport:
    request = SpeechRequest(manner.voice, planned(TEXT, manner))
    return to_file(speaker, request, path, Encoding(format), replace=True)


@pytest.mark.parametrize("format", ["wav", "opus", "mp3", "flac", "pcm", "ulaw", "alaw"])
def test_a_file_from_the_cache_equals_the_first_one(
    make_speaker: MakeSpeaker, manner: Manner, tmp_path: Path, format: str
) -> None:
    speaker = make_speaker()
    first = report(speaker, manner, tmp_path / "a", format)
    speaker.close()
    second = report(make_speaker(), manner, tmp_path / "b", format)
    assert (first.log.cache, second.log.cache) == ("miss", "disk")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    facts = ("sample_rate", "duration_s", "bytes", "chars", "dropped", "format", "voice")
    assert {name: first.fields()[name] for name in facts} == {
        name: second.fields()[name] for name in facts
    }


def test_an_encoded_file_is_kept_and_its_master_too(
    make_speaker: MakeSpeaker, manner: Manner, tmp_path: Path
) -> None:
    speaker = make_speaker()
    report(speaker, manner, tmp_path / "a.flac", "flac")
    kinds = [entry.metadata.kind for entry in speaker.cache.entries()]  # type: ignore[union-attr]
    assert sorted(kinds) == ["encoded", "master", "master"]


def test_bytes_for_stdout_equal_the_file(speaker: Speaker, manner: Manner, tmp_path: Path) -> None:
    for format in ("wav", "flac", "pcm"):
        report(speaker, manner, tmp_path / "a", format)
        written: list[bytes] = []
        request = SpeechRequest(manner.voice, planned(TEXT, manner))
        to_bytes(speaker, request, Encoding(format), written.append)
        assert b"".join(written) == (tmp_path / "a").read_bytes()


def test_a_wav_file_has_the_true_length_in_its_header(
    speaker: Speaker, manner: Manner, tmp_path: Path
) -> None:
    report(speaker, manner, tmp_path / "a.wav", "wav")
    sound, _ = hear(speaker, planned(TEXT, manner))
    assert (tmp_path / "a.wav").read_bytes() == encode_whole(sound, Encoding("wav"))


def test_a_failed_file_is_not_there(speaker: Speaker, faulty: Voice, tmp_path: Path) -> None:
    request = SpeechRequest(faulty, planned("hello !raise", Manner(faulty, "und")))
    with pytest.raises(EngineError):
        to_file(speaker, request, tmp_path / "a.wav", Encoding("wav"), replace=True)
    nobody = Manner(Voice("tone", "nobody", "und", ""), "und")
    with pytest.raises(InvalidVoiceError):
        report(speaker, nobody, tmp_path / "a.wav", "wav")
    assert list(tmp_path.glob("*.wav")) == []


def test_the_report_tells_where_the_time_went(
    speaker: Speaker, manner: Manner, tmp_path: Path
) -> None:
    fields = report(speaker, manner, tmp_path / "a.flac", "flac").fields()
    timings = fields["timings_ms"]
    assert set(timings) == {
        "queue",
        "load",
        "g2p",
        "synthesis",
        "encode",
        "first_audio",
        "total",
    }
    parts = timings["load"] + timings["synthesis"] + timings["encode"]
    assert 0 < parts <= timings["total"]
    assert 0 < timings["first_audio"] <= timings["total"]

"""One file of many items: the right sound at the right time, and what is told of it agrees."""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ttsctl.audio.chapters import Chapter
from ttsctl.audio.formats import Encoding
from ttsctl.audio.subtitles import SubtitleFormat
from ttsctl.audio.wav import read_wav
from ttsctl.cache.eviction import CacheLimits
from ttsctl.engines.tone import CHARACTER_S, DIGEST_BYTES, SAMPLE_RATE, request_digest
from ttsctl.speech import SAMPLE_BYTES, Voice
from ttsctl.text.rows import Row, RowError
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.batch.items import RESULTS_FILE, BatchReport, Outcome
from ttsctl.workflows.batch.joining import chapters, place
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.making import MAX_HURRY
from ttsctl.workflows.batch.names import DEFAULT_TEMPLATE
from ttsctl.workflows.batch.planning import BatchRequest, plan_batch
from ttsctl.workflows.batch.products import Products, make_products
from ttsctl.workflows.batch.rows import Wishes
from ttsctl.workflows.batch.run import run_batch
from ttsctl.workflows.plan import Manner, plan

PAUSE_S = 0.6  # after a row, at speed 1
DIGEST_S = DIGEST_BYTES / SAMPLE_BYTES / SAMPLE_RATE


@dataclass
class Film:
    """A batch and what is made of it, again and again."""

    home: Path
    manner: Manner
    rows: list[Row] = field(default_factory=list)

    def run(self) -> BatchReport:
        given: list[tuple[str, Row | RowError]] = [("film.srt", row) for row in self.rows]
        wishes = Wishes("tone:faulty", self.manner, Encoding("wav"))
        request = BatchRequest(given, self.folder, wishes, DEFAULT_TEMPLATE)
        journal = Journal(self.folder)
        batch = plan_batch(request, journal)
        assert not batch.problems
        config = SpeakerConfig(None, CacheLimits())
        return run_batch(batch, self.folder, journal, config, 1, lambda _: None)

    def join(
        self, report: BatchReport | None = None, subtitles: SubtitleFormat | None = None
    ) -> bytes:
        """Return the joined file's samples, which are written to `film.wav`."""
        products = Products(self.home / "film.wav", Encoding("wav"), subtitles)
        make_products(products, (report or self.run()).outcomes, self.folder)
        return read_wav((self.home / "film.wav").read_bytes()).pcm

    @property
    def folder(self) -> Path:
        return self.home / "out"

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / RESULTS_FILE).read_text().splitlines()]

    def starts_s(self, pcm: bytes, speed: float = 1.0) -> list[float]:
        """Return when each utterance of the rows is heard, told by the digests in the sound."""
        found = []
        for row in self.rows:
            for planned in plan([row.text], replace(self.manner, speed=row.speed or speed)):
                place = pcm.find(request_digest(planned.utterance))
                assert place >= 0, f"'{planned.utterance.text}' is not in the file"
                assert place % SAMPLE_BYTES == 0
                found.append(place / SAMPLE_BYTES / SAMPLE_RATE)
        return found


@pytest.fixture(name="film")
def _film(tmp_path: Path, faulty: Voice) -> Film:
    return Film(tmp_path, Manner(faulty, "und"))


def lines(*texts: str, **fields: Any) -> list[Row]:
    return [Row(number, text, **fields) for number, text in enumerate(texts, 1)]


def cue(number: int, text: str, start_s: float, end_s: float) -> Row:
    return Row(number, text, start_s=start_s, end_s=end_s)


def length_s(text: str, speed: float = 1.0) -> float:
    """Return how long the tone engine speaks a text of one clause."""
    return DIGEST_S + len(text) * CHARACTER_S / speed


def silent(pause_s: float) -> bytes:
    return bytes(round(pause_s * SAMPLE_RATE) * SAMPLE_BYTES)


def sound(film: Film, outcome: Outcome) -> bytes:
    return read_wav((film.folder / outcome.item.file).read_bytes()).pcm


def test_rows_follow_one_another_in_the_order_of_the_input_with_a_pause(film: Film) -> None:
    """The longest is made first, and still is heard in its place."""
    film.rows = lines("one", "the longest of them all", "three")
    report = film.run()
    assert film.join(report) == silent(PAUSE_S).join(sound(film, each) for each in report.outcomes)


def test_the_pause_before_a_row_is_that_of_its_own_speed(film: Film) -> None:
    film.rows = [Row(1, "one"), Row(2, "two", speed=2.0)]
    first, second = report = film.run().outcomes
    assert film.join() == sound(film, first) + silent(PAUSE_S / 2) + sound(film, second)
    assert len(report) == 2


def test_what_has_nothing_to_speak_leaves_no_pause_of_its_own(film: Film) -> None:
    film.rows = lines("one", "...", "three")
    report = film.run()
    one, _, three = report.outcomes
    assert film.join(report) == sound(film, one) + silent(PAUSE_S) + sound(film, three)


def test_timed_rows_are_heard_at_their_time(film: Film) -> None:
    film.rows = [cue(1, "one", 1.25, 2), cue(2, "two", 2, 3.001), cue(3, "three", 7.333, 9)]
    assert film.starts_s(film.join()) == pytest.approx([1.25, 2, 7.333], abs=1 / SAMPLE_RATE)


def test_timed_and_untimed_rows_share_a_file(film: Film) -> None:
    film.rows = [Row(1, "one"), cue(2, "two", 5, 6), Row(3, "three")]
    starts_s = film.starts_s(film.join())
    assert starts_s == pytest.approx([0, 5, 5 + length_s("two") + PAUSE_S], abs=1 / SAMPLE_RATE)


def test_what_is_too_long_for_its_time_is_spoken_faster_until_it_fits(film: Film) -> None:
    text = "twenty characters ok"
    wanted_s = length_s(text) / 1.2
    film.rows = [cue(1, text, 1, 1 + wanted_s), cue(2, "next", 1 + wanted_s, 9)]
    first, second = film.run().outcomes
    assert first.duration_s == pytest.approx(wanted_s, rel=0.01)
    assert first.overrun_s < 0.01
    assert second.overrun_s == 0


def test_what_cannot_fit_is_spoken_1_4_times_as_fast_and_told(film: Film) -> None:
    text = "this takes three times as long as it has"
    film.rows = [cue(1, text, 0, length_s(text) / 3), cue(2, "next", length_s(text) / 3, 9)]
    report = film.run()
    spoken_s = length_s(text, MAX_HURRY)
    overrun_s = spoken_s - length_s(text) / 3
    first, second = film.results()
    assert report.outcomes[0].duration_s == pytest.approx(spoken_s, abs=0.001)
    assert first["overrun_s"] == pytest.approx(overrun_s, abs=0.002)
    assert "overrun_s" not in second
    placed = place(report.outcomes)
    assert placed[1].start_s == placed[0].end_s  # the next one is late, and interrupts nobody


def test_a_second_run_still_tells_what_is_too_long(film: Film) -> None:
    film.rows = [cue(1, "this takes three times as long as it has", 0, 0.1)]
    film.run()
    told = film.results()[0]["overrun_s"]
    film.run()
    (again,) = film.results()
    assert (again["state"], again["overrun_s"]) == ("skipped", told)


def test_a_cue_that_has_more_or_less_time_now_is_made_again(film: Film) -> None:
    text = "twenty characters ok"
    film.rows = [cue(1, text, 0, length_s(text) / 1.3)]
    assert film.run().counts == {"done": 1}
    film.rows = [cue(1, text, 0, 5)]
    (outcome,) = film.run().outcomes
    assert (outcome.state, outcome.duration_s) == ("done", pytest.approx(length_s(text)))
    film.rows = [cue(1, text, 3, 8)]  # moved, but as long as before
    assert film.run().counts == {"skipped": 1}


def test_items_of_several_rates_are_joined_at_that_of_the_first(film: Film) -> None:
    film.rows = [
        Row(1, "one"),
        Row(2, "another rate", voice="espeak:en-us"),
        Row(3, "three"),
        Row(4, "another rate again", voice="espeak:en-us"),
    ]
    report = film.run()
    pcm = film.join(report)
    rates = []
    for outcome in report.outcomes:
        with wave.open(str(film.folder / outcome.item.file)) as file:
            rates.append(file.getframerate())
    assert len(set(rates)) == 2
    spoken_s = sum(outcome.duration_s for outcome in report.outcomes) + 3 * PAUSE_S
    assert len(pcm) / SAMPLE_BYTES == pytest.approx(spoken_s * SAMPLE_RATE, abs=len(rates))
    starts_s = [each.start_s for each in place(report.outcomes)]
    tone = [pcm.find(sound(film, report.outcomes[index])[:DIGEST_BYTES]) for index in (0, 2)]
    heard_s = [start / SAMPLE_BYTES / SAMPLE_RATE for start in tone]
    assert heard_s == pytest.approx([starts_s[0], starts_s[2]], abs=1 / SAMPLE_RATE)


@pytest.mark.parametrize("speed", [1.0, 0.7, 1.3])
def test_the_file_is_as_long_as_its_items_and_their_pauses(film: Film, speed: float) -> None:
    film.manner = replace(film.manner, speed=speed)
    film.rows = lines(*(f"row {number} {'x' * (number % 7)}" for number in range(40)))
    report = film.run()
    frames = sum(len(sound(film, each)) // SAMPLE_BYTES for each in report.outcomes)
    pauses = 39 * PAUSE_S / speed * SAMPLE_RATE
    assert len(film.join(report)) / SAMPLE_BYTES == pytest.approx(frames + pauses, abs=1)


def test_chapters_begin_with_the_first_row_that_names_them(film: Film) -> None:
    titles = [None, "Dawn", "Dawn", "Noon", "Dawn", None, "Dawn"]
    film.rows = [Row(n, f"row {n}", chapter=title) for n, title in enumerate(titles, 1)]
    placed = place(film.run().outcomes)
    starts_s = [each.start_s for each in placed]
    assert chapters(placed) == [
        Chapter("Dawn", starts_s[1]),
        Chapter("Noon", starts_s[3]),
        Chapter("Dawn", starts_s[4]),
    ]


def test_a_run_that_goes_on_joins_the_same_bytes_as_one_that_does_it_all(film: Film) -> None:
    """The times of what was made before come out of the journal."""
    film.manner = replace(film.manner, speed=0.7)  # so that no length is round
    film.rows = lines(*(f"row {number} {'x' * (number % 11)}" for number in range(150)))
    fresh = film.run()
    whole = film.join(fresh, "json")
    shown = (film.home / "film.json").read_text()
    for outcome in fresh.outcomes[::3]:
        (film.folder / outcome.item.file).unlink()
    resumed = film.run()
    assert resumed.counts == {"skipped": 100, "done": 50}
    assert [each.start_s for each in place(resumed.outcomes)] == [
        each.start_s for each in place(fresh.outcomes)
    ]
    assert film.join(resumed, "json") == whole
    assert (film.home / "film.json").read_text() == shown


def test_subtitles_begin_where_the_sound_does(film: Film) -> None:
    film.rows = [
        Row(1, f"A first {'long ' * 30}sentence. And a second {'long ' * 30}one."),
        cue(2, "A cue at its own time.", 9.5, 12),
        Row(3, "The last of them.", speed=1.7),
    ]
    starts_s = film.starts_s(film.join(subtitles="json"))
    shown = json.loads((film.home / "film.json").read_text())["cues"]
    assert len(starts_s) == 4
    assert [each["start_s"] for each in shown] == pytest.approx(starts_s, abs=0.0006)
    assert all(each["start_s"] < each["end_s"] for each in shown)
    assert all(first["end_s"] <= second["start_s"] for first, second in pairwise(shown))
    film.join(subtitles="srt")
    assert "00:00:09,500 --> " in (film.home / "film.srt").read_text()


@pytest.mark.parametrize("is_resumed", [False, True])
def test_without_a_joined_file_each_item_has_subtitles_of_its_own(
    film: Film, is_resumed: bool
) -> None:
    film.rows = [Row(1, "one"), cue(2, "two", 5, 6)]
    for _ in range(1 + is_resumed):
        report = film.run()
    made = make_products(Products(None, None, "vtt"), report.outcomes, film.folder)
    assert made == [film.folder / "0001-one.vtt", film.folder / "0002-two.vtt"]
    for path, text in zip(made, ("one", "two"), strict=True):
        cues = path.read_text()
        assert cues.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.0")
        assert text in cues


def test_nothing_to_speak_makes_no_file(film: Film) -> None:
    film.rows = lines("...", "😀")
    report = film.run()
    products = Products(film.home / "film.wav", Encoding("wav"), "srt")
    assert make_products(products, report.outcomes, film.folder) == []
    assert not (film.home / "film.wav").exists()


def test_what_failed_is_not_in_a_place(film: Film) -> None:
    film.rows = lines("one", "!raise", "three")
    report = film.run()
    assert not report.is_complete
    assert [each.outcome.item.row.line for each in place(report.outcomes)] == [1, 3]

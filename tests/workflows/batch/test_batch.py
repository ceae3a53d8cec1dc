"""A batch accounts for every item, resumes, and contains what goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.audio.formats import Encoding
from ttsctl.cache.eviction import CacheLimits
from ttsctl.engines.tone import DIGEST_BYTES, request_digest
from ttsctl.errors import BusyError, InvalidRequestError, OutputError
from ttsctl.speech import Voice
from ttsctl.text.rows import Row, RowError
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.batch.checking import check_batch
from ttsctl.workflows.batch.items import RESULTS_FILE, BatchReport, Outcome
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.names import DEFAULT_TEMPLATE, check_path
from ttsctl.workflows.batch.planning import BatchRequest, plan_batch
from ttsctl.workflows.batch.rows import Wishes
from ttsctl.workflows.batch.run import run_batch
from ttsctl.workflows.plan import Manner, plan


@dataclass
class Batch:
    """A batch in a temporary folder, runnable again and again."""

    request: BatchRequest
    config: SpeakerConfig
    seen: list[Outcome] = field(default_factory=list)

    def run(self, jobs: int = 1, **changes: object) -> BatchReport:
        request = replace(self.request, **changes)  # type: ignore[arg-type]
        journal = Journal(request.folder)
        return run_batch(
            plan_batch(request, journal),
            request.folder,
            journal,
            self.config,
            jobs,
            self.seen.append,
        )

    def results(self) -> list[dict[str, object]]:
        text = (self.request.folder / RESULTS_FILE).read_text()
        return [json.loads(line) for line in text.splitlines()]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.request.folder.glob("*.wav"))


@pytest.fixture(name="batch")
def _batch(tmp_path: Path, faulty: Voice) -> Batch:
    request = BatchRequest(
        rows("one", "two", "three"),
        tmp_path / "out",
        Wishes("tone:faulty", Manner(faulty, "und"), Encoding("wav")),
        DEFAULT_TEMPLATE,
    )
    return Batch(request, SpeakerConfig(None, CacheLimits()))


def rows(*texts: str) -> list[tuple[str, Row | RowError]]:
    return [("script.txt", Row(number, text)) for number, text in enumerate(texts, 1)]


def manifest(*fields: dict[str, Any]) -> list[tuple[str, Row | RowError]]:
    """Return rows that say more than their text."""
    return [("m.jsonl", Row(number, **values)) for number, values in enumerate(fields, 1)]


def test_every_line_becomes_a_file_that_proves_whose_it_is(batch: Batch) -> None:
    report = batch.run()
    assert report.counts == Counter(done=3)
    assert batch.files() == ["0001-one.wav", "0002-two.wav", "0003-three.wav"]
    manner = Manner(Voice("tone", "faulty", "und", "tone 1"), "und")
    for text, name in zip(("one", "two", "three"), batch.files(), strict=True):
        (planned,) = plan([text], manner)
        sound = (batch.request.folder / name).read_bytes()[44:]
        assert sound[:DIGEST_BYTES] == request_digest(planned.utterance)


def test_results_are_in_input_order_and_complete(batch: Batch) -> None:
    batch.run(rows=rows("a long line that takes a while", "!raise", "...", "short"))
    results = batch.results()
    assert [result["state"] for result in results] == ["done", "failed", "empty", "done"]
    assert [result["line"] for result in results] == [1, 2, 3, 4]
    assert results[1]["error"] == {
        "code": "TTS_ENGINE_FAILED",
        "message": "the tone engine was told to fail (at character 0)",
    }


def test_the_same_again_synthesizes_nothing(batch: Batch) -> None:
    batch.run()
    report = batch.run()
    assert report.counts == Counter(skipped=3)
    assert report.total == 3


def test_a_changed_line_is_made_again_and_the_others_are_kept(batch: Batch) -> None:
    batch.run()
    report = batch.run(rows=rows("one", "two!", "three"))
    assert report.counts == Counter(skipped=2, done=1)


@pytest.mark.parametrize(
    "harm", ["delete", "truncate", "forget"], ids=lambda harm: f"after a {harm}"
)
def test_only_a_whole_file_of_the_same_request_counts_as_made(batch: Batch, harm: str) -> None:
    batch.run()
    file = batch.request.folder / "0002-two.wav"
    if harm == "delete":
        file.unlink()
    elif harm == "truncate":
        file.write_bytes(file.read_bytes()[:-2])
    else:
        journal = batch.request.folder / ".ttsctl" / "journal.jsonl"
        kept = [line for line in journal.read_text().splitlines() if "two" not in line]
        journal.write_text("\n".join(kept) + "\n")
        file.unlink()
    assert batch.run().counts == Counter(skipped=2, done=1)


def test_a_failed_item_is_tried_again_when_it_is_asked_for(batch: Batch) -> None:
    """What the text itself brought about would only happen again; a changed text is another."""
    texts = rows("one", "!raise")
    assert batch.run(rows=texts).counts == Counter(done=1, failed=1)
    made = len(journal_lines(batch))
    assert batch.run(rows=texts).counts == Counter(skipped=1, failed=1)
    assert not [line for line in journal_lines(batch)[made:] if line["file"].startswith("0002")]
    assert batch.run(rows=texts, is_retrying=True).counts == Counter(skipped=1, failed=1)
    assert [line for line in journal_lines(batch)[made:] if line["file"].startswith("0002")]
    assert batch.run(rows=rows("one", "mended")).counts == Counter(skipped=1, done=1)


def test_a_voice_that_is_missing_is_looked_for_again(batch: Batch) -> None:
    """Whoever reads that a voice is not installed installs it, and types the same again."""
    item = plan_batch(batch.request, Journal(batch.request.folder)).tasks[0]
    gone = Outcome(item, "failed", error_code="TTS_MODEL_NOT_FOUND", error="it is gone")
    with Journal(batch.request.folder).recording() as recorder:
        recorder.record([gone])
    assert batch.run().counts == Counter(done=3)


def test_every_wrong_row_is_found_before_anything_starts(batch: Batch) -> None:
    given = [
        *manifest(
            {"text": "good"},
            {"text": "x" * 200_001},
            {"text": "a", "voice": "tone:nobody"},
            {"text": "a", "format": "wax"},
            {"text": "a", "output_file": "../up.wav"},
            {"text": "a", "output_file": "same.wav"},
            {"text": "b", "output_file": "SAME.wav"},
            {"text": "a", "speaker": "2"},
            {"text": "a", "id": "twice"},
            {"text": "b", "id": "twice"},
        ),
        ("m.jsonl", RowError(11, "not JSON")),
    ]
    plan = plan_batch(replace(batch.request, rows=given), Journal(batch.request.folder))
    assert [problem.line for problem in plan.problems] == [2, 3, 4, 5, 7, 8, 10, 11]
    assert "m.jsonl line 6" in str(plan.problems[4])
    assert not batch.request.folder.exists()


def test_a_row_decides_voice_speed_format_and_name(batch: Batch) -> None:
    given = manifest(
        {"text": "one", "speed": 2.0, "id": "greeting"},
        {"text": "two", "voice": "tone:sine", "output_file": "sub/b.flac"},
        {"text": "three", "format": "opus", "output_file": "c"},
    )
    report = batch.run(rows=given, template="{id}")
    assert report.counts == Counter(done=3)
    assert (batch.request.folder / "greeting.wav").is_file()
    assert (batch.request.folder / "sub" / "b.flac").is_file()
    assert (batch.request.folder / "c.opus").is_file()
    results = batch.results()
    assert [result["id"] for result in results] == ["greeting", "2", "3"]
    assert results[1]["voice"] == "tone:sine"
    assert batch.run(rows=given, template="{id}").counts == Counter(skipped=3)


def test_files_that_nobody_asks_for_any_more_are_told(batch: Batch) -> None:
    batch.run()
    fewer = replace(batch.request, rows=rows("one"))
    assert plan_batch(fewer, Journal(batch.request.folder)).removed == [
        "0002-two.wav",
        "0003-three.wav",
    ]


def test_a_check_finds_what_is_missing_stale_or_damaged(batch: Batch) -> None:
    folder = batch.request.folder
    batch.run()
    assert checked(batch, "one", "two", "three") == {}
    whole = (folder / "0002-two.wav").read_bytes()
    (folder / "0002-two.wav").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # of the same size
    (folder / "0003-three.wav").unlink()
    found = checked(batch, "one", "two", "three")
    assert found == {"0002-two.wav": "damaged", "0003-three.wav": "missing"}
    (folder / "0002-two.wav").write_bytes(whole)
    batch.run()
    assert checked(batch, "one!", "two", "three") == {"0001-one.wav": "stale"}


def checked(batch: Batch, *texts: str) -> dict[str, str]:
    request = replace(batch.request, rows=rows(*texts), may_replace=True)
    report = check_batch(plan_batch(request, Journal(request.folder)), request.folder)
    return {finding.file: finding.what for finding in report.findings}


def journal_lines(batch: Batch) -> list[dict[str, Any]]:
    text = (batch.request.folder / ".ttsctl" / "journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@given(
    path=st.lists(
        st.sampled_from(["a", "..", ".", "", "/", "con", "NUL.txt", "b.wav", " ", "x\x00", "\\"])
    ).map("/".join)
)
def test_no_path_leaves_the_folder(path: str) -> None:
    try:
        checked_path = check_path(path)
    except InvalidRequestError:
        return
    assert not Path(checked_path).is_absolute()
    assert set(Path(checked_path).parts) <= {"a", "b.wav"}


def test_a_journal_cut_at_any_byte_never_loses_or_invents_a_file(batch: Batch) -> None:
    batch.run()
    path = batch.request.folder / ".ttsctl" / "journal.jsonl"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        plan = plan_batch(replace(batch.request, may_replace=True), Journal(batch.request.folder))
        said = sum(line.count(b'"done"') for line in whole[:length].split(b"\n")[:-1])
        assert said <= len(plan.settled) <= said + 1  # a line may lack nothing but its end
    path.write_bytes(whole[:-10])
    assert batch.run().counts == Counter(skipped=2, done=1)
    assert batch.run().counts == Counter(skipped=3)


def test_a_file_whose_maker_was_killed_before_it_said_so_is_made_again(batch: Batch) -> None:
    batch.run()
    path = batch.request.folder / ".ttsctl" / "journal.jsonl"
    begun = [line for line in path.read_text().splitlines() if "begun" in line]
    path.write_text("\n".join(begun) + "\n")
    assert batch.run().counts == Counter(done=3)


def test_a_file_that_no_batch_made_is_not_replaced_unless_told_to(batch: Batch) -> None:
    batch.request.folder.mkdir()
    stranger = batch.request.folder / "0001-one.wav"
    stranger.write_bytes(b"mine")
    with pytest.raises(InvalidRequestError, match=r"0001-one\.wav in .* not made by a batch"):
        batch.run()
    assert stranger.read_bytes() == b"mine"
    assert batch.run(may_replace=True).counts == Counter(done=3)


def test_a_journal_that_cannot_be_read_is_an_output_error(batch: Batch) -> None:
    (batch.request.folder / ".ttsctl" / "journal.jsonl").mkdir(parents=True)
    with pytest.raises(OutputError, match="is a directory"):
        batch.run()


def test_what_is_begun_anew_is_not_taken_for_made(batch: Batch) -> None:
    """A run that was killed between a file and its journal line may have replaced the file."""
    batch.run()
    with Journal(batch.request.folder).recording() as recorder:
        recorder.announce(["0002-two.wav"])
    assert batch.run().counts == Counter(skipped=2, done=1)


def test_a_second_batch_in_the_same_folder_is_refused(batch: Batch) -> None:
    batch.run()
    with (
        Journal(batch.request.folder).recording(),
        pytest.raises(BusyError, match="process"),
    ):
        batch.run()


def test_an_output_folder_that_cannot_be_is_an_output_error(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="not a directory"):
        batch.run(folder=tmp_path / "file" / "out")


@pytest.mark.slow
def test_two_hundred_lines_with_one_that_kills_its_engine(batch: Batch) -> None:
    texts = [f"Line number {number}" for number in range(1, 201)]
    texts[136] = "Line number !segv"
    report = batch.run(jobs=2, rows=rows(*texts))
    assert report.counts == Counter(done=199, failed=1)
    assert len(batch.files()) == 199
    (failed,) = [result for result in batch.results() if result["state"] == "failed"]
    assert failed["line"] == 137
    assert "SIGSEGV" in str(failed["error"])
    again = batch.run(jobs=2, rows=rows(*texts))
    assert again.counts == Counter(skipped=199, failed=1)


@pytest.mark.slow
def test_an_engine_that_fails_every_line_fails_every_line_and_nothing_more(batch: Batch) -> None:
    report = batch.run(jobs=2, rows=rows(*(f"!exit {number}" for number in range(4))))
    assert report.counts == Counter(failed=4)
    assert not report.is_complete

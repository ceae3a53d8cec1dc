"""A batch accounts for every item, resumes, and contains what goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ttsctl.audio.formats import Encoding
from ttsctl.cache.eviction import CacheLimits
from ttsctl.engines.tone import DIGEST_BYTES, request_digest
from ttsctl.errors import BusyError, InvalidRequestError, OutputError, TextTooLongError
from ttsctl.speech import Voice
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.batch.items import RESULTS_FILE, BatchReport, Line, Outcome
from ttsctl.workflows.batch.journal import Journal
from ttsctl.workflows.batch.names import DEFAULT_TEMPLATE
from ttsctl.workflows.batch.planning import BatchRequest, plan_batch
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
        lines("one", "two", "three"),
        tmp_path / "out",
        Manner(faulty, "und"),
        Encoding("wav"),
        DEFAULT_TEMPLATE,
    )
    return Batch(request, SpeakerConfig(None, CacheLimits()))


def lines(*texts: str) -> list[Line]:
    return [Line(number, text) for number, text in enumerate(texts, 1)]


def test_every_line_becomes_a_file_that_proves_whose_it_is(batch: Batch) -> None:
    report = batch.run()
    assert report.counts == Counter(done=3)
    assert batch.files() == ["0001-one.wav", "0002-two.wav", "0003-three.wav"]
    for line, name in zip(batch.request.lines, batch.files(), strict=True):
        (planned,) = plan([line.text], batch.request.manner)
        sound = (batch.request.folder / name).read_bytes()[44:]
        assert sound[:DIGEST_BYTES] == request_digest(planned.utterance)


def test_results_are_in_input_order_and_complete(batch: Batch) -> None:
    batch.run(lines=lines("a long line that takes a while", "!raise", "...", "short"))
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
    report = batch.run(lines=lines("one", "two!", "three"))
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


def test_a_failed_item_is_tried_again(batch: Batch) -> None:
    texts = lines("one", "!raise")
    assert batch.run(lines=texts).counts == Counter(done=1, failed=1)
    assert batch.run(lines=texts).counts == Counter(skipped=1, failed=1)


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


def test_nothing_starts_when_a_line_is_over_the_limit(batch: Batch) -> None:
    with pytest.raises(TextTooLongError, match="line 2"):
        batch.run(lines=lines("one", "x" * 200_001))
    assert not batch.request.folder.exists()


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
    report = batch.run(jobs=2, lines=lines(*texts))
    assert report.counts == Counter(done=199, failed=1)
    assert len(batch.files()) == 199
    (failed,) = [result for result in batch.results() if result["state"] == "failed"]
    assert failed["line"] == 137
    assert "SIGSEGV" in str(failed["error"])
    again = batch.run(jobs=2, lines=lines(*texts))
    assert again.counts == Counter(skipped=199, failed=1)


@pytest.mark.slow
def test_an_engine_that_fails_every_line_fails_every_line_and_nothing_more(batch: Batch) -> None:
    report = batch.run(jobs=2, lines=lines(*(f"!exit {number}" for number in range(6))))
    assert report.counts == Counter(failed=6)
    assert not report.is_complete

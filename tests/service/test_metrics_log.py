"""Figures are kept in private files of bounded size, and never make anything fail."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ttsctl.service.metrics_log import MetricsLog


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_figures_are_appended_with_the_time(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for number in range(2):
        log = MetricsLog(path, clock=lambda: 1_700_000_000.0)
        log.append({"number": number, "rate": float("nan"), "text": "é\n"})
        log.close()
    assert lines_in(path) == [
        {"time": "2023-11-14T22:13:20Z", "number": number, "rate": None, "text": "é\n"}
        for number in range(2)
    ]


def test_folder_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "metrics.jsonl"
    log = MetricsLog(path, max_bytes=100)
    assert not path.parent.exists()
    for _ in range(10):
        log.append({"text": "x" * 30})
    log.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_three_files_of_bounded_size_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, max_bytes=1000)
    for number in range(200):
        log.append({"number": number})
    log.close()
    kept = [path.with_name("metrics.jsonl.2"), path.with_name("metrics.jsonl.1"), path]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert all(each.stat().st_size <= 1000 for each in kept)
    numbers = [line["number"] for each in kept for line in lines_in(each)]
    assert numbers == list(range(numbers[0], 200))


def test_what_cannot_be_written_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    log = MetricsLog(tmp_path / "file" / "metrics.jsonl")
    for _ in range(3):
        log.append({"a": 1})
    log.close()
    (message,) = caplog.messages
    assert message.startswith("metrics are not written to ")
    assert message.endswith("not a directory") or message.endswith("file exists")


def test_a_full_disk_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    log = MetricsLog(full)
    for _ in range(3):
        log.append({"a": 1})
    log.close()
    (message,) = caplog.messages
    assert message == "metrics are not written to /dev/full: no space left on device"


def test_writing_goes_on_when_it_is_possible_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.mkdir()
    log = MetricsLog(path)
    log.append({"number": 1})
    path.rmdir()
    log.append({"number": 2})
    log.close()
    assert [line["number"] for line in lines_in(path)] == [2]
    assert len(caplog.messages) == 1


def test_a_link_in_its_place_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, target = tmp_path / "metrics.jsonl", tmp_path / "target"
    path.symlink_to(target)
    log = MetricsLog(path)
    log.append({"a": 1})
    log.close()
    assert not target.exists()
    assert len(caplog.messages) == 1


def test_nothing_is_written_once_it_is_closed(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.close()
    log.append({"a": 1})
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.append({"number": number}), range(500)))
    log.close()
    assert sorted(line["number"] for line in lines_in(path)) == list(range(500))

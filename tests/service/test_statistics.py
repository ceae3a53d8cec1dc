"""Counts are exact, percentiles are of what was done last, and an alert is told of once."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.metrics import percentile
from ttsctl.service.statistics import CacheTier, Outcome, Statistics


def outcome(
    *,
    engine: str = "espeak",
    cache: CacheTier = "miss",
    is_cold: bool = False,
    error_code: str | None = None,
    stages_ms: Mapping[str, float | None] | None = None,
) -> Outcome:
    stages_ms = {"total": 10.0} if stages_ms is None else stages_ms
    return Outcome(engine, f"{engine}:a", cache, is_cold, error_code, stages_ms, 2.0, 30)


def after(*outcomes: Outcome) -> dict[str, Any]:
    statistics = Statistics()
    for each in outcomes:
        statistics.record(each)
    return statistics.snapshot()


def heard_after(first_audio_ms: float, error_code: str | None = None) -> Outcome:
    return outcome(stages_ms={"first_audio": first_audio_ms}, error_code=error_code)


def test_nothing_done_is_a_snapshot_too() -> None:
    snapshot = after()
    assert snapshot["requests"] == {"total": 0, "cold": 0, "warm": 0, "ok": 0, "failed": 0}
    assert snapshot["errors"] == snapshot["by_engine"] == {}
    assert snapshot["hit_rate"] is snapshot["x_realtime"] is snapshot["alert"] is None
    assert snapshot["by_tier"]["disk"] == {
        "requests": 0,
        "p50_ms": None,
        "p95_ms": None,
        "p99_ms": None,
    }
    assert snapshot["stages_ms"]["load"]["n"] == 0
    json.dumps(snapshot, allow_nan=False)


def test_requests_are_counted_by_how_they_went() -> None:
    snapshot = after(
        outcome(is_cold=True),
        outcome(cache="memory"),
        outcome(cache="disk", engine="piper"),
        outcome(cache="disk", engine="piper"),
        outcome(error_code="TTS_BUSY", is_cold=True),
        outcome(error_code="TTS_INVALID_VOICE", engine=""),
        outcome(error_code="TTS_INVALID_VOICE", engine=""),
    )
    assert snapshot["requests"] == {"total": 7, "cold": 2, "warm": 5, "ok": 4, "failed": 3}
    assert snapshot["errors"] == {"TTS_BUSY": 1, "TTS_INVALID_VOICE": 2}
    assert {name: each["requests"] for name, each in snapshot["by_engine"].items()} == {
        "espeak": 3,
        "piper": 2,
    }
    assert [each["requests"] for each in snapshot["by_tier"].values()] == [1, 1, 2]
    assert snapshot["hit_rate"] == 0.75
    assert (snapshot["audio_s"], snapshot["chars"]) == (8.0, 120)


def test_the_speed_is_that_of_what_was_synthesized() -> None:
    snapshot = after(
        outcome(stages_ms={"synthesis": 100.0}),
        outcome(stages_ms={"synthesis": 300.0}),
        outcome(stages_ms={"synthesis": 0.0}, cache="memory"),
        outcome(stages_ms={"synthesis": 9000.0}, error_code="TTS_TIMEOUT"),
    )
    assert snapshot["x_realtime"] == 10.0


def test_uptime_is_by_the_clock() -> None:
    now_s = 100.0
    statistics = Statistics(clock=lambda: now_s)
    now_s = 112.5
    assert statistics.uptime_s == 12.5
    assert statistics.snapshot()["uptime_s"] == 12.5


@given(times_ms=st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=50))
def test_percentiles_are_of_the_times_that_were_measured(times_ms: list[float]) -> None:
    snapshot = after(*(outcome(stages_ms={"total": each, "load": each}) for each in times_ms))
    p50, p95, p99 = (percentile(times_ms, percent) for percent in (50, 95, 99))
    expected = {"requests": len(times_ms), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
    assert snapshot["by_engine"]["espeak"] == snapshot["by_tier"]["miss"] == expected
    load = snapshot["stages_ms"]["load"]
    assert load.pop("mean") == pytest.approx(sum(times_ms) / len(times_ms), abs=0.001)
    assert load == {"n": len(times_ms), "p50": p50, "p95": p95, "p99": p99}


def test_engines_and_tiers_have_times_of_their_own() -> None:
    snapshot = after(
        outcome(stages_ms={"total": 1.0}, cache="memory"),
        outcome(stages_ms={"total": 50.0}, engine="piper"),
    )
    assert snapshot["by_engine"]["espeak"]["p99_ms"] == 1.0
    assert snapshot["by_engine"]["piper"]["p50_ms"] == 50.0
    assert snapshot["by_tier"]["memory"]["p99_ms"] == 1.0
    assert snapshot["by_tier"]["miss"]["p50_ms"] == 50.0


def test_times_are_those_of_the_last_thousand_requests() -> None:
    old = [outcome(stages_ms={"total": 500.0}) for _ in range(10)]
    snapshot = after(*old, *[outcome(stages_ms={"total": 1.0}) for _ in range(1000)])
    assert snapshot["requests"]["total"] == 1010
    assert snapshot["by_engine"]["espeak"]["requests"] == 1010
    assert snapshot["by_engine"]["espeak"]["p99_ms"] == 1.0
    assert snapshot["stages_ms"]["total"]["n"] == 1000


def test_a_stage_that_is_unknown_and_a_request_that_failed_have_no_time() -> None:
    snapshot = after(
        outcome(stages_ms={"total": 1.0, "g2p": None}),
        outcome(stages_ms={"total": 900.0, "g2p": 900.0}, error_code="TTS_TIMEOUT"),
    )
    assert snapshot["stages_ms"]["g2p"]["n"] == 0
    assert snapshot["stages_ms"]["total"]["p99"] == 1.0


def test_an_alert_is_told_of_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    statistics = Statistics(alert_p95_ms=150)
    for _ in range(40):
        statistics.record(heard_after(400.0))
    assert statistics.snapshot()["alert"] == {"p95_ms": 400.0, "limit_ms": 150}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == [
        "the p95 of the time to the first sound is 400.0 ms, over the limit of 150 ms"
    ]
    for _ in range(120):
        statistics.record(heard_after(20.0))
    assert statistics.snapshot()["alert"] is None
    assert caplog.messages[1:] == [
        "the p95 of the time to the first sound is 20.0 ms, back within 150 ms"
    ]
    for _ in range(100):
        statistics.record(heard_after(200.0))
    assert len(caplog.messages) == 3


def test_an_alert_needs_twenty_requests_that_went_well(caplog: pytest.LogCaptureFixture) -> None:
    statistics = Statistics(alert_p95_ms=150)
    for _ in range(100):
        statistics.record(heard_after(400.0, error_code="TTS_ENGINE_FAILED"))
        statistics.record(outcome())
    for _ in range(19):
        statistics.record(heard_after(400.0))
    assert statistics.snapshot()["alert"] is None
    statistics.record(heard_after(400.0))
    assert statistics.snapshot()["alert"] is not None
    assert len(caplog.messages) == 1


def test_one_slow_request_in_a_hundred_is_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    statistics = Statistics(alert_p95_ms=150)
    for number in range(300):
        statistics.record(heard_after(400.0 if number % 100 == 50 else 20.0))
    assert caplog.messages == []


def test_without_a_limit_there_is_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    statistics = Statistics()
    for _ in range(50):
        statistics.record(heard_after(9000.0))
    assert statistics.snapshot()["alert"] is None
    assert caplog.messages == []


def test_many_threads_are_counted_to_the_last(caplog: pytest.LogCaptureFixture) -> None:
    statistics = Statistics(alert_p95_ms=150)

    def record_all(_: int) -> None:
        for _ in range(200):
            statistics.record(heard_after(400.0))
            statistics.record(outcome(error_code="TTS_BUSY"))
        statistics.snapshot()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record_all, range(8)))
    snapshot = statistics.snapshot()
    assert snapshot["requests"] == {
        "total": 3200,
        "cold": 0,
        "warm": 3200,
        "ok": 1600,
        "failed": 1600,
    }
    assert snapshot["errors"] == {"TTS_BUSY": 1600}
    assert len(caplog.messages) == 1

"""`ttsctl cache`, and what it says after real use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow


def test_counts_hits_and_misses_across_processes(run: Run) -> None:
    for _ in range(3):
        run("say", "hello", "-o", "a.wav")
    stats = run("cache", "stats", "--json").json
    assert (stats["entries"], stats["misses"], stats["hits_disk"]) == (1, 1, 2)
    assert stats["hit_rate"] > 0.6
    assert list(stats["by_voice"]) == ["espeak:en-us"]
    assert stats["limit_bytes"] == 2048 << 20


def test_lists_what_was_said(run: Run) -> None:
    run("say", "hello", "-o", "a.opus")
    entries = run("cache", "list", "--json").json["entries"]
    assert sorted(entry["format"] for entry in entries) == ["opus", "wav"]
    assert {entry["text"] for entry in entries} == {"hello"}
    assert b"hello" in run("cache", "list").stdout


def test_a_pin_outlives_clear_until_it_is_taken_back(run: Run) -> None:
    run("say", "hello", "-o", "a.wav")
    run("cache", "pin", "hello")
    run("cache", "clear", "--yes")
    assert run("cache", "stats", "--json").json["entries"] == 1
    run("cache", "unpin", "hello")
    run("cache", "clear", "--yes")
    assert run("cache", "stats", "--json").json["entries"] == 0


def test_clears_one_voice(run: Run) -> None:
    run("say", "hello", "-o", "a.wav")
    run("say", "hello", "-v", "tone:sine", "-o", "a.wav")
    assert run("cache", "clear", "-v", "tone:sine", "--yes", "--json").json["removed"] == 1
    assert run("say", "hello", "-o", "a.wav", "--json").json["cache"] == "disk"


def test_nothing_is_cleared_without_a_yes(run: Run) -> None:
    run("say", "hello", "-o", "a.wav")
    assert run("cache", "clear", "--json").code == 2
    assert run("cache", "clear", stdin=b"n\n").code == 2
    unanswered = run("cache", "clear")
    assert (unanswered.code, "--yes" in unanswered.stderr) == (2, True)
    assert run("cache", "stats", "--json").json["entries"] == 1


def test_a_cache_of_no_use_is_said_to_be_so(run: Run) -> None:
    for command in (["stats"], ["pin", "hello"], ["clear", "--yes"], ["verify"]):
        answer = run("--cache-dir", "/proc", "cache", *command)
        assert (answer.code, "cannot be used" in answer.stderr) == (5, True)


def test_prunes_to_a_size(run: Run) -> None:
    run("say", "hello", "-o", "a.wav")
    assert run("cache", "prune", "--json").json["removed"] == 0
    assert run("cache", "prune", "--max-mb", "0", "--json").json["removed"] == 1


def test_verify_finds_damage_and_mends_it(run: Run) -> None:
    run("say", "hello", "-o", "a.wav")
    assert run("cache", "verify").code == 0
    folder = Path(run("cache", "path", "--json").json["path"])
    (value,) = folder.rglob("*.val")
    value.write_bytes(value.read_bytes()[:-1])
    found = run("cache", "verify", "--json")
    assert (found.code, len(found.json["problems"])) == (7, 1)
    assert run("cache", "verify", "--fix").code == 0
    assert run("cache", "verify").code == 0
    assert run("say", "hello", "-o", "a.wav", "--json").json["cache"] == "miss"


def test_an_entry_damaged_behind_our_back_is_never_served(run: Run, tmp_path: Path) -> None:
    run("say", "hello", "-o", "a.wav")
    folder = Path(run("cache", "path", "--json").json["path"])
    (value,) = folder.rglob("*.val")
    damaged = bytearray(value.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    value.write_bytes(damaged)
    assert run("say", "hello", "-o", "b.wav", "--json").json["cache"] == "miss"
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()

"""Batches with poison in them, and batches killed at random moments: every item accounted for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.campaign.batch_oracle import half_way, verdict
from benchmarks.campaign.promise import Promise

POISONED_BATCHES = 5
KILLS = 60
_LINES = 1_000
_KILLED_LINES = 60
_SCALE_ITEMS = 100_000


def poison(scale: float, seed: int) -> list[Promise]:
    """One line that kills its engine among 1,000, on two workers; and the same run again."""
    source = random.Random(seed)
    count = max(1, int(POISONED_BATCHES * scale))
    done = failed = innocent = redone = 0
    for _ in range(count):
        with tempfile.TemporaryDirectory() as name:
            lines = [f"line {number}" for number in range(1, _LINES + 1)]
            place = source.randrange(_LINES)
            lines[place] += " !segv"
            (Path(name) / "script.txt").write_text("\n".join(lines))
            report = _batch(name)
            done, failed = done + report["done"], failed + report["failed"]
            results = (Path(name) / "script" / "results.jsonl").read_text().splitlines()
            charged = [json.loads(line) for line in results if '"failed"' in line]
            innocent += sum(item["line"] != place + 1 for item in charged)
            redone += _batch(name)["done"]
    return [
        Promise("batches of 1,000 lines", count),
        Promise("lines not done", count * (_LINES - 1) - done, at_most=0),
        Promise("lines failed beyond the poison", failed - count, at_most=0),
        Promise("innocent lines charged", innocent, at_most=0),
        Promise("lines made again by a second run", redone, at_most=0),
    ]


def kills(scale: float, seed: int) -> list[Promise]:
    """SIGKILL the coordinator at random moments and run again until the batch is done."""
    source = random.Random(seed)
    wanted, killed = max(1, int(KILLS * scale)), 0
    wrong = missing = orphans = 0
    while killed < wanted:
        with tempfile.TemporaryDirectory() as name:
            lines = [f"line {number} !slow=30" for number in range(1, _KILLED_LINES + 1)]
            (Path(name) / "script.txt").write_text("\n".join(lines))
            for _ in range(3):
                orphans += _kill_one(name, source.uniform(0.5, 2.5))
                wrong += len(half_way(lines, Path(name) / "script"))
                killed += 1
            report = _batch(name)
            finished = report["done"] + report["cached"] + report["skipped"]
            missing += _KILLED_LINES - finished
            wrong += len(verdict(lines, Path(name) / "script"))
    return [
        Promise("kills", killed),
        Promise("items missing after the last run", missing, at_most=0),
        Promise("what the oracle finds wrong", wrong, at_most=0),
        Promise("processes left", orphans, at_most=0),
    ]


def at_scale(scale: float, seed: int) -> list[Promise]:
    """A manifest of 100,000 short items: what the books cost, and what an item costs."""
    count = max(1_000, int(_SCALE_ITEMS * scale))
    with tempfile.TemporaryDirectory() as name:
        lines = (f"item {random.Random(seed + number).random()}" for number in range(count))
        (Path(name) / "script.txt").write_text("\n".join(lines))
        planning_s, _ = _measured(name, "--dry-run")
        wall_s, size_mb = _measured(name)
        scan_s, _ = _measured(name)
        done = len((Path(name) / "script" / "results.jsonl").read_text().splitlines())
    return [
        Promise("items", done),
        Promise("items missing", count - done, at_most=0),
        Promise("planning, s", round(planning_s, 2), at_most=10),
        Promise("scan of a folder where all is done, s", round(scan_s, 2), at_most=5),
        Promise("largest resident size of the coordinator, MB", round(size_mb), at_most=300),
        Promise("time of an item at 2 jobs, ms", round(wall_s / count * 1000, 3), at_most=1),
    ]


def _measured(folder: str, *arguments: str) -> tuple[float, float]:
    """Run the batch of `script.txt`; return its seconds and its largest resident size in MB."""
    command = ["batch", "script.txt", "-v", "tone:sine", "-j", "2", "--no-cache", *arguments]
    started_at = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "ttsctl", *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # What wait4 tells is of this process alone: its own children count where it waits for them.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the batch ended with {process.returncode}")
    return time.monotonic() - started_at, usage.ru_maxrss / 1024


def _command() -> list[str]:
    arguments = ["batch", "script.txt", "-v", "tone:faulty", "-j", "2", "--json", "--no-cache"]
    return [sys.executable, "-m", "ttsctl", *arguments]


def _batch(folder: str) -> dict[str, Any]:
    finished = subprocess.run(_command(), cwd=folder, stdout=subprocess.PIPE, check=False)
    report = json.loads(finished.stdout)
    assert isinstance(report, dict)
    return report


def _kill_one(folder: str, after_s: float) -> int:
    """Kill a batch and return how many of its processes are still there five seconds later."""
    process = subprocess.Popen(
        _command(), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(after_s)
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    for survivor in alive:
        survivor.kill()
    return len(alive)

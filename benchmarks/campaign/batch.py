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

from benchmarks.campaign.promise import Promise
from ttsctl.engines.tone import DIGEST_BYTES, request_digest
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.plan import Manner, plan

POISONED_BATCHES = 5
KILLS = 60
_LINES = 1_000
_KILLED_LINES = 60


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
    wrong = missing = leftovers = orphans = 0
    while killed < wanted:
        with tempfile.TemporaryDirectory() as name:
            lines = [f"line {number} !slow=30" for number in range(1, _KILLED_LINES + 1)]
            (Path(name) / "script.txt").write_text("\n".join(lines))
            for _ in range(3):
                orphans += _kill_one(name, source.uniform(0.5, 2.5))
                killed += 1
            report = _batch(name)
            finished = report["done"] + report["cached"] + report["skipped"]
            missing += _KILLED_LINES - finished
            wrong += _wrong_files(Path(name) / "script", lines)
            leftovers += len(list((Path(name) / "script").glob("*.part")))
            leftovers += len(list((Path(name) / "script").glob(".*.part")))
    return [
        Promise("kills", killed),
        Promise("items missing after the last run", missing, at_most=0),
        Promise("files that are not their own item's", wrong, at_most=0),
        Promise("temporary files left", leftovers, at_most=0),
        Promise("processes left", orphans, at_most=0),
    ]


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


def _wrong_files(folder: Path, lines: list[str]) -> int:
    """Count files that do not open with the digest of their own line."""
    voice = resolve("tone:faulty")
    wrong = 0
    for index, line in enumerate(lines, 1):
        (planned,) = plan([line], Manner(voice, voice.language))
        (file,) = folder.glob(f"{index:04d}-*.wav")
        sound = file.read_bytes()[44:]
        wrong += sound[:DIGEST_BYTES] != request_digest(planned.utterance)
    return wrong

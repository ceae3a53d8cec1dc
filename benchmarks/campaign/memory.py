"""Memory that does not grow with the work."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.campaign.promise import Promise

_LINES = 10_000


def batch(scale: float, seed: int) -> list[Promise]:
    """Watch the coordinator of a batch of 10,000 lines of the tone engine."""
    count = int(_LINES * scale)
    with tempfile.TemporaryDirectory() as name:
        lines = (f"line number {number} of seed {seed}" for number in range(count))
        (Path(name) / "script.txt").write_text("\n".join(lines))
        command = [sys.executable, "-m", "ttsctl", "batch", "script.txt", "-v", "tone:sine"]
        started_at = time.monotonic()
        process = subprocess.Popen(
            [*command, "-j", "2", "--no-cache"], cwd=name, stdout=subprocess.DEVNULL
        )
        seen = _watch(process, Path(name) / "script" / ".ttsctl" / "journal.jsonl", count)
        elapsed_s = time.monotonic() - started_at
    early = max(mb for share, mb in seen if share <= 0.2)
    return [
        Promise("lines", count),
        Promise("ms a line, two jobs", round(elapsed_s * 1000 / count, 2)),
        Promise("MB after a fifth", round(early, 1)),
        Promise("MB at most", round(max(mb for _, mb in seen), 1), at_most=300),
        Promise("MB grown since the first fifth", round(seen[-1][1] - early, 1), at_most=10),
    ]


def _watch(
    process: subprocess.Popen[bytes], journal: Path, count: int
) -> list[tuple[float, float]]:
    """Return (share of the lines done, resident MB) twice a second until the process ends."""
    seen: list[tuple[float, float]] = []
    while process.poll() is None:
        if journal.exists():
            done = max(0, journal.read_bytes().count(b"\n") - count)  # each was announced first
            try:
                resident = psutil.Process(process.pid).memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                break
            if done:
                seen.append((done / count, resident))
        time.sleep(0.5)
    return seen

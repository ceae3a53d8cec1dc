"""Memory that does not grow with the work."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil

from benchmarks.campaign.promise import Promise
from ttsctl.cache.eviction import CacheLimits
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.assembly import SpeakerConfig, make_speaker
from ttsctl.workflows.plan import Manner, plan
from ttsctl.workflows.speak import Speaker

_LINES = 10_000
_SOAK_S = 600


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


def soak(scale: float, seed: int) -> list[Promise]:
    """Speak for minutes with one speaker; neither it nor its worker may grow."""
    source = random.Random(seed)
    seconds = _SOAK_S * scale
    own = psutil.Process()
    with tempfile.TemporaryDirectory() as name:
        limits = CacheLimits(memory_bytes=4 << 20, disk_bytes=20 << 20)
        config = SpeakerConfig(Path(name) / "cache", limits)
        with closing(make_speaker(config)) as speaker:
            count = _talk(speaker, source, seconds * 0.3)  # caches and pools fill up
            before = _size(own)
            count += _talk(speaker, source, seconds * 0.7)
            after = _size(own)
    return [
        Promise("minutes", round(seconds / 60, 1)),
        Promise("utterances", count),
        Promise("MB grown, this process", round(after[0] - before[0], 1), at_most=5),
        Promise("MB grown, worker", round(after[1] - before[1], 1), at_most=5),
        Promise("file descriptors grown", after[2] - before[2], at_most=0),
    ]


def _talk(speaker: Speaker, source: random.Random, seconds: float) -> int:
    """Speak for so long, every write to the cache included; return the number of sentences."""
    manner = Manner(resolve("espeak:en-us"), "en-us")
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        text = f"Sentence number {source.randrange(3_000)} of a long day of talking."
        for _ in speaker.clips(plan([text], manner), speaker.start_log()):
            pass
        count += 1
    speaker.cache.flush()
    return count


def _size(own: psutil.Process) -> tuple[float, float, int]:
    """Return resident MB of this process and of the worker, and open descriptors here."""
    workers = [child.memory_info().rss for child in own.children()]
    return own.memory_info().rss / 1e6, sum(workers) / 1e6, own.num_fds()

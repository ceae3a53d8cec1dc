"""Batches that are killed, stopped and robbed of their processes at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmarks.campaign.batch_oracle import VOICE, half_way, journal, results, verdict
from tests.timing import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KILLS = 32
STOPS = 10
END_S = 5.0  # how soon everything is over
_PHASES = ("planning", "pool", "work", "results")


@dataclass
class Scene:
    """A manifest of tone items, and the folder that it becomes."""

    home: Path
    lines: list[str]

    def __post_init__(self) -> None:
        self.home.mkdir()
        (self.home / "script.txt").write_text("\n".join(self.lines))

    @property
    def folder(self) -> Path:
        return self.home / "script"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the batch as a user does; it and all of its processes are gone at the end."""
        arguments = ["batch", "script.txt", "-v", VOICE, "-j", "2", "--no-cache", "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "ttsctl", *arguments],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ),
            start_new_session=True,
        )
        try:
            yield process
        finally:
            for each in _family(process):
                _kill(each)
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def finish(self) -> Counter[str]:
        """Run the batch to its end, and return what its last line of JSON counts."""
        with self.running() as process:
            stdout, _ = process.communicate(timeout=120)
        fields = json.loads(stdout)
        counts = {state: fields[state] for state in ("done", "skipped", "failed", "quarantined")}
        assert fields["total"] == len(self.lines) == sum(counts.values())
        return Counter({state: count for state, count in counts.items() if count})

    def files(self) -> int:
        return len(list(self.folder.glob("*.wav")))

    def wait_for(self, phase: str, process: subprocess.Popen[bytes], source: random.Random) -> None:
        """Return at a random moment of `phase`, or at the end of the process."""
        announced = len(journal(self.folder))
        made = self.files()
        begun = {
            "planning": lambda: True,
            "pool": lambda: len(journal(self.folder)) > announced,
            "work": lambda: self.files() > made,
            "results": lambda: self.files() == len(self.lines),
        }[phase]
        wait_until(lambda: begun() or process.poll() is not None)
        longest_s = {"planning": 0.4, "pool": 0.8, "work": 0.2, "results": 0.15}[phase]
        time.sleep(source.uniform(0, longest_s))


def make_scene(home: Path, count: int) -> Scene:
    return Scene(home, [f"line {number} !slow=15" for number in range(1, count + 1)])


@pytest.fixture(name="source")
def _source() -> random.Random:
    seed = int(os.environ.get("SEED", time.time_ns() % 100_000))
    print(f"SEED={seed}")
    return random.Random(seed)


def test_a_batch_killed_at_any_moment_goes_on_where_it_was(
    tmp_path: Path, source: random.Random
) -> None:
    """Only the coordinator is killed: what it started has to end by itself."""
    killed: Counter[str] = Counter()
    scenes = 0
    while killed.total() < KILLS:
        scenes += 1
        scene = make_scene(tmp_path / str(scenes), source.choice([20, 60]))
        for phase in (*_PHASES[:3], source.choice(_PHASES[1:3]), "results"):
            with scene.running() as process:
                scene.wait_for(phase, process, source)
                family = _family(process)
                process.kill()
                killed[phase] += process.wait() == -signal.SIGKILL
                assert half_way(scene.lines, scene.folder) == []
                if source.random() < 0.5:  # else the next run meets what is dying of this one
                    _, alive = psutil.wait_procs(family, timeout=END_S)
                    assert alive == []
        assert scene.finish().keys() <= {"done", "skipped"}
        assert verdict(scene.lines, scene.folder) == []
        assert scene.finish() == Counter(skipped=len(scene.lines))
        assert verdict(scene.lines, scene.folder) == []
    print(f"kills: {dict(killed)} in {scenes} batches")
    assert all(killed[phase] for phase in _PHASES)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_batch_stopped_at_any_moment_ends_by_the_signal(
    tmp_path: Path, source: random.Random, number: signal.Signals
) -> None:
    """A terminal sends Ctrl-C to the whole group; SIGTERM comes to one process alone."""
    stopped = 0
    scenes = 0
    while stopped < STOPS:
        scenes += 1
        scene = make_scene(tmp_path / str(scenes), 60)
        for phase in source.sample(_PHASES, 4):
            with scene.running() as process:
                time.sleep(0.15)  # Python itself is not yet there before
                scene.wait_for(phase, process, source)
                family = _family(process)
                if process.poll() is None:
                    _send(process, number)
                    started_at = time.monotonic()
                    ended_by = process.wait(timeout=60)
                    assert time.monotonic() - started_at < END_S
                    assert ended_by in (-number, 0)  # it may have been done just then
                    stopped += ended_by == -number
                _, alive = psutil.wait_procs(family, timeout=END_S)
                assert alive == []
            assert half_way(scene.lines, scene.folder) == []
            assert list(scene.folder.rglob("*.part")) == []
        scene.finish()
        assert verdict(scene.lines, scene.folder) == []


def test_pool_processes_that_are_killed_take_no_item_along(
    tmp_path: Path, source: random.Random
) -> None:
    """As the kernel does for want of memory. Two deaths with it in hand quarantine an item."""
    scene = Scene(tmp_path / "s", [f"line {number} !slow=100" for number in range(1, 81)])
    kills = 0
    with scene.running() as process:
        wait_until(lambda: scene.files() > 0)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and process.poll() is None:
            if pool := _pool_processes(process):
                _kill(source.choice(pool))
                kills += 1
            time.sleep(0.3)
        stdout, _ = process.communicate(timeout=200)
    fields = json.loads(stdout)
    print(f"{kills} kills: {fields}")
    assert fields["done"] + fields["quarantined"] == len(scene.lines)
    assert fields["quarantined"] <= kills / 2
    assert verdict(scene.lines, scene.folder) == []
    states = Counter(each["state"] for each in results(scene.folder))
    assert states["quarantined"] == fields["quarantined"]


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return what the process has started and what that has started."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _pool_processes(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    pool = []
    for each in psutil.Process(process.pid).children():
        try:
            if any("popen_loky" in argument for argument in each.cmdline()):
                pool.append(each)
        except psutil.NoSuchProcess:
            pass
    return pool


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()

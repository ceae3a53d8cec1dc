"""The races: each runs both sides in turn, so that a busy moment meets both."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import texts
from benchmarks.peers.world import KOKORO_NAME, PIPER_NAME, World, ttsctl

BIN = Path(sys.executable).parent


@dataclass
class Race:
    """Measurements of one thing on both sides."""

    name: str

    unit: str
    """"ms", where less is better, or "x real time", where more is."""

    goal: float
    """By what factor ttsctl is to be ahead."""

    peer: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def factor(self) -> float:
        """How many times better ttsctl is, by medians."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return theirs / ours if self.unit == "ms" else ours / theirs

    def fields(self) -> dict[str, Any]:
        """Return the race's JSON object."""
        return {
            "name": self.name,
            "peer": self.peer,
            "unit": self.unit,
            "n": len(self.ours),
            "ttsctl": [round(value, 2) for value in self.ours],
            "theirs": [round(value, 2) for value in self.theirs],
            "ttsctl_median": round(statistics.median(self.ours), 2),
            "theirs_median": round(statistics.median(self.theirs), 2),
            "factor": round(self.factor, 2),
            "goal": self.goal,
            "reached": self.factor >= self.goal,
        }


def cold_piper(world: World, repeats: int) -> Iterator[Race]:
    """From the start of the command to its first sound, against piper's whole time."""
    peer = [str(BIN / "piper"), "-m", str(world.piper_model), "-f", "theirs.wav", texts.SENTENCE]
    race = Race("cold start", "ms", 5, "piper")
    yield _cold(world, repeats, race, [PIPER_NAME, texts.SENTENCE], peer)


def cold_kokoro(world: World, repeats: int) -> Iterator[Race]:
    """The same against the kokoro package's command line, in Spanish.

    For English the package fetches a model of spaCy, which a race without a network cannot have.
    """
    spoken = {"of two clauses": texts.SPANISH_CLAUSES, "of one clause": texts.SPANISH}
    for kind, text in spoken.items():
        peer = [sys.executable, "-m", "kokoro", "-m", KOKORO_NAME, "-o", "theirs.wav", "-t", text]
        race = Race(f"cold start, a sentence {kind}", "ms", 8, "kokoro")
        yield _cold(world, repeats, race, [KOKORO_NAME, text], peer)


def _cold(world: World, repeats: int, race: Race, what: list[str], peer: list[str]) -> Race:
    voice, text = what
    stream = [*ttsctl(), "say", text, "-v", voice, "--no-cache", "--stream", "-o", "-"]
    world.run(peer)  # both once before it counts, for the files to be in memory
    _first_byte_ms(world, stream)
    for _ in range(repeats):
        race.ours.append(_first_byte_ms(world, stream))
        race.theirs.append(_timed(lambda: world.run(peer)) * 1_000)
    return race


def _first_byte_ms(world: World, command: list[str]) -> float:
    """Return the time from the start of a program to its first sample on stdout."""
    started_at = time.perf_counter()
    with subprocess.Popen(
        [*command, "--format", "pcm"],
        env=world.environment,
        cwd=world.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(2)
        took_s = time.perf_counter() - started_at
        process.stdout.read()
    if len(first) < 2:
        raise RuntimeError(f"{command} made no sound")
    return took_s * 1_000


def warm_piper(world: World, repeats: int) -> Iterator[Race]:
    """First sound with the model loaded, on one processor."""
    spoken = {
        "first sound, 70 characters": (texts.SENTENCE, 237 / 45),
        "first sound, 134 characters": (texts.LONG_SENTENCE, 438 / 60),
        "first sound, 2,000 characters": (texts.PARAGRAPH, 1.0),
    }
    races = [Race(name, "ms", round(goal, 1), "piper") for name, (_, goal) in spoken.items()]
    request = [text for text, _ in spoken.values()]
    sides = [
        _module("warm", side, str(world.piper_model), PIPER_NAME) for side in ("ttsctl", "piper")
    ]
    with _answering(world, sides[0]) as ours, _answering(world, sides[1]) as theirs:
        for repeat in range(repeats + 1):
            answers = ours(request), theirs(request)
            if repeat:  # the first is for warming up
                for race, our, their in zip(races, *answers, strict=True):
                    race.ours.append(our)
                    race.theirs.append(their)
    yield from races


def bulk_piper(world: World, repeats: int) -> Iterator[Race]:
    """Sixty lines into sixty files, the whole command on all processors."""
    race = Race("60 lines to files", "x real time", 1.6, "piper")
    lines = _write_lines(world, "lines.txt", texts.LINES)
    for repeat in range(repeats):
        race.ours.append(_batch_speed(world, lines, PIPER_NAME, f"ours-{repeat}"))
        folder = world.folder / f"theirs-{repeat}"
        shutil.rmtree(folder, ignore_errors=True)
        peer = [str(BIN / "piper"), "-m", str(world.piper_model), "-i", str(lines)]
        took_s = _timed(lambda: world.run([*peer, "-d", str(folder)]))  # noqa: B023 - used at once
        race.theirs.append(_sound_s(folder) / took_s)
    yield race


def bulk_kokoro(world: World, repeats: int) -> Iterator[Race]:
    """Twelve lines: our whole command, against the package with its model loaded already."""
    race = Race("12 lines, theirs loaded before", "x real time", 1.6, "kokoro")
    lines = _write_lines(world, "spanish.txt", texts.SPANISH_LINES)
    with _answering(world, _module("bulk", KOKORO_NAME)) as theirs:
        for repeat in range(repeats):
            race.ours.append(_batch_speed(world, lines, KOKORO_NAME, f"kokoro-{repeat}"))
            took_s, sound_s = theirs(texts.SPANISH_LINES)
            race.theirs.append(sound_s / took_s)
    yield race


def _batch_speed(world: World, lines: Path, voice: str, folder: str) -> float:
    """Return seconds of sound a second of a whole `ttsctl batch`."""
    shutil.rmtree(world.folder / folder, ignore_errors=True)  # or the files there would count
    command = [*ttsctl(), "batch", str(lines), "-v", voice, "--no-cache", "-d", folder]
    took_s = _timed(lambda: world.run(command))
    return _sound_s(world.folder / folder) / took_s


def _write_lines(world: World, name: str, lines: list[str]) -> Path:
    path = world.folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _sound_s(folder: Path) -> float:
    seconds = 0.0
    for path in folder.glob("*.wav"):
        with wave.open(str(path)) as sound:
            seconds += sound.getnframes() / sound.getframerate()
    return seconds


def _timed(action: Callable[[], None]) -> float:
    started_at = time.perf_counter()
    action()
    return time.perf_counter() - started_at


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.peers.{name}", *arguments]


Answer = Callable[[list[str]], Any]


@contextmanager
def _answering(world: World, command: list[str]) -> Iterator[Answer]:
    """Start a program that answers each line of JSON by one."""
    environment = {**world.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, back = process.stdin, process.stdout

        def ask(texts: list[str]) -> Any:
            to.write(json.dumps(texts) + "\n")
            to.flush()
            return json.loads(back.readline())

        try:
            yield ask
        finally:
            process.kill()


RACES: dict[str, Callable[[World, int], Iterator[Race]]] = {
    "cold-piper": cold_piper,
    "warm-piper": warm_piper,
    "bulk-piper": bulk_piper,
    "cold-kokoro": cold_kokoro,
    "bulk-kokoro": bulk_kokoro,
}

"""The scenarios: each measures one thing that a user waits for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ttsctl.audio.encode import encode_whole
from ttsctl.audio.formats import FORMATS, Encoding
from ttsctl.cache.eviction import CacheLimits
from ttsctl.speech import Clip, join
from ttsctl.text.rows import Row
from ttsctl.workflows import pool
from ttsctl.workflows.assembly import SpeakerConfig, make_speaker
from ttsctl.workflows.batch.items import Item
from ttsctl.workflows.batch.making import chunks, lost, make_file
from ttsctl.workflows.bench.figures import Figure
from ttsctl.workflows.plan import Manner, PlannedUtterance, plan
from ttsctl.workflows.speak import Speaker

PHRASE = "Hello, how can I help you?"
SENTENCES = {
    "short": PHRASE,
    "medium": "The train to the coast leaves from platform nine in about twenty minutes.",
    "long": (
        "The train to the coast leaves from platform nine in about twenty minutes, "
        "and there will be coffee and sandwiches in the third carriage."
    ),
}
_LINES = 100
_ENCODED_S = 120.0
_HITS_A_REPEAT = 100


@dataclass(frozen=True)
class BenchSetup:
    """What the scenarios share."""

    manner: Manner

    folder: Path
    """An empty folder for caches and files; the caller removes it."""

    repeats: int

    def speaker(self, *, memory_bytes: int = 64 << 20, is_cached: bool = True) -> Speaker:
        """Return a speaker with a cache of its own, or without one; the caller closes it."""
        limits = CacheLimits(memory_bytes=memory_bytes)
        return make_speaker(SpeakerConfig(self.folder / "cache" if is_cached else None, limits))

    def utterances(self, text: str) -> list[PlannedUtterance]:
        """Return the plan of `text`."""
        return list(plan([text], self.manner))


def hit(setup: BenchSetup) -> Iterator[Figure]:
    """A cached phrase: from memory and from disk inside a process, and as a whole command."""
    utterances = setup.utterances(PHRASE)
    for name, memory_bytes in (("memory", 64 << 20), ("disk", 0)):
        with closing(setup.speaker(memory_bytes=memory_bytes)) as speaker:
            _consume(speaker, utterances)
            speaker.cache.flush()
            _consume(speaker, utterances)
            count = setup.repeats * _HITS_A_REPEAT
            values = [_ms(partial(_consume, speaker, utterances)) for _ in range(count)]
        yield Figure("hit", name, "ms", values)
    yield Figure("hit", "command", "ms", _command_times(setup, ["--cache-dir", "cache"], []))


def cold(setup: BenchSetup) -> Iterator[Figure]:
    """An uncached phrase as a whole command: start, load, speak, write."""
    yield Figure("cold", "command", "ms", _command_times(setup, [], ["--no-cache"]))


def first_audio(setup: BenchSetup) -> Iterator[Figure]:
    """From the request to the first sound, with the voice loaded, for three lengths."""
    with closing(setup.speaker(is_cached=False)) as speaker:
        _consume(speaker, setup.utterances(PHRASE))
        times: dict[str, list[float]] = {name: [] for name in SENTENCES}
        for _ in range(setup.repeats):
            for name, text in SENTENCES.items():
                utterances = setup.utterances(text)
                log = speaker.start_log()
                for _clip in speaker.clips(utterances, log):
                    pass
                times[name].append(log.first_audio_s * 1000)
    for name, values in times.items():
        yield Figure("first-audio", f"{name}, {len(SENTENCES[name])} characters", "ms", values)


def throughput(setup: BenchSetup) -> Iterator[Figure]:
    """Seconds of speech a second, over 100 lines into files, by number of jobs."""
    counts = range(1, pool.default_jobs() + 1)
    paces: dict[int, list[float]] = {jobs: [] for jobs in counts}
    for jobs in counts:
        _batch(setup, jobs, 0)  # the pool and its workers start here
    for repeat in range(1, setup.repeats + 1):
        for jobs in counts:
            paces[jobs].append(_batch(setup, jobs, repeat))
    for jobs, values in paces.items():
        yield Figure("throughput", f"{_LINES} lines", "x real time", values, jobs=jobs)


def encode(setup: BenchSetup) -> Iterator[Figure]:
    """Two minutes of speech into each format."""
    with closing(setup.speaker(is_cached=False)) as speaker:
        log = speaker.start_log()
        spoken = join(list(speaker.clips(setup.utterances(SENTENCES["long"]), log)))
    times = int(_ENCODED_S / spoken.duration_s) + 1
    frames = round(_ENCODED_S * spoken.sample_rate)
    clip = Clip((spoken.pcm * times)[: frames * 2], spoken.sample_rate)
    durations: dict[str, list[float]] = {name: [] for name in FORMATS}
    for _ in range(setup.repeats):
        for name in FORMATS:
            durations[name].append(_ms(partial(encode_whole, clip, Encoding(name))))
    for name, values in durations.items():
        yield Figure("encode", f"{name}, {_ENCODED_S:.0f} s of speech", "ms", values)


SCENARIOS: dict[str, Callable[[BenchSetup], Iterator[Figure]]] = {
    "hit": hit,
    "cold": cold,
    "first-audio": first_audio,
    "throughput": throughput,
    "encode": encode,
}


def _consume(speaker: Speaker, utterances: list[PlannedUtterance]) -> None:
    for _ in speaker.clips(utterances, speaker.start_log()):
        pass


def _ms(action: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    action()
    return (time.perf_counter() - started_at) * 1000


def _command_times(setup: BenchSetup, before: list[str], after: list[str]) -> list[float]:
    """Time `ttsctl say PHRASE` as a user types it, first a run that does not count."""
    command = [sys.executable, "-m", "ttsctl", *before, "say", PHRASE, "-o", "out.wav"]
    command += ["--voice", setup.manner.voice.id, *after]

    def run() -> None:
        subprocess.run(command, cwd=setup.folder, check=True, stderr=subprocess.DEVNULL)

    run()
    return [_ms(run) for _ in range(setup.repeats)]


def _batch(setup: BenchSetup, jobs: int, repeat: int) -> float:
    """Speak the lines into files and return the seconds of speech a second."""
    folder = setup.folder / f"batch-{jobs}-{repeat}"
    folder.mkdir()
    config = SpeakerConfig(None, CacheLimits())
    items = [
        _item(number, f"Line {number}. {SENTENCES['medium']}", setup.manner)
        for number in range(1, _LINES + 1)
    ]
    started_at = time.perf_counter()
    work = partial(make_file, config, folder)
    answers = list(pool.run(work, chunks(items, jobs), jobs, lost))
    elapsed_s = time.perf_counter() - started_at
    return sum(outcome.duration_s for answer in answers for outcome in answer) / elapsed_s


def _item(number: int, text: str, manner: Manner) -> Item:
    row = Row(number, text)
    return Item(number, "bench", row, f"{number}.wav", "", manner, Encoding("wav"))

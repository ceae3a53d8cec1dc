"""Processes killed while they write, and stores damaged behind their back: no wrong byte after."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.campaign.promise import Promise
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.record import Metadata, Record
from ttsctl.cache.tiers import Cache

KILLS = 300
DAMAGES = 300
_KEYS = 200

_WRITER = """
import random, sys
from pathlib import Path
from benchmarks.campaign.cache import key_of, open_cache, record_of
cache = open_cache(Path(sys.argv[1]))
source = random.Random(int(sys.argv[2]))
print("ready", flush=True)
while True:
    number = source.randrange(200)
    cache.put(key_of(number), record_of(number))
    if source.random() < 0.1:
        cache.flush()
"""


def open_cache(folder: Path) -> Cache:
    return Cache(folder, CacheLimits(memory_bytes=0, disk_bytes=4 << 20))


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def record_of(number: int) -> Record:
    payload = hashlib.sha256(b"payload %d" % number).digest() * (1 + number * 10)
    metadata = Metadata("master", "tone:sine", "wav", 16_000, 1.0, str(number), 0.0)
    return Record(metadata, payload)


def kills(scale: float, seed: int) -> list[Promise]:
    """SIGKILL writers at random moments, three at a time; then read everything."""
    source = random.Random(seed)
    count = int(KILLS * scale)
    wrong = served = left = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cache"
        for _ in range(count // 3):
            writers = [_writer(folder, source.randrange(10**6)) for _ in range(3)]
            time.sleep(source.uniform(0.0, 0.4))
            for writer in writers:
                writer.kill()
                writer.wait()
            found_wrong, found = _read_all(folder)
            wrong, served = wrong + found_wrong, served + found
        with open_cache(folder) as cache:
            cache.verify(fix=True)
            left = len(cache.verify(fix=False))
    return [
        Promise("kills", count // 3 * 3),
        Promise("entries read", served),
        Promise("wrong bytes served", wrong, at_most=0),
        Promise("problems left after verify --fix", left, at_most=0),
    ]


def damage(scale: float, seed: int) -> list[Promise]:
    """Flip, cut, delete and swap files of a store; then read everything."""
    source = random.Random(seed)
    count = int(DAMAGES * scale)
    wrong = served = 0
    with tempfile.TemporaryDirectory() as name:
        pristine, folder = Path(name) / "pristine", Path(name) / "cache"
        with open_cache(pristine) as cache:
            for number in range(60):
                cache.put(key_of(number), record_of(number))
        for _ in range(count):
            shutil.copytree(pristine, folder)
            _harm(folder, source)
            found_wrong, found = _read_all(folder)
            wrong, served = wrong + found_wrong, served + found
            for leftover in Path(name).glob("cache*"):
                shutil.rmtree(leftover)
    return [
        Promise("damaged stores", count),
        Promise("entries read", served),
        Promise("wrong bytes served", wrong, at_most=0),
    ]


def _writer(folder: Path, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(folder), str(seed)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.stdout.close()
    return writer


def _read_all(folder: Path) -> tuple[int, int]:
    """Return how many entries were wrong, and how many were there at all."""
    wrong = found = 0
    with open_cache(folder) as cache:
        for number in range(_KEYS):
            if hit := cache.get(key_of(number)):
                found += 1
                wrong += hit.record.payload != record_of(number).payload
    return wrong, found


def _harm(folder: Path, source: random.Random) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    victim, other = source.sample(files, 2)
    data = bytearray(victim.read_bytes())
    match source.choice(("flip", "cut", "delete", "swap")):
        case "flip":
            for _ in range(source.randint(1, 64)):
                data[source.randrange(len(data))] ^= 1 << source.randrange(8)
            victim.write_bytes(data)
        case "cut":
            victim.write_bytes(data[: source.randrange(len(data))])
        case "delete":
            victim.unlink()
        case "swap":
            victim.write_bytes(other.read_bytes())
            other.write_bytes(data)

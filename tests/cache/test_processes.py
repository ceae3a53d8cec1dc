"""Many processes on one folder, some of which die in the middle."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from tests.cache.remembered import (
    DISK_ONLY,
    FORK,
    FakeClock,
    fill,
    key_of,
    payload_of,
    record_of,
    run_all,
)
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache


def payload_for(name: int, size_bytes: int) -> bytes:
    return str(name).encode().rjust(4) * (size_bytes // 4)


def is_right(name: int, payload: bytes | None) -> bool:
    return payload is None or payload == payload_for(name, len(payload))


def test_eight_processes_with_threads_share_a_store(folder: Path) -> None:
    limits = CacheLimits(memory_bytes=20_000, disk_bytes=400_000)

    def work(seed: int) -> None:
        with Cache(folder, limits) as cache:
            wrong: list[int] = []

            def use(seed: int) -> None:
                chance = random.Random(seed)
                for _ in range(40):
                    name = chance.randrange(60)
                    if not is_right(name, payload_of(cache, name)):
                        wrong.append(name)
                    if chance.random() < 0.4:
                        size_bytes = chance.randrange(400, 16_000, 4)
                        cache.put(key_of(name), record_of(payload_for(name, size_bytes)))

            threads = [threading.Thread(target=use, args=(10 * seed + n,)) for n in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert wrong == []

    assert run_all(8, work) == [0] * 8
    clock = FakeClock()
    clock.advance(120)
    with Cache(folder, limits, clock=clock) as cache:
        assert cache.verify(fix=False) == []
        stats = cache.stats()
    assert stats.bytes <= 1.1 * 400_000
    assert 0 < stats.hits_memory + stats.hits_disk + stats.misses <= 8 * 3 * 40


def test_the_first_openings_may_all_come_at_once(folder: Path) -> None:
    def work(number: int) -> None:
        with Cache(folder, DISK_ONLY) as cache:
            cache.put(key_of(number), record_of())

    assert run_all(8, work) == [0] * 8
    with Cache(folder, DISK_ONLY) as cache:
        assert len(cache.entries()) == 8
        assert cache.verify(fix=False) == []
    assert list(folder.parent.glob("cache.corrupt-*")) == []


def test_of_all_who_ask_for_the_same_one_makes_it(folder: Path) -> None:
    fill(folder, ["another"])
    made = folder.parent / "made"
    made.touch()

    def work(_: int) -> None:
        with Cache(folder, CacheLimits()) as cache:
            if cache.get(key_of("a")) is None:
                with cache.single_flight(key_of("a"), 30):
                    if cache.get(key_of("a")) is None:
                        with made.open("a") as stream:
                            stream.write("x")
                        time.sleep(0.05)
                        cache.put(key_of("a"), record_of())

    assert run_all(8, work) == [0] * 8
    assert made.read_text() == "x"
    assert list((folder / "locks").iterdir()) == []


@pytest.mark.slow
def test_writers_killed_at_any_moment_leave_no_wrong_byte_and_nothing_that_verify_cannot_mend(
    folder: Path,
) -> None:
    limits = CacheLimits(memory_bytes=0, disk_bytes=300_000)

    def write(seed: int) -> None:
        chance = random.Random(seed)
        cache = Cache(folder, limits)
        while True:
            name = chance.randrange(80)
            size_bytes = chance.randrange(400, 12_000, 4)
            cache.put(key_of(name), record_of(payload_for(name, size_bytes)))
            if chance.random() < 0.1:
                cache.flush()

    chance = random.Random(7)
    for kill in range(60):
        child = FORK.Process(target=write, args=(kill,))
        child.start()
        time.sleep(chance.uniform(0.01, 0.12))
        child.kill()
        child.join()

    clock = FakeClock()
    clock.advance(120)
    with Cache(folder, limits, clock=clock) as cache:
        assert all(is_right(name, payload_of(cache, name)) for name in range(80))
        cache.verify(fix=True)
        assert cache.verify(fix=False) == []
        assert len(cache.entries()) > 5
        assert all(is_right(name, payload_of(cache, name)) for name in range(80))
    assert list(folder.parent.glob("cache.corrupt-*")) == []

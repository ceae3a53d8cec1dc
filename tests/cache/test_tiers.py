"""The cache as its users see it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
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
    value_files,
)
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.key import utterance_key
from ttsctl.cache.off import NullCache
from ttsctl.cache.stats import Removed, VoiceStats
from ttsctl.cache.tiers import Cache
from ttsctl.speech import Utterance, Voice

HOUR_S = 3600.0


def test_a_record_is_found_in_memory_first_and_on_disk_by_the_next_process(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        cache.put(key_of("a"), record_of())
        hit = cache.get(key_of("a"))
        assert (hit and hit.tier, hit and hit.record) == ("memory", record_of())

    with Cache(folder, CacheLimits()) as cache:
        hit = cache.get(key_of("a"))
        assert (hit and hit.tier, hit and hit.record) == ("disk", record_of())


def test_a_hit_on_disk_is_in_memory_the_next_time(folder: Path) -> None:
    fill(folder, ["a"])

    with Cache(folder, CacheLimits()) as cache:
        tiers = [hit and hit.tier for hit in (cache.get(key_of("a")), cache.get(key_of("a")))]

    assert tiers == ["disk", "memory"]


def test_an_unknown_key_is_a_miss(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        assert cache.get(key_of("a")) is None


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_to_ask_whether_it_contains_a_key_is_no_use_of_it(folder: Path, memory_bytes: int) -> None:
    with Cache(folder, CacheLimits(memory_bytes=memory_bytes)) as cache:
        assert not cache.contains(key_of("a"))
        cache.put(key_of("a"), record_of())
        cache.flush()
        assert cache.contains(key_of("a"))
        stats = cache.stats()

    assert (stats.hits_memory, stats.hits_disk, stats.misses) == (0, 0, 0)


def test_the_latest_record_of_a_key_counts(folder: Path) -> None:
    with Cache(folder, DISK_ONLY) as cache:
        cache.put(key_of("a"), record_of(b"old"))
        cache.put(key_of("a"), record_of(b"new"))
        cache.flush()

        assert payload_of(cache, "a") == b"new"
        assert len(value_files(folder)) == 1


def test_a_thread_and_a_file_are_made_only_when_needed(folder: Path) -> None:
    before = threading.active_count()
    with Cache(folder, CacheLimits()):
        pass
    assert not folder.exists()

    fill(folder, ["a"])
    with Cache(folder, CacheLimits()) as cache:
        cache.get(key_of("a"))
        assert threading.active_count() == before


def test_only_a_key_names_a_record(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        with pytest.raises(ValueError, match="no cache key"):
            cache.put("Hello.", record_of())
        with pytest.raises(ValueError, match="no cache key"), cache.single_flight("../a", 1):
            pass


def test_a_record_over_a_twentieth_of_the_limit_is_not_stored(folder: Path) -> None:
    with Cache(folder, CacheLimits(memory_bytes=0, disk_bytes=20_000)) as cache:
        cache.put(key_of("large"), record_of(bytes(1000)))
        cache.put(key_of("small"), record_of(bytes(500)))
        cache.flush()

        assert payload_of(cache, "large") is None
        assert payload_of(cache, "small") == bytes(500)


def test_the_disk_tier_keeps_to_its_size_and_keeps_the_newest_and_the_used(folder: Path) -> None:
    clock = FakeClock()
    limits = CacheLimits(disk_bytes=200_000)
    with Cache(folder, limits, clock=clock) as cache:
        for number in range(200):
            clock.advance(1)
            cache.put(key_of(number), record_of(bytes(4000)))
            cache.flush()
            assert sum(path.stat().st_size for path in value_files(folder)) <= 200_000
            cache.get(key_of(0))

        stored = {entry.key for entry in cache.entries()}
        assert {key_of(0), key_of(199)} <= stored
        assert sum(entry.size_bytes for entry in cache.entries()) >= 0.8 * 200_000


def test_the_number_of_entries_can_be_limited(folder: Path) -> None:
    with Cache(folder, CacheLimits(max_entries=10)) as cache:
        for number in range(30):
            cache.put(key_of(number), record_of())
            cache.flush()
            assert len(value_files(folder)) <= 10
        assert payload_of(cache, 29)


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_a_record_is_gone_when_its_time_is_over(folder: Path, memory_bytes: int) -> None:
    clock = FakeClock()
    limits = CacheLimits(memory_bytes=memory_bytes, ttl_s=HOUR_S)
    with Cache(folder, limits, clock=clock) as cache:
        cache.put(key_of("a"), record_of(created_s=clock()))
        cache.flush()
        clock.advance(HOUR_S - 1)
        assert payload_of(cache, "a") == b"sound"
        assert cache.contains(key_of("a"))

        clock.advance(1)
        assert payload_of(cache, "a") is None
        assert not cache.contains(key_of("a"))

        cache.pin(key_of("a"))
        assert cache.contains(key_of("a"))


def test_a_pinned_record_outlives_its_time_and_every_eviction(folder: Path) -> None:
    clock = FakeClock()
    limits = CacheLimits(memory_bytes=0, ttl_s=HOUR_S, max_entries=2)
    with Cache(folder, limits, clock=clock) as cache:
        cache.pin(key_of("greeting"))
        cache.put(key_of("greeting"), record_of(created_s=clock()))
        for number in range(10):
            clock.advance(HOUR_S)
            cache.put(key_of(number), record_of(created_s=clock()))
        cache.flush()
        assert cache.prune(max_bytes=0, older_than_s=0).entries > 0
        assert cache.clear().entries == 0
        assert payload_of(cache, "greeting") == b"sound"

        cache.unpin(key_of("greeting"))
        assert payload_of(cache, "greeting") is None
        assert cache.clear().entries == 1


def test_clear_takes_the_pinned_too_when_asked(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        cache.put(key_of("a"), record_of())
        cache.pin(key_of("a"))

        assert cache.clear().entries == 0
        assert cache.clear(pinned=True).entries == 1
        assert cache.get(key_of("a")) is None
        assert value_files(folder) == []


def test_clear_can_be_kept_to_one_voice(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        cache.put(key_of("a"), record_of(voice="espeak:en-us"))
        cache.put(key_of("b"), record_of(voice="piper:lessac"))
        size_bytes = {entry.metadata.voice: entry.size_bytes for entry in cache.entries()}

        assert cache.clear("piper:lessac") == Removed(1, size_bytes["piper:lessac"])
        assert payload_of(cache, "a") == b"sound"
        assert payload_of(cache, "b") is None


def test_prune_takes_what_was_not_used_for_long(folder: Path) -> None:
    clock = FakeClock()
    with Cache(folder, CacheLimits(), clock=clock) as cache:
        cache.put(key_of("idle"), record_of())
        cache.put(key_of("used"), record_of())
        cache.flush()
        clock.advance(10 * HOUR_S)
        cache.get(key_of("used"))

        assert cache.prune(older_than_s=HOUR_S).entries == 1
        assert [entry.key for entry in cache.entries()] == [key_of("used")]


def test_prune_frees_down_to_a_size(folder: Path) -> None:
    fill(folder, range(20))
    with Cache(folder, CacheLimits()) as cache:
        removed = cache.prune(max_bytes=30_000)

        assert removed.bytes == removed.entries * cache.entries()[0].size_bytes
        assert cache.stats().bytes <= 30_000
        assert cache.verify(fix=False) == []


def test_stats_tell_sizes_by_voice_and_uses_of_all_processes(folder: Path) -> None:
    def use(number: int) -> None:
        with Cache(folder, CacheLimits()) as cache:
            cache.get(key_of("a"))
            cache.get(key_of("a"))
            cache.get(key_of(number))

    with Cache(folder, CacheLimits()) as cache:
        cache.put(key_of("a"), record_of(voice="espeak:en-us"))
        cache.put(key_of("b"), record_of(voice="piper:lessac"))
    assert run_all(4, use) == [0] * 4
    with Cache(folder, CacheLimits(disk_bytes=10**6)) as cache:
        stats = cache.stats()

    assert (stats.hits_disk, stats.hits_memory, stats.misses) == (4, 4, 4)
    assert stats.hit_rate == pytest.approx(2 / 3)
    assert (stats.entries, stats.limit_bytes) == (2, 10**6)
    assert stats.by_voice == {
        voice: VoiceStats(1, stats.bytes // 2) for voice in ("espeak:en-us", "piper:lessac")
    }


def test_entries_tell_what_they_are(folder: Path) -> None:
    record = record_of(b"\0\1")
    with Cache(folder, CacheLimits()) as cache:
        cache.put(key_of("a"), record)
        cache.pin(key_of("a"))
        (entry,) = cache.entries()

    assert (entry.key, entry.pinned, entry.metadata) == (key_of("a"), True, record.metadata)
    assert entry.size_bytes == value_files(folder)[0].stat().st_size


def test_writes_are_complete_at_the_end_of_a_process_that_forgot_to_close(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.cache.remembered import *\n"
        "cache = Cache(Path(sys.argv[1]), CacheLimits())\n"
        "for n in range(20): cache.put(key_of(n), record_of(bytes(100_000)))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=60)

    with Cache(folder, DISK_ONLY) as cache:
        assert all(payload_of(cache, n) == bytes(100_000) for n in range(20))


def test_a_forked_child_uses_a_cache_of_its_own(folder: Path) -> None:
    cache = Cache(folder, CacheLimits())
    cache.put(key_of("parent"), record_of(b"parent"))
    cache.flush()

    def work() -> None:
        assert payload_of(cache, "parent") == b"parent"
        cache.put(key_of("child"), record_of(b"child"))
        cache.close()
        os._exit(7)

    child = FORK.Process(target=work)
    child.start()
    child.join(60)

    assert child.exitcode == 7
    assert payload_of(cache, "child") == b"child"
    cache.close()


def test_it_can_be_closed_twice_and_used_again(folder: Path) -> None:
    cache = Cache(folder, DISK_ONLY)
    cache.put(key_of("a"), record_of())
    cache.close()
    cache.close()

    assert payload_of(cache, "a") == b"sound"
    cache.close()


def test_what_was_put_inside_single_flight_is_found_by_the_next_inside(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as one, Cache(folder, CacheLimits()) as other:
        with one.single_flight(key_of("a"), 1) as held:
            one.put(key_of("a"), record_of())
            with other.single_flight(key_of("a"), 0.01) as too:
                assert (held, too) == (True, False)
        with other.single_flight(key_of("a"), 30) as held:
            assert held
            assert payload_of(other, "a") == b"sound"


def test_an_error_inside_single_flight_frees_the_key(folder: Path) -> None:
    with Cache(folder, CacheLimits()) as cache:
        with pytest.raises(KeyError), cache.single_flight(key_of("a"), 1):
            raise KeyError
        with cache.single_flight(key_of("a"), 1) as held:
            assert held


def test_a_cache_that_is_off_remembers_nothing() -> None:
    with NullCache() as cache:
        cache.put(key_of("a"), record_of())
        cache.pin(key_of("a"))
        cache.flush()
        with cache.single_flight(key_of("a"), 1) as held:
            assert not held
        assert cache.get(key_of("a")) is None
        assert not cache.contains(key_of("a"))


def test_a_new_fingerprint_is_a_new_key_so_old_audio_is_never_served(folder: Path) -> None:
    old = Utterance(("Hello.",), Voice("piper", "lessac", "en-us", "sha256:1"), "en-us")
    new = replace(old, voice=replace(old.voice, fingerprint="sha256:2"))
    with Cache(folder, CacheLimits()) as cache:
        cache.put(utterance_key(old, "1"), record_of())

        assert cache.get(utterance_key(new, "1")) is None
        assert cache.get(utterance_key(old, "2")) is None

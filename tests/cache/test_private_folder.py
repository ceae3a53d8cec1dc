"""Nobody else looks into the cache, and a place that cannot be trusted is not used."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
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
    value_files,
)
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache

NOBODY = 65_534
PLENTY = (10**12, 10**12)


@pytest.fixture(name="_no_umask")
def _no_umask_fixture() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {str(path): stat.S_IMODE(path.lstat().st_mode) for path in [folder, *folder.rglob("*")]}


@pytest.mark.usefixtures("_no_umask")
def test_folders_are_0700_and_files_0600_whatever_the_umask(folder: Path) -> None:
    with Cache(folder, DISK_ONLY) as cache:
        cache.put(key_of("a"), record_of())
        cache.flush()
        with cache.single_flight(key_of("a"), 1):
            found = modes(folder)

    assert {Path(name).name for name in found} >= {"cache.db-wal", "cache.db-shm", key_of("a")}
    for name, mode in found.items():
        assert mode == (0o700 if Path(name).is_dir() else 0o600), name


def test_a_folder_that_was_open_to_others_is_closed_to_them(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    fill(folder, ["a"])

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_verify_finds_loose_modes(folder: Path) -> None:
    fill(folder, ["a"])
    value = value_files(folder)[0]
    value.chmod(0o644)
    value.parent.chmod(0o755)

    with Cache(folder, DISK_ONLY) as cache:
        assert [problem.kind for problem in cache.verify(fix=True)] == ["mode", "mode"]
        assert cache.verify(fix=False) == []


def unused(folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """Use a cache that must be of no use, and return the one warning."""
    with Cache(folder, CacheLimits()) as cache:
        cache.put(key_of("a"), record_of())
        assert payload_of(cache, "a") == b"sound"  # from memory
        assert payload_of(cache, "b") is None
        assert cache.entries() == []
        assert cache.clear().entries == 0
        with cache.single_flight(key_of("b"), 3600) as held:
            assert not held
        (problem,) = cache.verify(fix=False)
        assert problem.kind == "store"
    assert len({record.getMessage().split(":")[0] for record in caplog.records}) == len(
        caplog.records
    )
    return caplog.text


def test_a_folder_of_another_user_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() == 0:
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
    else:
        folder = Path("/usr")

    assert "belongs to another user" in unused(folder, caplog)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_a_link_of_another_user_is_not_followed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.parent / "mine").mkdir(mode=0o700)
    folder.symlink_to("mine")
    os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)

    assert "belongs to another user" in unused(folder, caplog)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_another_user_are_not_served(folder: Path) -> None:
    payloads = fill(folder, ["a", "b"])
    os.chown(value_files(folder)[0], NOBODY, NOBODY)
    with Cache(folder, DISK_ONLY) as cache:
        assert sorted([payload_of(cache, n) is None for n in payloads]) == [False, True]

    os.chown(folder / "cache.db", NOBODY, NOBODY)
    with Cache(folder, DISK_ONLY) as cache:
        assert [payload_of(cache, name) for name in payloads] == [None, None]


def test_a_link_of_ones_own_is_followed_and_survives_damage(folder: Path) -> None:
    (folder.parent / "large-disk").mkdir()
    folder.symlink_to("large-disk")
    fill(folder, ["a"])
    (folder / "cache.db").write_bytes(b"noise" * 1000)
    payloads = fill(folder, ["b"])

    assert folder.is_symlink()
    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "b") == payloads["b"]


def test_a_place_that_is_a_file_is_of_no_use(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.touch()

    assert "file exists" in unused(folder, caplog).lower()


def test_a_name_that_diskcache_would_expand_is_of_no_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "expanded" in unused(tmp_path / "$HOME", caplog)
    assert list(tmp_path.glob("*HOME*")) == []


def test_a_read_only_disk_is_of_no_use(
    mount: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    assert "read-only" in unused(mount("ro,size=1m") / "cache", caplog).lower()


def test_a_full_disk_costs_only_what_does_not_fit(
    mount: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = mount("size=3m") / "cache"
    clock = FakeClock()
    with Cache(folder, DISK_ONLY, clock=clock, free_space=lambda _: PLENTY) as cache:
        for number in range(60):
            cache.put(key_of(number), record_of(bytes([number]) * 100_000))
        cache.flush()
        found = [payload_of(cache, number) for number in range(60)]
        assert all(p in (None, bytes([n]) * 100_000) for n, p in enumerate(found))
        assert 10 < sum(payload is not None for payload in found) < 31
        assert len(caplog.records) <= 3

        clock.advance(120)
        cache.clear()
        cache.put(key_of("after"), record_of(b"after"))
        cache.flush()
        assert payload_of(cache, "after") == b"after"
        cache.verify(fix=True)
        assert cache.verify(fix=False) == []


def test_a_disk_full_from_the_start_is_of_no_use_until_there_is_room(
    mount: Callable[[str], Path],
) -> None:
    place = mount("size=1m")
    with (place / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    clock = FakeClock()
    with Cache(place / "cache", DISK_ONLY, clock=clock, free_space=lambda _: PLENTY) as cache:
        cache.put(key_of("a"), record_of())
        cache.flush()
        assert payload_of(cache, "a") is None

        (place / "ballast").unlink()
        clock.advance(60)
        cache.put(key_of("a"), record_of())
        cache.flush()
        assert payload_of(cache, "a") == b"sound"


@pytest.mark.parametrize(
    ("free", "total", "stored"),
    [(4, 100, False), (6, 100, True), (10**9, 10**12, True), (4 * 10**8, 10**12, False)],
)
def test_the_last_of_a_disk_is_left_to_others(
    folder: Path, free: int, total: int, stored: bool
) -> None:
    with Cache(folder, DISK_ONLY, free_space=lambda _: (free, total)) as cache:
        cache.put(key_of("a"), record_of())
        cache.flush()

        assert (payload_of(cache, "a") == b"sound") is stored


@pytest.mark.slow
def test_a_lock_that_is_not_released_delays_a_second_and_no_more(folder: Path) -> None:
    """A stopped process may hold SQLite's write lock for ever."""
    payloads = fill(folder, ["a"])
    holder = sqlite3.connect(folder / "cache.db", isolation_level=None)
    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") == payloads["a"]
        holder.execute("BEGIN IMMEDIATE")

        assert payload_of(cache, "a") == payloads["a"]
        cache.put(key_of("b"), record_of())
        cache.flush()
        assert payload_of(cache, "b") is None

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
    holder.execute("ROLLBACK")
    holder.close()
    assert len(value_files(folder)) == 1


def test_two_that_find_the_same_damage_do_not_undo_each_other(folder: Path) -> None:
    fill(folder, ["a"])
    (folder / "cache.db").write_bytes(b"noise" * 1000)

    def work(number: int) -> None:
        with Cache(folder, DISK_ONLY) as cache:
            cache.get(key_of("a"))

    children = [FORK.Process(target=work, args=(n,)) for n in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)

    assert [child.exitcode for child in children] == [0] * 6
    assert len(list(folder.parent.glob("cache.corrupt-*"))) == 1

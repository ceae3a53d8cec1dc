"""Whatever happens to the files: no wrong sound, no traceback, and soon a working cache again."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cache.remembered import (
    DISK_ONLY,
    FORK,
    FakeClock,
    alter,
    fill,
    key_of,
    payload_of,
    record_of,
    value_file,
    value_files,
)
from ttsctl.cache.tiers import Cache

HOUR_S = 3600.0


def assert_survives(folder: Path, payloads: dict[str, bytes]) -> None:
    """Only right payloads are served, and then the cache works as a new one."""
    clock = FakeClock()
    clock.advance(HOUR_S)
    with Cache(folder, DISK_ONLY, clock=clock) as cache:
        for name, payload in payloads.items():
            assert payload_of(cache, name) in (None, payload)
        cache.put(key_of("new"), record_of(b"new"))
    with Cache(folder, DISK_ONLY, clock=clock) as cache:
        if payload_of(cache, "new") is None:  # the damage came to light in that very write
            cache.put(key_of("new"), record_of(b"new"))
            cache.flush()
        assert payload_of(cache, "new") == b"new"
        cache.verify(fix=True)
        assert cache.verify(fix=False) == []


@pytest.fixture(name="unclosed", scope="module")
def _unclosed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose last writer was killed, so that its log is not yet part of the database."""
    folder = tmp_path_factory.mktemp("unclosed") / "cache"
    fill(folder, range(6))

    def write_and_die() -> None:
        cache = Cache(folder, DISK_ONLY)
        for number in range(6, 9):
            cache.put(key_of(number), record_of(str(number).encode().ljust(3000, b".")))
        cache.flush()
        os._exit(0)

    child = FORK.Process(target=write_and_die)
    child.start()
    child.join(60)
    assert (folder / "cache.db-wal").exists()
    return folder


PAYLOADS = {str(number): str(number).encode().ljust(3000, b".") for number in range(9)}


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 8, 64])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def overwrite_a_page(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as stream:
        stream.seek(chance.randrange(path.stat().st_size) // 512 * 512)
        stream.write(chance.randbytes(512))


def harm(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = [*folder.glob("cache.db*"), *chance.sample(value_files(folder), 2)]
    for path in chance.sample(files, chance.randint(1, 2)):
        chance.choice([flip, flip, cut, overwrite_a_page])(path, chance)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_files_are_survived(unclosed: Path, folder: Path, seed: int) -> None:
    shutil.copytree(unclosed, folder)
    harm(folder, seed)

    assert_survives(folder, PAYLOADS)


@pytest.mark.slow
def test_much_damage_is_survived(unclosed: Path, folder: Path) -> None:
    for seed in range(2000, 5000):
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir()
        shutil.copytree(unclosed, folder)
        harm(folder, seed)
        assert_survives(folder, PAYLOADS)


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)
    (path / "inside" / "file").touch()
    for made in (path, path / "inside", path / "inside" / "file"):
        os.utime(made, (0, 0))


def _replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _replace_by_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


@pytest.mark.parametrize(
    "harm_it",
    [
        Path.unlink,
        lambda path: os.truncate(path, 0),
        lambda path: os.truncate(path, 10**6),
        lambda path: path.write_bytes(b""),
        _replace_by_folder,
        _replace_by_pipe,
        _replace_by_link_to_nothing,
    ],
    ids=["deleted", "emptied", "stretched", "rewritten", "folder", "pipe", "link"],
)
def test_a_damaged_value_is_a_miss(folder: Path, harm_it: Callable[[Path], None]) -> None:
    payloads = fill(folder, ["a", "b"])
    harm_it(value_file(folder, "a"))

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
        assert payload_of(cache, "b") == payloads["b"]
    assert_survives(folder, payloads)


def test_two_swapped_values_are_two_misses(folder: Path) -> None:
    payloads = fill(folder, ["a", "b", "c"])
    one, other = value_file(folder, "a"), value_file(folder, "b")
    alter(folder, "UPDATE Cache SET filename = NULL WHERE key = ?", key_of("a"))
    for path, name in ((one, "b"), (other, "a")):
        relative = str(path.relative_to(folder))
        alter(folder, "UPDATE Cache SET filename = ? WHERE key = ?", relative, key_of(name))

    with Cache(folder, DISK_ONLY) as cache:
        assert [payload_of(cache, name) for name in "abc"] == [None, None, payloads["c"]]


@pytest.mark.parametrize("content", [b"", b"noise" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_no_database_is_replaced(folder: Path, content: bytes) -> None:
    payloads = fill(folder, ["a"])
    (folder / "cache.db").write_bytes(content)

    assert_survives(folder, payloads)


@pytest.mark.parametrize("table", ["Cache", "Settings", "Pins", "Counters"])
def test_a_missing_table_is_made_again(folder: Path, table: str) -> None:
    payloads = fill(folder, ["a"])
    alter(folder, f"DROP TABLE {table}")

    assert_survives(folder, payloads)


def test_a_database_that_is_a_folder_is_set_aside(folder: Path) -> None:
    (folder / "cache.db").mkdir(parents=True)

    assert_survives(folder, {})


def test_one_damaged_store_is_kept_and_told_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    for _ in range(3):
        clock.advance(1)
        fill(folder, ["a"])
        (folder / "cache.db").write_bytes(b"noise" * 1000)
        with Cache(folder, DISK_ONLY, clock=clock) as cache:
            caplog.clear()
            (problem,) = cache.verify(fix=False)

    (aside,) = folder.parent.glob("cache.corrupt-*")
    assert (problem.kind, problem.subject) == ("store", str(aside))
    assert len(caplog.records) == 1
    assert value_files(aside)


def test_damage_under_an_open_cache_is_survived(folder: Path) -> None:
    payloads = fill(folder, range(50))
    cache = Cache(folder, DISK_ONLY)
    assert payload_of(cache, "1") == payloads["1"]
    alter(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    with (folder / "cache.db").open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 10**6)

    for name, payload in payloads.items():
        assert payload_of(cache, name) in (None, payload)
    cache.close()
    assert_survives(folder, payloads)


def test_a_folder_removed_underneath_is_made_again(folder: Path) -> None:
    payloads = fill(folder, ["a"])
    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") == payloads["a"]
        shutil.rmtree(folder)

        assert payload_of(cache, "a") is None
        cache.put(key_of("b"), record_of(b"anew"))
        cache.flush()
        assert payload_of(cache, "b") == b"anew"


def test_verify_finds_files_without_an_entry_once_they_are_a_minute_old(folder: Path) -> None:
    clock = FakeClock()
    fill(folder, ["a"])
    orphan = value_files(folder)[0].with_name("f" * 28 + ".val")
    orphan.touch(0o600)

    with Cache(folder, DISK_ONLY, clock=clock) as cache:
        assert cache.verify(fix=True) == []
        clock.advance(120)
        (problem,) = cache.verify(fix=True)
        assert (problem.kind, problem.subject) == ("orphan", str(orphan.relative_to(folder)))
        assert cache.verify(fix=False) == []
    assert not orphan.exists()


def test_verify_finds_wrong_totals(folder: Path) -> None:
    fill(folder, ["a"])
    alter(folder, "UPDATE Settings SET value = 77 WHERE key = 'size'")

    with Cache(folder, DISK_ONLY) as cache:
        assert [problem.kind for problem in cache.verify(fix=True)] == ["totals"]
        assert cache.verify(fix=False) == []

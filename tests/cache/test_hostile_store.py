"""A store that somebody has tampered with runs no code, opens no file outside, serves nothing."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diskcache
import pytest

from tests.cache.remembered import (
    DISK_ONLY,
    alter,
    ask,
    fill,
    key_of,
    payload_of,
    record_of,
    value_file,
)
from ttsctl.cache.record import pack
from ttsctl.cache.schema import OBJECTS, SETTINGS, TALLIES
from ttsctl.cache.tiers import Cache
from ttsctl.speech import Word

_opened: list[str] = []


def _note_opening(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _opened.append(str(arguments[0]))


class Exploit:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(name="secret")
def _secret(tmp_path: Path) -> Path:
    """A valid record outside the folder, that would be served if it were read."""
    secret = tmp_path / "secret"
    secret.write_bytes(pack(key_of("a"), record_of(b"secret")))
    return secret


@pytest.fixture(name="mark")
def _mark(tmp_path: Path) -> Iterator[Path]:
    """What exists if code was run."""
    mark = tmp_path / "mark"
    yield mark
    assert not mark.exists()


def assert_dropped(folder: Path) -> None:
    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
        assert payload_of(cache, "b") is not None
        cache.put(key_of("a"), record_of(b"anew"))
        cache.flush()
        assert payload_of(cache, "a") == b"anew"
        assert cache.verify(fix=False) == []


@pytest.mark.parametrize("mode", [diskcache.core.MODE_PICKLE, diskcache.core.MODE_RAW, 99, "x"])
def test_a_pickled_row_is_dropped(folder: Path, mark: Path, mode: object) -> None:
    fill(folder, ["a", "b"])
    alter(
        folder,
        "UPDATE Cache SET mode = ?, filename = NULL, value = ? WHERE key = ?",
        mode,
        pickle.dumps(Exploit(mark)),
        key_of("a"),
    )

    assert_dropped(folder)


def test_a_pickled_file_is_dropped(folder: Path, mark: Path) -> None:
    fill(folder, ["a", "b"])
    value_file(folder, "a").write_bytes(pickle.dumps(Exploit(mark)))
    alter(folder, "UPDATE Cache SET mode = 4 WHERE key = ?", key_of("a"))

    assert_dropped(folder)


def test_a_pickled_key_is_found_by_verify_and_removed(folder: Path, mark: Path) -> None:
    fill(folder, ["b"])
    alter(
        folder,
        "INSERT INTO Cache (key, raw, mode, size) VALUES (?, 0, 2, 0)",
        pickle.dumps(Exploit(mark)),
    )

    with Cache(folder, DISK_ONLY) as cache:
        assert [problem.kind for problem in cache.verify(fix=True)] == ["row"]
        assert cache.verify(fix=False) == []


@pytest.mark.parametrize("mode", [2, 3, 4])
@pytest.mark.parametrize(
    "name", ["{0}", "../{0.name}", "ab/../../{0.name}", "ab/cd/../../../{0.name}"]
)
def test_a_name_that_leads_outside_is_not_followed(
    folder: Path, secret: Path, mode: int, name: str
) -> None:
    fill(folder, ["a", "b"])
    (folder / "ab" / "cd").mkdir(parents=True, exist_ok=True)
    os.chmod(folder / "ab", 0o700)
    os.chmod(folder / "ab" / "cd", 0o700)
    value_file(folder, "a").unlink()
    alter(
        folder,
        "UPDATE Cache SET mode = ?, filename = ? WHERE key = ?",
        mode,
        name.format(secret),
        key_of("a"),
    )
    sys.addaudithook(_note_opening)
    _opened.clear()

    assert_dropped(folder)
    assert not any(secret.name in path for path in _opened)
    assert secret.exists()


def test_a_link_in_place_of_a_value_is_not_followed(folder: Path, secret: Path) -> None:
    fill(folder, ["a", "b"])
    value = value_file(folder, "a")
    value.unlink()
    value.symlink_to(secret)

    assert_dropped(folder)
    assert secret.exists()


def test_a_link_in_place_of_a_sub_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    fill(folder, ["a", "b"])
    shelf = value_file(folder, "a").parent.parent
    moved = shelf.rename(tmp_path / "elsewhere")
    shelf.symlink_to(moved)

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
    assert len(list(moved.glob("*/*.val"))) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_directory", "/"),
        ("_disk", None),
        ("get", "x"),
        ("count", "many"),
        ("size", -1.5),
        ("disk_directory", "/"),
        ("disk_min_file_size", 10**9),
        ("disk_pickle_protocol", "x"),
        ("eviction_policy", "unheard-of"),
        ("cull_limit", 1000),
        ("sqlite_mmap_size", 1 << 40),
        ("sqlite_journal_mode", "delete"),
        ("sqlite_synchronous = 0; ATTACH '/tmp/x' AS x; --", 1),
        ("sqlite_writable_schema", 1),
        (b"\xff\xfe", b"\xff"),
    ],
)
def test_hostile_settings_have_no_effect(folder: Path, name: object, value: object) -> None:
    payloads = fill(folder, ["a", "b"])
    alter(folder, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", name, value)

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") == payloads["a"]
        assert cache.verify(fix=False) == []

    settings = dict(ask(folder, "SELECT key, value FROM Settings"))
    assert {k: v for k, v in settings.items() if k not in TALLIES} == SETTINGS


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TRIGGER more AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
        "CREATE TRIGGER more AFTER UPDATE ON Settings BEGIN DELETE FROM Cache; END",
        "CREATE VIEW more AS SELECT * FROM Cache",
        "CREATE TABLE more (x)",
        "CREATE INDEX more ON Cache (length(value))",
    ],
)
def test_a_database_with_planted_sql_is_set_aside(
    folder: Path, planted: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(folder, ["a", "b"])
    alter(folder, planted)

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
        cache.put(key_of("a"), record_of(b"anew"))
        cache.flush()
        assert payload_of(cache, "a") == b"anew"

    assert "foreign object: 'more'" in caplog.text
    assert len(list(folder.parent.glob("cache.corrupt-*"))) == 1


def test_a_replaced_trigger_is_noticed(folder: Path) -> None:
    fill(folder, ["a"])
    alter(folder, "DROP TRIGGER Settings_count_insert")
    alter(
        folder,
        "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
    )

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
    assert len(list(folder.parent.glob("cache.corrupt-*"))) == 1


@pytest.mark.parametrize("name", ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal"])
def test_a_link_in_place_of_a_database_file_is_not_followed(
    folder: Path, tmp_path: Path, name: str
) -> None:
    fill(folder, ["a"])
    (folder / name).unlink(missing_ok=True)
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (folder / name).symlink_to(target)

    with Cache(folder, DISK_ONLY) as cache:
        assert payload_of(cache, "a") is None
        cache.put(key_of("b"), record_of(b"anew"))
        cache.flush()
        assert payload_of(cache, "b") == b"anew"
    assert target.read_bytes() == b"precious"


def test_a_row_whose_description_is_noise_is_not_listed_and_is_mended(folder: Path) -> None:
    fill(folder, ["a", "b"])
    alter(folder, "UPDATE Cache SET tag = ? WHERE key = ?", b"\xff{", key_of("a"))

    with Cache(folder, DISK_ONLY) as cache:
        assert [entry.key for entry in cache.entries()] == [key_of("b")]
        assert [problem.subject for problem in cache.verify(fix=True)] == [key_of("a")]
        assert cache.verify(fix=False) == []


def test_words_that_make_no_sense_are_damage(folder: Path) -> None:
    """The digest is right: whoever may write to the folder can make one."""
    fill(folder, ["a", "b"])
    hostile = replace(record_of(b"x" * 3000), words=(Word("so", 2.0, 1.0),))
    value_file(folder, "a").write_bytes(pack(key_of("a"), hostile))

    assert_dropped(folder)


def test_a_fresh_database_holds_what_the_schema_says(folder: Path) -> None:
    fill(folder, ["a"])

    found = ask(folder, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    assert {sql for (sql,) in found} == OBJECTS
    assert set(SETTINGS) == set(diskcache.DEFAULT_SETTINGS)

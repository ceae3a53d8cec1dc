"""An installed voice is what it was, or it is not there."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.voices.made import put_piper
from ttsctl.errors import BusyError, ModelNotFoundError
from ttsctl.voices import shelf, store

NAME = "en_US-tiny-low"


def test_an_item_is_read_back_as_it_was_placed() -> None:
    item = put_piper(NAME, quality="low")
    assert store.read(item.folder) == item
    assert store.items(item.folder.parent) == [item]
    store.check(item, is_thorough=True)


@pytest.mark.parametrize("record", [None, b"", b"[]", b'{"schema": 2}', b'{"files": 1}'])
def test_a_folder_without_a_good_record_is_no_item(record: bytes | None) -> None:
    item = put_piper(NAME)
    (item.folder / store.RECORD).unlink()
    if record is not None:
        (item.folder / store.RECORD).write_bytes(record)
    assert store.read(item.folder) is None
    assert store.items(item.folder.parent) == []


def test_a_touched_file_is_read_again_and_its_new_time_recorded() -> None:
    item = put_piper(NAME)
    os.utime(item.folder / f"{NAME}.onnx", (1, 1))
    store.check(item)
    renewed = store.read(item.folder)
    assert renewed is not None
    assert renewed.files[f"{NAME}.onnx"].mtime_ns == 1_000_000_000


def test_an_altered_file_of_the_same_size_is_found() -> None:
    item = put_piper(NAME)
    path = item.folder / f"{NAME}.onnx"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(ModelNotFoundError, match="altered since it was installed; run: ttsctl"):
        store.check(item)


def test_an_alteration_that_hides_its_time_is_found_by_the_thorough() -> None:
    item = put_piper(NAME)
    path = item.folder / f"{NAME}.onnx"
    facts = path.stat()
    path.write_bytes(bytes(facts.st_size))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    store.check(item)
    with pytest.raises(ModelNotFoundError, match="altered"):
        store.check(item, is_thorough=True)


def test_a_missing_file_is_found() -> None:
    item = put_piper(NAME)
    (item.folder / f"{NAME}.onnx").unlink()
    with pytest.raises(ModelNotFoundError, match="missing"):
        store.check(item)


def test_a_read_only_folder_costs_only_time() -> None:
    item = put_piper(NAME)
    os.utime(item.folder / f"{NAME}.onnx", (1, 1))
    (item.folder / store.RECORD).chmod(0o400)
    item.folder.chmod(0o500)
    try:
        store.check(item)
    finally:
        item.folder.chmod(0o700)


@pytest.mark.parametrize("name", ["", ".", "..", "../piper", "a/b", "a\0b", ".hidden"])
def test_no_name_leads_out_of_the_store(name: str) -> None:
    folder = put_piper(NAME).folder.parent
    assert store.find(folder, name) is None


def test_a_lock_that_another_holds_is_waited_for_and_told_once() -> None:
    folder = put_piper(NAME).folder
    told: list[str] = []
    with (
        shelf.held(folder, told.append),
        pytest.raises(BusyError, match="installation of"),
        shelf.held(folder, told.append, wait_s=0.5),
    ):
        pass
    assert len(told) == 1


def test_discarding_leaves_nothing() -> None:
    item = put_piper(NAME)
    shelf.discard(item.folder)
    assert not item.folder.exists()
    shelf.discard(item.folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"language": None},
        {"source": 7},
        {"quality": "\ud800"},
        {"files": {}},
        {"files": []},
        {"schema": 2},
        {"files": {"a": {"size_bytes": 1, "sha256": 7, "mtime_ns": 1}}},
        {"files": {"a": {"size_bytes": 1, "sha256": "x", "mtime_ns": 1}}},
        {"files": {"a": {"size_bytes": "1", "sha256": "0" * 64, "mtime_ns": 1}}},
        *(
            {"files": {name: {"size_bytes": 1, "sha256": "0" * 64, "mtime_ns": 1}}}
            for name in ("", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a\0b", "a\ud800")
        ),
    ],
)
def test_a_record_that_says_what_it_may_not_is_none(changes: dict[str, Any]) -> None:
    item = put_piper(NAME)
    path = item.folder / store.RECORD
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))
    assert store.read(item.folder) is None
    assert store.items(item.folder.parent) == []


def test_a_record_that_is_nested_deeply_is_none() -> None:
    item = put_piper(NAME)
    (item.folder / store.RECORD).write_text("[" * 100_000)
    assert store.read(item.folder) is None

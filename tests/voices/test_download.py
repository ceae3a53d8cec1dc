"""Fetching a voice from a hub on loopback, on good days and bad ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.voices.hub_server import Hub, serving
from tests.voices.made import md5, piper_config, put
from ttsctl.settings import voices_folder
from ttsctl.voices import store

MODEL, CONFIG = (
    "en/en_US/tiny/low/en_US-tiny-low.onnx",
    "en/en_US/tiny/low/en_US-tiny-low.onnx.json",
)
CONTENT = os.urandom(3 << 20)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(name="hub")
def _hub() -> Iterator[Hub]:
    with serving() as hub:
        hub.files = {MODEL: CONTENT, CONFIG: piper_config()}
        yield hub


@pytest.fixture(name="start")
def _start(hub: Hub, tmp_path: Path) -> Start:
    """Starts a process that fetches the voice."""

    def start(free_bytes: int = 1 << 40, **changes: Any) -> subprocess.Popen[str]:
        environment = changes.pop("environment", {})
        program = changes.pop("program", ["-m", "tests.voices.fetch"])
        return subprocess.Popen(
            [sys.executable, *program, json.dumps(item(**changes)), str(free_bytes)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HF_ENDPOINT": hub.url,
                "HF_HOME": str(tmp_path / "hf"),
                "HF_HUB_DOWNLOAD_TIMEOUT": "1",
                "HF_HUB_ETAG_TIMEOUT": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                **environment,
            },
        )

    return start


def item(**changes: Any) -> dict[str, Any]:
    files = [
        {"path": CONFIG, "size_bytes": len(piper_config()), "md5": md5(piper_config())},
        {"path": MODEL, "size_bytes": len(CONTENT), "md5": md5(CONTENT)},
    ]
    return {
        "engine": "piper",
        "name": "en_US-tiny-low",
        "language": "en-us",
        "title": "English",
        "repository": "rhasspy/piper-voices",
        "files": files,
        **changes,
    }


def answer(process: subprocess.Popen[str]) -> Any:
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    return json.loads(stdout)


def folder() -> Path:
    return voices_folder() / "piper" / "en_US-tiny-low"


def assert_whole() -> None:
    item = store.read(folder())
    assert item is not None
    store.check(item, is_thorough=True)
    assert (folder() / "en_US-tiny-low.onnx").read_bytes() == CONTENT
    assert (folder() / "en_US-tiny-low.onnx.json").read_bytes() == piper_config()
    assert item.source == "rhasspy/piper-voices@c10ece1aade47bb51c153c893d14e5bf8e5b7117"
    assert_nothing_half_written()
    assert not parts()


def assert_nothing_half_written() -> None:
    """There is an item or there is none, and no temporary folder."""
    visible = [path.name for path in voices_folder().rglob("*") if path.suffix == ".tmp"]
    assert not visible
    assert folder().exists() == (store.read(folder()) is not None)


def parts() -> list[Path]:
    return list((voices_folder() / ".downloads").glob("*"))


def test_fetches_and_verifies_and_the_second_time_fetches_nothing(start: Start, hub: Hub) -> None:
    assert answer(start()) == {"is_new": True}
    assert_whole()
    count = len(hub.requests)
    assert answer(start()) == {"is_new": False}
    assert len(hub.requests) == count


def test_a_truncated_body_is_gone_on_with(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["truncated"]
    assert answer(start()) == {"is_new": True}
    first, second = hub.gets(MODEL)
    assert (first, second.startswith("bytes=")) == ("", True)
    assert_whole()


def test_a_server_that_ignores_the_range_is_read_from_the_start(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["truncated", "norange"]
    assert answer(start()) == {"is_new": True}
    assert_whole()


def test_the_right_size_with_the_wrong_content_is_refused(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["wrong"]
    refused = answer(start())
    assert refused["code"] == "TTS_MODEL_NOT_FOUND"
    assert "MD5" in refused["message"]
    assert not folder().exists()
    assert not parts()
    assert answer(start()) == {"is_new": True}


def test_a_catalogue_with_another_sha_256_than_the_hubs_fetches_nothing(
    start: Start, hub: Hub
) -> None:
    files = [{"path": MODEL, "size_bytes": len(CONTENT), "sha256": "0" * 64}]
    refused = answer(start(files=files))
    assert "another" in refused["message"]
    assert hub.gets(MODEL) == []


def test_where_only_the_hub_states_a_digest_the_content_must_match_it(
    start: Start, hub: Hub
) -> None:
    files = [{"path": path, "size_bytes": None} for path in (MODEL, CONFIG)]
    hub.moods[MODEL] = ["wrong"]
    assert "SHA-256" in answer(start(files=files))["message"]
    hub.moods[CONFIG] = ["wrong"]
    assert "git digest" in answer(start(files=files))["message"]
    assert answer(start(files=files)) == {"is_new": True}


def test_where_nobody_states_a_digest_nothing_is_fetched(start: Start, hub: Hub) -> None:
    hub.states_digests = False
    refused = answer(start(files=[{"path": MODEL, "size_bytes": len(CONTENT)}]))
    assert "no digest" in refused["message"]
    assert hub.gets(MODEL) == []


@pytest.mark.parametrize("moods", [["503"], ["500", "502"]])
def test_a_failure_that_passes_is_tried_again(start: Start, hub: Hub, moods: list[str]) -> None:
    hub.moods[MODEL] = list(moods)
    hub.head_moods = list(moods)
    assert answer(start()) == {"is_new": True}
    assert_whole()


def test_a_server_that_stays_broken_is_given_up(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["500"] * 99
    refused = answer(start())
    assert (refused["code"], "500" in refused["message"]) == ("TTS_MODEL_NOT_FOUND", True)
    assert not folder().exists()


def test_a_file_that_is_not_there_is_not_asked_for_again(start: Start, hub: Hub) -> None:
    del hub.files[MODEL]
    refused = answer(start())
    assert (refused["code"], "404" in refused["message"]) == ("TTS_MODEL_NOT_FOUND", True)
    assert [of for _, of, _ in hub.requests].count(MODEL) == 1


@pytest.mark.slow
def test_a_stall_ends_in_an_error_and_what_came_is_kept(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["stall"] * 99
    before = time.monotonic()
    refused = answer(start())
    assert time.monotonic() - before < 30
    assert refused["code"] == "TTS_MODEL_NOT_FOUND"
    assert not folder().exists()
    (part,) = parts()
    assert part.stat().st_size > 0
    hub.moods[MODEL] = []
    assert answer(start()) == {"is_new": True}
    assert hub.gets(MODEL)[-1].startswith("bytes=")
    assert_whole()


def test_a_kill_loses_little_and_leaves_no_voice(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["slow"]
    process = start()
    deadline = time.monotonic() + 30
    while not any(part.stat().st_size > 1 << 20 for part in parts()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not folder().exists()
    (part,) = parts()
    reached = part.stat().st_size
    assert answer(start()) == {"is_new": True}
    assert hub.gets(MODEL)[-1] == f"bytes={reached}-"
    assert_whole()


def test_two_at_once_fetch_it_once(start: Start, hub: Hub) -> None:
    hub.moods[MODEL] = ["slow"]
    processes = [start(), start()]
    assert sorted(answer(process)["is_new"] for process in processes) == [False, True]
    assert len(hub.gets(MODEL)) == 1
    assert_whole()


def test_too_little_space_is_told_before_anything_moves(start: Start, hub: Hub) -> None:
    refused = answer(start(free_bytes=1000))
    assert (refused["code"], "no space" in refused["message"]) == ("TTS_OUTPUT_FAILED", True)
    assert hub.requests == []
    assert not folder().exists()


def test_a_write_that_fails_half_way_leaves_nothing(start: Start) -> None:
    """A limit on the size of files stands in for a disk that fills up: the same write fails."""
    program = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
        "runpy.run_module('tests.voices.fetch', run_name='__main__')"
    )
    refused = answer(start(program=["-c", program]))
    assert refused["code"] == "TTS_OUTPUT_FAILED"
    assert not folder().exists()
    assert not parts()


def test_an_altered_file_is_fetched_again(start: Start) -> None:
    assert answer(start()) == {"is_new": True}
    (folder() / "en_US-tiny-low.onnx").write_bytes(b"altered")
    assert answer(start()) == {"is_new": True}
    assert_whole()


def test_what_a_killed_run_left_is_removed(start: Start) -> None:
    leftover = voices_folder() / "piper" / ".en_US-other-low.0123456789abcdef.tmp"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"x")
    assert answer(start()) == {"is_new": True}
    assert not leftover.exists()


def test_hf_hub_offline_uses_the_hubs_cache_and_nothing_else(
    start: Start, hub: Hub, tmp_path: Path
) -> None:
    offline = {"HF_HUB_OFFLINE": "1"}
    refused = answer(start(environment=offline))
    assert "HF_HUB_OFFLINE" in refused["message"]
    program = (
        "import sys, huggingface_hub as h; h.hf_hub_download(*sys.argv[1:3], revision=sys.argv[3])"
    )
    revision = "c10ece1aade47bb51c153c893d14e5bf8e5b7117"
    for path in (MODEL, CONFIG):
        subprocess.run(
            [sys.executable, "-c", program, "rhasspy/piper-voices", path, revision],
            check=True,
            env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")},
        )
    count = len(hub.requests)
    assert answer(start(environment=offline)) == {"is_new": True}
    assert len(hub.requests) == count
    assert_whole()


def test_an_unwritable_folder_is_told(start: Start, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    refused = answer(start(environment={"TTSCTL_VOICES_DIR": str(blocked / "voices")}))
    assert refused["code"] == "TTS_OUTPUT_FAILED"


def test_a_fetched_voice_is_loaded_and_is_the_default(start: Start) -> None:
    program = (
        "import json, sys; from ttsctl.voices.download import Means;"
        "from ttsctl.voices.known import KnownFile, KnownItem;"
        "from ttsctl.workflows.voices.fetching import fetch;"
        "item = json.loads(sys.argv[1]); files = tuple(KnownFile(**f) for f in item.pop('files'));"
        "loaded = [];"
        "means = Means(lambda _: None, lambda *_: None);"
        "report = fetch([KnownItem(files=files, **item)], means, loaded.extend);"
        "print(json.dumps([report.installed, report.default, [v.id for v in loaded]]))"
    )
    name = "piper:en_US-tiny-low"
    assert answer(start(program=["-c", program])) == [[name], name, [name]]
    assert answer(start(program=["-c", program])) == [[], name, []]


def test_a_voice_that_was_added_under_the_name_is_not_the_one_to_fetch(start: Start) -> None:
    put("piper", "en_US-tiny-low", "en-us", {"en_US-tiny-low.onnx": b"mine"})
    process = start()
    stdout, stderr = process.communicate(timeout=60)
    assert json.loads(stdout) == {"is_new": True}
    assert "replacing the voice that was added as piper:en_US-tiny-low" in stderr
    assert_whole()
    assert answer(start()) == {"is_new": False}

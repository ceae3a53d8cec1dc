"""`ttsctl voices` as a user meets it; the network is never more than loopback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.voices.made import piper_config, put_kokoro, put_piper

pytestmark = pytest.mark.slow

LESSAC = "en_US-lessac-medium"
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_ETAG_TIMEOUT": "1"}


def test_lists_everything_known_without_the_network(run: Run) -> None:
    answer = run("--offline", "voices", "list", "--all", "--json", **NOWHERE)
    voices = {voice["voice"]: voice for voice in answer.json["voices"]}
    assert voices["kokoro:af_heart"]["installed"] is False
    assert voices[f"piper:{LESSAC}"]["size_bytes"] > 60_000_000
    assert voices["espeak:en-us"]["installed"] is True
    table = run("voices", "list", "--all", "--engine", "piper", "--lang", "de").stdout.decode()
    assert "de_DE-thorsten-medium" in table
    assert "en_US" not in table


def test_tells_how_to_get_a_voice(run: Run) -> None:
    answer = run("say", "hello", "-v", LESSAC, "-o", "a.wav")
    assert (answer.code, f"ttsctl voices get {LESSAC}" in answer.stderr) == (4, True)
    listed = run("voices", "list", "--engine", "piper")
    assert (listed.code, "ttsctl voices get" in listed.stderr) == (4, True)


def test_offline_forbids_fetching_by_flag_and_by_environment(run: Run) -> None:
    assert run("--offline", "voices", "get", LESSAC, **NOWHERE).code == 2
    answer = run("voices", "get", LESSAC, "--json", TTSCTL_OFFLINE="1", **NOWHERE)
    assert (answer.code, answer.json["error"]["code"]) == (2, "TTS_INVALID_REQUEST")


def test_a_hub_that_is_not_there_is_an_error_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    answer = run("voices", "get", LESSAC, "--json", **NOWHERE)
    assert (answer.code, answer.json["error"]["code"]) == (4, "TTS_MODEL_NOT_FOUND")
    assert not list(tmp_path.rglob(f"{LESSAC}*"))
    nonsense = run("voices", "get", LESSAC, HF_ENDPOINT="nonsense")
    assert nonsense.code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("get", "en_US-lesac-medium"), 4, LESSAC),
        (("get", "espeak:de"), 2, "not to be fetched"),
        (("get",), 2, "Missing argument"),
        (("add", "nowhere.onnx"), 2, "does not exist"),
        (("remove", LESSAC), 4, "is not installed"),
        (("show", "nobody"), 4, "not found"),
        (("preview", LESSAC), 4, f"ttsctl voices get {LESSAC}"),
    ],
)
def test_wrong_input_is_one_line(
    run: Run, arguments: tuple[str, ...], code: int, hint: str
) -> None:
    answer = run("voices", *arguments)
    assert (answer.code, hint in answer.stderr) == (code, True)
    assert answer.stdout == b""


def test_a_model_that_is_none_is_refused_by_its_engine(run: Run, tmp_path: Path) -> None:
    (tmp_path / "en_US-none-low.onnx").write_bytes(b"not a model")
    (tmp_path / "en_US-none-low.onnx.json").write_bytes(piper_config())
    assert run("voices", "add", "en_US-none-low.onnx").code == 4


def test_shows_verifies_and_removes(run: Run) -> None:
    put_kokoro("af_sky")
    item = put_piper(LESSAC)
    shown = run("voices", "show", f"piper:{LESSAC}", "--json")
    assert (shown.code, shown.json["is_whole"], shown.json["ok"]) == (0, True, True)
    assert b"sha256" in run("voices", "show", LESSAC).stdout
    (item.folder / f"{LESSAC}.onnx").write_bytes(b"altered")
    damaged = run("voices", "show", LESSAC, "--json")
    assert (damaged.code, damaged.json["ok"]) == (4, False)
    removed = run("voices", "remove", LESSAC, "--json")
    assert (removed.code, removed.json["bytes"] > 0) == (0, True)
    assert run("voices", "remove", "kokoro").code == 0


def test_previews_a_voice(run: Run, tmp_path: Path) -> None:
    answer = run("voices", "preview", "de", "-o", "a.wav", "--json")
    assert (answer.code, answer.json["voice"]) == (0, "espeak:de")
    assert (tmp_path / "a.wav").stat().st_size > 10_000


def test_doctor_takes_an_engine_without_voices_for_no_fault(run: Run) -> None:
    answer = run("doctor", "--json")
    findings = {finding["name"]: finding for finding in answer.json["findings"]}
    for engine in ("piper", "kokoro"):
        assert findings[engine]["is_well"] is None
        assert findings[engine]["remedy"].startswith("ttsctl voices get")


@pytest.mark.parametrize(
    "arguments",
    [
        ["voices", "list", "--all"],
        ["voices", "show", "af_heart"],
        ["say", "hello", "-o", "a.wav"],
        ["--offline", "voices", "get", LESSAC],
        ["--help"],
    ],
)
def test_only_fetching_imports_the_library_of_the_hub(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\nfrom ttsctl.cli.app import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "assert not {'huggingface_hub', 'piper', 'onnxruntime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, cwd=tmp_path)


def test_a_damaged_voice_does_not_mute_the_others(run: Run, tmp_path: Path) -> None:
    item = put_piper("en_US-tiny-low")
    with (item.folder / "en_US-tiny-low.onnx").open("ab") as stream:
        stream.write(b"x")
    answer = run("say", "hello", "-o", "a.wav", "--json")
    assert (answer.code, answer.json["voice"]) == (0, "espeak:en-us")
    assert answer.stderr.count("voice 'piper:en_US-tiny-low' is passed over") == 1


@pytest.mark.parametrize("endpoint", ["http://[::1", "http://a:99999999"])
def test_an_endpoint_that_is_no_address_is_told(run: Run, endpoint: str) -> None:
    answer = run("voices", "get", LESSAC, "--json", HF_ENDPOINT=endpoint)
    assert (answer.code, answer.json["error"]["code"]) == (4, "TTS_MODEL_NOT_FOUND")
    assert "HF_ENDPOINT" in answer.json["error"]["message"]


def test_a_preview_replaces_a_file_only_by_force(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"mine")
    assert run("voices", "preview", "de", "-o", "a.wav").code == 5
    assert (tmp_path / "a.wav").read_bytes() == b"mine"
    assert run("voices", "preview", "de", "-o", "a.wav", "--force").code == 0

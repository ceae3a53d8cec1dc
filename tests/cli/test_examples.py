"""The examples, run as somebody runs them who wants to know whether they work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
import soundfile

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = (sys.executable, "-m", "ttsctl")


def _interpreter(name: str) -> str:
    found = sys.executable if name == "client.py" else shutil.which("node")
    if found is None:
        pytest.skip("node is not installed, which examples/client.mjs is for")
    return found


def _run(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_interpreter(name), str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize("name", ["client.py", "client.mjs"])
def test_a_client_speaks_into_files_and_ends_its_service(tmp_path: Path, name: str) -> None:
    finished = _run(name, tmp_path / "out", *COMMAND)
    assert (finished.returncode, finished.stderr) == (0, "")
    told = json.loads(finished.stdout)
    assert (told["status"], told["refused"], told["exit_code"]) == (
        "healthy",
        "TTS_NOT_INSTALLED",
        0,
    )

    first, second = told["files"]
    with wave.open(first["path"]) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(
            first["duration"], abs=0.01
        )
        assert any(sound.readframes(sound.getnframes()))
    assert soundfile.info(second["path"]).duration == pytest.approx(second["duration"], abs=0.05)
    streamed = told["streamed"]
    assert Path(streamed["path"]).stat().st_size == streamed["bytes"]
    assert streamed["bytes"] / 2 / 22_050 == pytest.approx(streamed["duration"], abs=0.01)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"first.wav", "second.opus", "streamed.pcm"}


@pytest.mark.parametrize("name", ["client.py", "client.mjs"])
def test_a_client_finds_its_service_by_the_environment(tmp_path: Path, name: str) -> None:
    finished = _run(name, tmp_path, TTSCTL=" ".join(COMMAND))
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("name", ["client.py", "client.mjs"])
@pytest.mark.parametrize(
    "command",
    [("no-such-program-anywhere",), ("false",), (*COMMAND, "--nonsense"), ("sleep", "0")],
    ids=["missing", "fails", "refuses", "ends"],
)
def test_a_service_that_does_not_start_is_an_error(
    tmp_path: Path, name: str, command: tuple[str, ...]
) -> None:
    finished = _run(name, tmp_path, *command)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr != ""
    assert "Traceback" not in finished.stderr
    assert "at async" not in finished.stderr

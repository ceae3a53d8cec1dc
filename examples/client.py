"""Keep ttsctl as a child process and ask it for speech: the standard library is all it takes.

    python client.py OUTPUT_FOLDER [COMMAND ...]

COMMAND starts ttsctl; without it the variable TTSCTL is taken, or plain `ttsctl`.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30


class TtsError(Exception):
    """What the service answered where it could not do what was asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class TtsService:
    """A warm ttsctl, for as long as the `with` block lasts; threads may share it.

    Args:
        output_root: The folder below which it may write files.
        command: What starts ttsctl.
    """

    def __init__(self, output_root: Path, command: list[str]) -> None:
        self._command = [*command, "serve", "--stdio", "--output-root", str(output_root)]
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[Future[dict[str, Any]], Callable[[bytes], Any]]] = {}
        self._lock = threading.Lock()
        self._ready: Future[None] = Future()

    def __enter__(self) -> TtsService:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=1, encoding="utf-8"
        )
        readers = (self._read_replies, self._read_status)
        self._threads = [threading.Thread(target=each, daemon=True) for each in readers]
        for thread in self._threads:
            thread.start()
        try:
            self._ready.result(START_TIMEOUT_S)
        except BaseException:
            self._process.kill()
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self, action: str, on_audio: Callable[[bytes], Any] = bytes, **fields: Any
    ) -> Future[dict[str, Any]]:
        """Send a request at once; the future has its reply, or raises `TtsError`.

        Args:
            action: "synthesize", "ping", "voices", "metrics", "cancel" or "shutdown".
            on_audio: Called with each piece of sound where `stream=True` is among the fields.
            fields: What else the request says.
        """
        reply: Future[dict[str, Any]] = Future()
        with self._lock:
            number = next(self._ids)
            self._waiting[number] = reply, on_audio
            line = json.dumps({"id": number, "action": action, **fields})
            self._process.stdin.write(line + "\n")
        return reply

    def close(self) -> int:
        """Let it finish what it has in hand, and return its exit code; may be called twice."""
        with contextlib.suppress(BrokenPipeError):  # it may have ended already
            self._process.stdin.close()
        for thread in self._threads:
            thread.join()
        self._process.stdout.close()
        self._process.stderr.close()
        return self._process.wait()

    def _read_replies(self) -> None:
        for line in self._process.stdout:
            reply = json.loads(line)
            if reply.get("id") not in self._waiting:
                continue  # to a line that could not be read
            future, on_audio = self._waiting[reply["id"]]
            if reply.get("event") == "audio":
                on_audio(base64.b64decode(reply["data"]))
                continue
            del self._waiting[reply["id"]]
            if reply.get("success", True):
                future.set_result(reply)
            else:
                future.set_exception(TtsError(**reply["error"]))
        with self._lock:
            for future, _ in self._waiting.values():
                future.set_exception(TtsError("ENDED", "the service has ended"))

    def _read_status(self) -> None:
        for line in self._process.stderr:
            if not line.startswith("{"):
                print(line, end="", file=sys.stderr)  # a warning, for people
            elif json.loads(line).get("status") == "ready":
                self._ready.set_result(None)
        if not self._ready.done():
            self._ready.set_exception(TtsError("ENDED", "the service did not start"))


def speak(service: TtsService, root: Path) -> dict[str, Any]:
    """Ask for two files at once, for a stream, and for what cannot be; return what came of it."""
    first = service.request("synthesize", text="The first of two.", outputPath="first.wav")
    second = service.request("synthesize", text="And the second.", outputPath="second.opus")

    with (root / "streamed.pcm").open("wb") as file:
        fields = {"text": "Heard as it is made.", "stream": True, "format": "pcm"}
        streamed = service.request("synthesize", file.write, **fields).result()

    try:
        service.request("synthesize", text="Hello", voice="nobody:knows").result()
        refused = None
    except TtsError as error:
        refused = error.code

    return {
        "files": [
            {"path": reply["filePath"], "duration": reply["duration"]}
            for reply in (first.result(), second.result())
        ],
        "streamed": {
            "path": str(root / "streamed.pcm"),
            "bytes": (root / "streamed.pcm").stat().st_size,
            "duration": streamed["duration"],
        },
        "refused": refused,
        "status": service.request("ping").result()["status"],
    }


def main() -> None:
    """Speak, and print a summary."""
    root = Path(sys.argv[1]).resolve()
    root.mkdir(parents=True, exist_ok=True)
    command = sys.argv[2:] or shlex.split(os.environ.get("TTSCTL", "ttsctl"))
    try:
        with TtsService(root, command) as service:
            summary = speak(service, root)
            summary["exit_code"] = service.close()
    except (OSError, TtsError) as error:
        sys.exit(str(error))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

"""A hub on loopback: the same addresses and headers as the real one, and its bad days."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BLOCK = 1 << 16


@dataclass
class Hub:
    """What the server has, how it behaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path in the repository."""

    moods: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """How to answer the next GETs of a path; "good" once they are used up."""

    head_moods: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path in the repository, and the Range header."""

    url: str = ""
    states_digests: bool = True

    def gets(self, path: str) -> list[str]:
        """Return the Range header of each GET of the path."""
        return [span for method, of, span in self.requests if (method, of) == ("GET", path)]


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def handle(self) -> None:
        with suppress(ConnectionError):  # of a client that was killed
            super().handle()

    def do_HEAD(self) -> None:
        moods = self.state.head_moods
        mood = moods.pop(0) if moods else "good"
        if mood == "stall":
            time.sleep(30)
        if mood.isdigit():
            self._refuse(int(mood))
            return
        path, content = self._wanted()
        if content is None:
            self._refuse(404)
            return
        self.send_response(200)
        self._describe(path, content)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def do_GET(self) -> None:
        path, content = self._wanted()
        moods = self.state.moods[path]
        mood = moods.pop(0) if moods else "good"
        if content is None or mood.isdigit():
            self._refuse(404 if content is None else int(mood))
            return
        body = bytes(byte ^ 1 for byte in content) if mood == "wrong" else content
        start = self._start(len(body)) if mood != "norange" else 0
        self.send_response(206 if start else 200)
        self._describe(path, content)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self._send(body[start:], mood)

    def _send(self, body: bytes, mood: str) -> None:
        if mood in ("truncated", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if mood == "stall":
                time.sleep(30)
            self.close_connection = True
            return
        for place in range(0, len(body), BLOCK):
            self.wfile.write(body[place : place + BLOCK])
            if mood == "slow":
                self.wfile.flush()
                time.sleep(0.05)

    def _wanted(self) -> tuple[str, bytes | None]:
        path = self.path.partition("?")[0].partition("/resolve/")[2].partition("/")[2]
        self.state.requests.append((self.command, path, self.headers.get("Range", "")))
        return path, self.state.files.get(path)

    def _describe(self, path: str, content: bytes) -> None:
        commit = self.path.partition("/resolve/")[2].partition("/")[0]
        self.send_header("X-Repo-Commit", commit)
        header = f"blob {len(content)}\0".encode()
        git = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
        self.send_header("ETag", f'"{git if self.state.states_digests else "weak"}"')
        if not path.endswith(".json") and self.state.states_digests:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content)))

    def _start(self, size: int) -> int:
        span = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        return min(int(span.partition("-")[0]), size)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

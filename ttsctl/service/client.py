"""Asking a daemon something, for the commands that look after it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from ttsctl.errors import DeadlineError, error_from

_TIMEOUT_S = 5.0


def ask(path: Path, action: str, timeout_s: float = _TIMEOUT_S) -> dict[str, Any] | None:
    """Return the daemon's reply to `action`; None where no daemon listens at `path`.

    Raises:
        DeadlineError: It does not answer, or ended before it did.
        TtsctlError: What it answered with.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise DeadlineError(f"the daemon at {path} cannot be reached: {error}") from error
        return _reply(connection, path, action)


def wait_gone(path: Path, timeout_s: float) -> None:
    """Wait until the daemon has removed its socket: nothing is in hand then, and it goes.

    Raises:
        DeadlineError: It is still there after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while path.exists():
        if time.monotonic() > deadline:
            raise DeadlineError(f"the daemon at {path} has not ended within {timeout_s:g} s")
        time.sleep(0.02)


def _reply(connection: socket.socket, path: Path, action: str) -> dict[str, Any]:
    try:
        with contextlib.suppress(BrokenPipeError):  # it has said why it hung up
            connection.sendall(json.dumps({"action": action}).encode() + b"\n")
        with connection.makefile("rb") as replies:
            reply: dict[str, Any] = dict(json.loads(replies.readline()))
    except (OSError, ValueError, TypeError) as error:
        raise DeadlineError(f"the daemon at {path} does not answer; see its log") from error
    if not reply.get("success"):
        described = reply.get("error") or {}
        raise error_from(str(described.get("code")), str(described.get("message")))
    return reply

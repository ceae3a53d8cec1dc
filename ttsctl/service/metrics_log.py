"""A log of figures: one JSON object a line, in a few files of bounded size."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from ttsctl.errors import OutputError
from ttsctl.files import make_folder, reason
from ttsctl.service.protocol import encode

MAX_BYTES = 5_000_000  # of one file
FILES = 3  # the one that is written, and those before it: .1 and .2

_logger = logging.getLogger(__name__)


class MetricsLog:
    """Appends to `path`, which only its owner may read. Safe to share between threads.

    The figures are not worth failing for: what cannot be written is lost, with one warning.

    Args:
        path: The file; it and its folder are made when the first line is written.
        max_bytes: Size at which the file becomes `path`.1 and a new one is begun.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._handler: _PrivateFile | None = _PrivateFile(path, max_bytes)

    def append(self, fields: dict[str, Any]) -> None:
        """Write the time, in UTC, and `fields` as a line; nothing once the log is closed."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock()))
        line = encode({"time": stamp, **fields}).decode("ascii").rstrip("\n")
        with self._lock:
            if self._handler is not None:
                self._handler.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            handler, self._handler = self._handler, None
            if handler is not None:
                with contextlib.suppress(OSError):
                    handler.close()


class _PrivateFile(RotatingFileHandler):
    """Rotation as the standard library does it, in files with the mode 0600."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(
            path, maxBytes=max_bytes, backupCount=FILES - 1, encoding="ascii", delay=True
        )
        self._has_warned = False

    def _open(self) -> io.TextIOWrapper:
        make_folder(Path(self.baseFilename).parent, 0o700)
        return open(self.baseFilename, "a", encoding="ascii", opener=_open_privately)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name it has there
        """Warn once, and begin anew with the next line: a broken stream repeats its last one."""
        error = sys.exc_info()[1]
        if not isinstance(error, (OSError, OutputError)):
            raise  # a bug: logging calls this where it has caught the error
        stream, self.stream = self.stream, None
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
        if not self._has_warned:
            what = reason(error) if isinstance(error, OSError) else error.message
            _logger.warning("metrics are not written to %s: %s", self.baseFilename, what)
        self._has_warned = True


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

"""How a process learns that another one has cleared the cache that both keep in memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Clearings:
    """A file whose time says when something was removed last.

    Args:
        folder: Of the cache; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cleared"
        self._seen = self._moment()

    def note(self) -> None:
        """Say that something was removed just now."""
        with contextlib.suppress(OSError):  # no folder, nothing that others could have in memory
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.utime(descriptor)
            os.close(descriptor)
        self._seen = self._moment()

    def is_news(self) -> bool:
        """Tell whether something was removed since this was asked last."""
        before, self._seen = self._seen, self._moment()
        return self._seen != before

    def _moment(self) -> int:
        try:
            return os.stat(self._path, follow_symlinks=False).st_mtime_ns
        except OSError:
            return 0

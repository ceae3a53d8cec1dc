"""One at a time, across threads and processes.

A lock is a file held by flock(2), so the death of its holder frees it. Who lets go removes the
file first; who then gets hold of a file that has lost its name has to begin again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05  # flock(2) cannot wait with a time limit


class FileLock:
    """A lock that is held until `release`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go, from any thread of the process; once."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        # Closing alone would leave it held by a child that was forked in the meantime.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


def acquire(
    path: Path, timeout_s: float, check: Callable[[], None] = lambda: None
) -> FileLock | None:
    """Return the lock of that name, or None where it was not to be had in time.

    Returns None at once where the folder is missing or cannot be written to. `check` is called now
    and then while it is waited for; what it raises ends the wait.
    """
    deadline_s = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    with contextlib.suppress(OSError):
        while (lock := _try(path)) is None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            check()
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return lock
    return None


@contextlib.contextmanager
def held(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock of that name for the length of the block, or go on without it."""
    lock = acquire(path, timeout_s)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _try(path: Path) -> FileLock | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    if _take(descriptor):
        return FileLock(path, descriptor)
    os.close(descriptor)
    return None


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0

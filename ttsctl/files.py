"""Files that are whole or not there at all, and locks that name their owner."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from ttsctl.errors import BusyError, OutputError

_POLL_S = 0.2
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.part")

Head = Callable[[bytes, int], bytes]


def write_whole(
    path: Path,
    blocks: Iterable[bytes],
    *,
    replace: bool,
    head: Head | None = None,
    mode: int = 0o666,
) -> int:
    """Write `blocks` to `path` so that it holds all of them or is left as it was.

    The bytes go to a hidden temporary file in the same folder, are fsynced, and then get the name;
    the folder is fsynced last. Returns the number of bytes written.

    Args:
        path: The file to make. Its folder must exist.
        blocks: The content, in order; an error raised by the iterable leaves no file behind.
        replace: Whether a file of that name may be replaced.
        head: For a format whose beginning tells its length: given the first block and the size
            of the file, returns what that block, of the same length, should have been.
        mode: The permissions of the file, from which the user's umask takes.

    Raises:
        OutputError: The folder is missing or read-only, the disk is full, or the file exists and
            may not be replaced.
    """
    try:
        if path.exists() and not path.is_file():
            return _write_into(path, blocks)
        path = path.resolve()  # the target of a link is replaced, not the link
        with _temporary(path, mode) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb") as stream:
                written = _write(stream, blocks, head)
                stream.flush()
                os.fsync(descriptor)
            _give_name(temporary, path, replace=replace)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from error
    return written


def _write(stream: IO[bytes], blocks: Iterable[bytes], head: Head | None) -> int:
    iterator = iter(blocks)
    first = next(iterator, b"")
    written = stream.write(first) + sum(stream.write(block) for block in iterator)
    if head is not None:
        stream.seek(0)
        stream.write(head(first, written))
    return written


def _write_into(path: Path, blocks: Iterable[bytes]) -> int:
    """Write to a device or a pipe, which a rename would replace by a plain file."""
    with path.open("wb") as stream:
        return sum(stream.write(block) for block in blocks)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; no writer may be at work."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def reason(error: OSError) -> str:
    """Return the operating system's words for `error`, in lower case and without the path."""
    return (error.strerror or str(error)).lower()


@contextlib.contextmanager
def _temporary(path: Path, mode: int) -> Iterator[tuple[int, Path]]:
    temporary = path.parent / f".{path.name[:100]}.{os.urandom(8).hex()}.part"
    # Not tempfile.mkstemp: that makes private files, and a result should obey the user's umask.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, mode)
    try:
        yield descriptor, temporary
    finally:
        temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, path: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(path)
    else:
        os.link(temporary, path)  # unlike rename, fails where the name is taken
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make `folder` and those above it; one that is there is left as it is.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write in {folder}: {reason(error)}") from error


@contextlib.contextmanager
def locked(
    path: Path, what: str, *, wait_s: float = 0.0, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block; it is freed when the process dies.

    Args:
        path: The lock file; made if missing, in an existing folder, and left in place.
        what: What the lock guards, for the message: "prewarm".
        wait_s: How long to wait for another process that holds it.
        on_wait: Called once, with what is waited for, where that is so.

    Raises:
        BusyError: Another process holds it still; the message names its process id.
        OutputError: The file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputError(f"cannot lock {path}: {reason(error)}") from error
    try:
        _wait_for(descriptor, what, wait_s, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait_for(
    descriptor: int, what: str, wait_s: float, on_wait: Callable[[str], None] | None
) -> None:
    """Take the lock, asking again and again: flock(2) cannot wait with a time limit."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            _take(descriptor, what)
        except BusyError as error:
            if time.monotonic() >= deadline:
                raise
            if on_wait is not None:
                on_wait(error.message)
                on_wait = None
            time.sleep(_POLL_S)
        else:
            return


def _take(descriptor: int, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        owner = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
        raise BusyError(
            f"another {what} is running (process {owner}); wait for it to end"
        ) from error

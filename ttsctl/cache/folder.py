"""The cache's folder: private to its owner, and every file in it opened with suspicion.

    <folder>/cache.db, -wal, -shm    the index
    <folder>/ab/cd/<28 hex>.val      one packed record each
    <folder>/locks/<key>             see locks.py

Names of value files come from the index, which may be damaged or planted, so they are matched to
that one pattern and opened part by part without following links.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ttsctl.cache.record import DamagedRecordError

DATABASE = "cache.db"
LOCKS = "locks"

_DATABASE_FILES = tuple(DATABASE + suffix for suffix in ("", "-wal", "-shm", "-journal"))
_VALUE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW
_ATTEMPTS = 10  # as many as diskcache makes against the same race

Identity = tuple[int, int]


class DamagedStoreError(Exception):
    """What stands in the folder is not a store that this program made."""


def prepare(folder: Path) -> None:
    """Make the folder where it is missing, keep others out of it, and check its database files.

    Raises:
        OSError: It cannot be made, or it or the link that leads to it belongs to another user.
        DamagedStoreError: A database file is a link, no plain file, or another user's.
    """
    if os.path.expandvars(folder) != str(folder):
        # diskcache would expand it and so use another folder than the one made safe here.
        raise OSError(errno.EINVAL, "its name holds a $ that would be expanded", str(folder))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_private(folder)
    (folder / LOCKS).mkdir(mode=0o700, exist_ok=True)
    for name in _DATABASE_FILES:
        _check_database_file(folder / name)
    with contextlib.suppress(FileExistsError):
        # SQLite gives its side files the mode of the database, so no umask has to change.
        os.close(os.open(folder / DATABASE, _SAFE | os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def database_identity(folder: Path) -> Identity | None:
    """Return what tells this database file from one that took its place later."""
    try:
        status = (folder / DATABASE).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(folder: Path, identity: Identity | None, now_s: float) -> Path | None:
    """Move a damaged store out of the way, and make an empty folder in its place.

    One such store is kept for a post-mortem; older ones are deleted. Returns where it went, or
    None where another process has replaced the database in the meantime.

    Raises:
        OSError: It cannot be moved, or another process is doing so right now.
    """
    folder = folder.resolve()  # the folder is replaced, not a link to it
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if database_identity(folder) != identity:
            return None
        prefix = f"{folder.name}.corrupt-"
        for older in [path for path in folder.parent.iterdir() if path.name.startswith(prefix)]:
            shutil.rmtree(older, ignore_errors=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
        aside = folder.rename(folder.with_name(prefix + stamp))
        folder.mkdir(mode=0o700)
        return aside
    finally:
        os.close(descriptor)


def is_value_name(name: object) -> bool:
    """Tell whether `name` is the relative path of a value file."""
    return isinstance(name, str) and _VALUE_NAME.fullmatch(name) is not None


def read_value(folder: Path, name: str) -> bytes:
    """Return the content of a value file.

    Raises:
        DamagedRecordError: The name is not one of a value file, or what bears it is a link, a
            pipe, a folder or another user's.
        OSError: It is gone or cannot be read.
    """
    if not is_value_name(name):
        raise DamagedRecordError(f"no name of a value file: {name!r}")
    try:
        with _parents(folder, name) as parents:
            # Non-blocking, because a pipe in its place would wait for a writer for ever.
            flags = _SAFE | os.O_RDONLY | os.O_NONBLOCK
            descriptor = os.open(os.path.basename(name), flags, dir_fd=parents[-1])
        with open(descriptor, "rb") as stream:
            _require_own_file(os.fstat(stream.fileno()))
            return stream.read()
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO):
            raise DamagedRecordError(f"no plain file: {name}") from error
        raise


def write_value(folder: Path, data: bytes) -> str:
    """Write a new value file and return its name.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    digits = secrets.token_hex(16)
    name = f"{digits[:2]}/{digits[2:4]}/{digits[4:]}.val"
    for _ in range(_ATTEMPTS - 1):
        # Another process may remove the sub-folder, empty as yet, before the file is in it.
        with contextlib.suppress(FileNotFoundError):
            return _write_value(folder, name, data)
    return _write_value(folder, name, data)


def remove_value(folder: Path, name: str) -> None:
    """Remove a value file and the sub-folders that it leaves empty; no matter if it is gone."""
    if not is_value_name(name):
        return
    first, second, leaf = name.split("/")
    with contextlib.suppress(OSError), _parents(folder, name) as parents:
        with contextlib.suppress(OSError):
            os.unlink(leaf, dir_fd=parents[2])
        os.rmdir(second, dir_fd=parents[1])
        os.rmdir(first, dir_fd=parents[0])


def disk_space(path: Path) -> tuple[int, int]:
    """Return the free and the total bytes of the disk that holds `path`."""
    usage = shutil.disk_usage(path)
    return usage.free, usage.total


def _make_private(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if {status.st_uid, folder.lstat().st_uid} != {os.geteuid()}:
            raise PermissionError(errno.EPERM, "it belongs to another user", str(folder))
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _check_database_file(path: Path) -> None:
    # By name, never by descriptor: to close one would drop the locks that SQLite holds on the file
    # in this process (https://sqlite.org/howtocorrupt.html, 2.2).
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise DamagedStoreError(f"{path.name} is not a plain file of this user")
        if stat.S_IMODE(status.st_mode) & 0o077:
            path.chmod(0o600)


def _require_own_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise DamagedRecordError("it is not a plain file of this user")


def _write_value(folder: Path, name: str, data: bytes) -> str:
    leaf = os.path.basename(name)
    with _parents(folder, name, make=True) as parents:
        flags = _SAFE | os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(leaf, flags, 0o600, dir_fd=parents[-1])
        try:
            with open(descriptor, "wb") as stream:
                stream.write(data)
        except BaseException:
            os.unlink(leaf, dir_fd=parents[-1])
            raise
    return name


@contextlib.contextmanager
def _parents(folder: Path, name: str, *, make: bool = False) -> Iterator[list[int]]:
    """Open the folder and the sub-folders on the way to `name`, none of them through a link."""
    with contextlib.ExitStack() as stack:
        parents = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        stack.callback(os.close, parents[0])
        for part in name.split("/")[:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=parents[-1])
            flags = _SAFE | os.O_RDONLY | os.O_DIRECTORY
            parents.append(os.open(part, flags, dir_fd=parents[-1]))
            stack.callback(os.close, parents[-1])
        yield parents

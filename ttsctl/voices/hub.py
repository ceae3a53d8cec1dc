"""What the Hugging Face hub says of a file, and the file itself. The only importer of its library.

The library honours HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE. What its cache in HF_HOME holds is
taken from there; what it does not hold is fetched straight into the store, where a download that
was killed goes on from the byte it had reached: `hf_hub_download` would begin again, and keep a
second copy of everything.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from ttsctl.errors import ModelNotFoundError, OutputError
from ttsctl.files import reason

try:
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HTTPError,  # of requests, httpx or httpx2, as the release has it
        OfflineModeIsEnabled,
    )
    from huggingface_hub.file_download import (  # the top would print a failure to stdout
        get_hf_file_metadata,
        hf_hub_url,
        http_get,
        try_to_load_from_cache,
    )
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars
except ValueError as error:  # it takes HF_ENDPOINT and its other variables apart at once
    raise ModelNotFoundError(
        f"an HF_ variable of the environment, such as HF_ENDPOINT, is wrong: {error};"
        " correct or unset it"
    ) from error

ATTEMPTS = 3
BACK_OFF_S = 0.5  # doubles with each further attempt
_BLOCK_BYTES = 1 << 18  # what is lost by a kill, and a step of the progress bar
_PASSING = (408, 429, 500, 502, 503, 504)
# The library raises OSError for a body of the wrong length, ValueError for an address that is none.
_FAILURES = (HTTPError, OSError, ValueError)

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at one revision."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True)
class Stated:
    """What the hub says of a file."""

    url: str
    """Where to fetch it; empty where only the cache has it."""

    size_bytes: int | None

    digest: str
    """SHA-256 of a large file, or the SHA-1 that git gives a small one; empty if neither."""


def cached(file: HubFile) -> Path | None:
    """Return the file in the library's own cache, or None."""
    found = try_to_load_from_cache(file.repository, file.path, revision=file.revision)
    return Path(found) if isinstance(found, str) else None


def stated(file: HubFile, *, sleep: Callable[[float], None] = time.sleep) -> Stated:
    """Ask the hub for size and digest of a file, or the cache where the hub is not to be reached.

    Raises:
        ModelNotFoundError: Neither has the file.
    """
    url = hf_hub_url(file.repository, file.path, revision=file.revision)
    try:
        facts = _persistently(lambda: get_hf_file_metadata(url), file, sleep)
    except ModelNotFoundError:
        # A file of the cache has its digest for a name.
        if (local := cached(file)) is None:
            raise
        return Stated("", None, local.resolve().name)
    return Stated(facts.location, facts.size, facts.etag or "")


def download(
    file: HubFile,
    facts: Stated,
    part: Path,
    on_bytes: OnBytes,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch the file into `part`, going on where an earlier download left off.

    Raises:
        ModelNotFoundError: The hub cannot be reached, does not have it, or breaks off; what came
            stays in `part`.
        OutputError: The disk is full or the folder cannot be written; `part` is gone.
    """
    headers = _prepared(facts.url)
    _drop_overlong(part, facts.size_bytes)

    def attempt() -> None:
        with _Part(part, on_bytes) as stream:
            size = stream.tell()
            on_bytes(size)
            http_get(
                facts.url,
                cast("Any", stream),
                resume_size=size,
                headers=headers,
                expected_size=facts.size_bytes,
            )

    _persistently(attempt, file, sleep)


def _prepared(url: str) -> dict[str, str]:
    """Quieten the library, and return the headers for a download from `url`."""
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    constants.DOWNLOAD_CHUNK_SIZE = _BLOCK_BYTES  # the library's 10 MB is one step for most voices
    headers = build_hf_headers(library_name="ttsctl")
    if urlsplit(url).netloc != urlsplit(constants.ENDPOINT).netloc:
        headers.pop("authorization", None)  # storage elsewhere is not to see the user's token
    return headers


def _drop_overlong(part: Path, size_bytes: int | None) -> None:
    """Remove what is longer than the file, which the hub would refuse to go on with."""
    with contextlib.suppress(FileNotFoundError):
        if size_bytes is not None and part.stat().st_size > size_bytes:
            part.unlink()


class _Part:
    """The file being fetched, as far as it has come; a failure to write it is not the hub's."""

    def __init__(self, path: Path, on_bytes: OnBytes) -> None:
        self._path = path
        self._on_bytes = on_bytes

    def __enter__(self) -> _Part:
        try:
            self._stream: IO[bytes] = self._path.open("ab")
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {reason(error)}") from error
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what was not written was an error already
            self._stream.close()

    def write(self, block: bytes) -> int:
        try:
            written = self._stream.write(block)
            self._stream.flush()
        except OSError as error:
            self._path.unlink(missing_ok=True)
            raise OutputError(f"cannot write {self._path}: {reason(error)}") from error
        self._on_bytes(self._stream.tell())
        return written

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        return self._stream.truncate(size)

    def flush(self) -> None:
        self._stream.flush()


def _persistently(action: Callable[[], Any], file: HubFile, sleep: Callable[[float], None]) -> Any:
    """Do it, again after a failure that may pass."""
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except _FAILURES as error:
            if attempt + 1 == ATTEMPTS or not _may_pass(error):
                raise ModelNotFoundError(_message(file, error)) from error
            sleep(BACK_OFF_S * 2**attempt)
    raise AssertionError("unreachable")


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _PASSING
    # A connection that breaks or stalls was already tried again by the library.
    return False


def _message(file: HubFile, error: Exception) -> str:
    if isinstance(error, OfflineModeIsEnabled):
        why, next_step = "HF_HUB_OFFLINE is set, and its cache does not have it", "unset it"
    elif isinstance(error, HfHubHTTPError):
        why = f"it answers {error.response.status_code}"
        next_step = "check HF_ENDPOINT" if error.response.status_code == 404 else "try again later"
    else:
        first_line = str(error).strip().partition("\n")[0] or type(error).__name__
        why, next_step = first_line, "check the connection and run the command again"
    return f"cannot fetch {file.path} from {constants.ENDPOINT}: {why}; {next_step}"

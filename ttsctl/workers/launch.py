"""The process of a worker: how it is started, and what its end means."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import IO

from ttsctl.settings import worker_environment

_LOG_TAIL_BYTES = 4_000

# The worker gets its parent's module path as an argument and runs isolated (-I), so that a file in
# the current folder is never imported in place of a module.
_BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ttsctl.workers.child import main; main(sys.argv[2])"
)


def launch(engine: str, log: IO[bytes], threads: int | None) -> subprocess.Popen[bytes]:
    """Start a process for `engine` that talks over its stdin and stdout.

    Args:
        engine: Name in the registry.
        log: Where its stderr goes.
        threads: What the engine may use; None for its own default.

    Raises:
        OSError: The system does not start another process.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _BOOTSTRAP, json.dumps(sys.path), engine],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=worker_environment(threads),
        bufsize=0,
        start_new_session=True,  # Ctrl-C in the terminal is for the parent, which then decides
    )


def how_it_ended(return_code: int) -> str:
    """Return how a process with this return code ended, in words."""
    if return_code >= 0:
        return f"ended with exit code {return_code}"
    try:
        return f"was killed by {signal.Signals(-return_code).name}"
    except ValueError:
        return f"was killed by signal {-return_code}"


def last_words(log: IO[bytes]) -> str:
    """Return the last line that a process wrote to `log`, without control characters."""
    size = os.fstat(log.fileno()).st_size
    tail = os.pread(log.fileno(), _LOG_TAIL_BYTES, max(0, size - _LOG_TAIL_BYTES))
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    last = (fatal or lines or [""])[-1]
    return "".join(character for character in last if character.isprintable())[:200]

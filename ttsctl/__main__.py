"""The entry point: `ttsctl` and `python -m ttsctl`."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from types import FrameType
from typing import NoReturn

_DEATHS = {128 + number: number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)}


def main() -> NoReturn:
    """Run the command line; where a signal stopped it, end by that signal after the clean-up.

    A shell loop or a supervisor can only tell "interrupted" from "failed" by the way of the death.
    """
    signal.signal(signal.SIGTERM, _terminate)
    _open_standard_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # they are for developers, of libraries for the most part
    try:
        # Imported here so that Ctrl-C during the imports ends like any other Ctrl-C.
        from ttsctl.cli import daemon_client

        code: object = daemon_client.say(sys.argv[1:], os.environ)
        if code is None:
            code = _run_here()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except SystemExit as stop:
        code = stop.code
    if isinstance(code, int) and code in _DEATHS:
        signal.signal(_DEATHS[code], signal.SIG_DFL)
        os.kill(os.getpid(), _DEATHS[code])
    sys.exit(code)  # type: ignore[arg-type]


def _run_here() -> object:
    """Run the command line in this process, and return its exit code."""
    from ttsctl.cli.head_start import start_worker

    worker = start_worker(sys.argv[1:])
    try:
        from ttsctl.cli import output
        from ttsctl.cli.app import app
        from ttsctl.cli.caller import LocalCaller

        output.show_warnings()
        app(prog_name="ttsctl", obj=LocalCaller(worker))
    finally:
        if worker is not None:
            worker.kill()
    return 0


def _open_standard_streams() -> None:
    """Make the three streams fit to use: UTF-8, and at nothing where the caller closed them.

    Else the next file that is opened, the cache say, would be what is printed into.
    """
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            # Gets the lowest number, which is the free one. Nothing can be written to a stdout that
            # is not there: what was meant for it is an error, and not lost without a word.
            access = os.O_RDONLY if descriptor == 1 else os.O_RDWR
            null = os.open(os.devnull, access)
            setattr(sys, name, os.fdopen(null, "r" if descriptor == 0 else "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # UTF-8 whatever the locale; a name that is none is shown escaped, not a traceback.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    # An exception, so that every `finally` on the way out runs: workers end, temporary files go.
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()

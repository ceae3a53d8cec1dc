"""Where a client and the daemon meet, and what must be the same for both.

Imports next to nothing: a client that is answered by the daemon imports little else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SOCKET_VARIABLE = "TTSCTL_SOCKET"  # also that of the option --socket
OPT_OUT_VARIABLE = "TTSCTL_NO_DAEMON"  # also that of the option --no-daemon

# What decides settings, voices and cache. Where it differs, each process speaks for itself.
_PREFIX = "TTSCTL_"
_FOLDERS = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_PATHS = ("TTSCTL_CONFIG", "TTSCTL_CACHE_DIR", "TTSCTL_VOICES_DIR", *_FOLDERS)


def socket_path(environ: Mapping[str, str]) -> str:
    """Return where the user's daemon listens.

    In the folder that the system keeps for the user's sockets, which it removes at the end of the
    session; where there is none, in that of the user's state.
    """
    if named := environ.get(SOCKET_VARIABLE):
        return named
    folder = environ.get("XDG_RUNTIME_DIR")
    if not folder:
        home = environ.get("HOME") or os.path.expanduser("~")
        folder = environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(folder, "ttsctl", "ttsctl.sock")


def shared_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that must be the same for a daemon to speak for a client.

    Paths are made absolute, because the two stand in different folders.
    """
    shared = {
        name: value
        for name, value in environ.items()
        if value and (name.startswith(_PREFIX) or name in _FOLDERS) and name != SOCKET_VARIABLE
    }
    return shared | {name: os.path.abspath(shared[name]) for name in _PATHS if name in shared}

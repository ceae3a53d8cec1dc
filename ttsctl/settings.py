"""What the surroundings say: environment, configuration file, folders.

The only reader of `os.environ`. A setting is decided by the first of: flag, environment variable
`TTSCTL_<OPTION>`, the command's table in `config.toml`, the top of `config.toml`, default. Flags
and defaults belong to the command line; the three in between are settled here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ttsctl.errors import InvalidConfigError
from ttsctl.files import reason
from ttsctl.rendezvous import socket_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PREFIX = "TTSCTL_"
CONFIG_VARIABLE = "TTSCTL_CONFIG"
THREADS_VARIABLE = "TTSCTL_THREADS"  # also that of the option --threads
VOICES_VARIABLE = "TTSCTL_VOICES_DIR"  # not an option: workers must find the voices too

# onnxruntime 1.31 sends usage data to its maker, and writes an identifier into the user's cache
# folder, unless told otherwise; huggingface_hub fetches what its callers do not find.
_PRIVATE = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|CREDENTIAL", re.IGNORECASE)


@dataclass(frozen=True)
class Setting:
    """A value and where it came from."""

    value: Any

    source: str
    """"TTSCTL_SPEED", or "config.toml line 3"."""


@dataclass(frozen=True)
class Surroundings:
    """Everything outside the command line that can set an option."""

    environment: Mapping[str, Setting]
    """By option name with dashes: "cache-mb"."""

    config: Mapping[str, Setting]
    """By option name, or "command.option" for an entry of a command's table."""

    config_file: Path
    """The file that was read, or would be if it existed."""

    def find(self, command: str, option: str) -> Setting | None:
        """Return what sets `option` of `command` ("say", "cache prune"), or None for nothing."""
        return (
            self.environment.get(option)
            or self.config.get(f"{command}.{option}")
            or self.config.get(option)
        )


def look_around(config_file: Path | None, environ: Mapping[str, str] | None = None) -> Surroundings:
    """Read the environment and the configuration file.

    Args:
        config_file: The file that `--config` names; it must exist. None for the one that
            `TTSCTL_CONFIG` names, which must exist, or the user's own, which need not.
        environ: The environment; None for the process's.

    Raises:
        InvalidConfigError: The file is missing, unreadable or not TOML; the message has the line.
    """
    environ = os.environ if environ is None else environ
    named = config_file or environ.get(CONFIG_VARIABLE)
    path = Path(named) if named else platformdirs.user_config_path("ttsctl") / "config.toml"
    environment = {
        name.removeprefix(PREFIX).lower().replace("_", "-"): Setting(value, name)
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in (CONFIG_VARIABLE, VOICES_VARIABLE) and value
    }
    return Surroundings(environment, _read_config(path, is_named=bool(named)), path)


def cache_folder() -> Path:
    """Return the user's cache folder for ttsctl; it need not exist."""
    return platformdirs.user_cache_path("ttsctl")


def models_folder() -> Path:
    """Return the folder of the models that are made ready for this machine; it need not exist.

    Beside that of the cache, not in it: the cache checks, and may set aside, all that it holds.
    """
    folder = cache_folder()
    return folder.with_name(f"{folder.name}-models")


def state_folder() -> Path:
    """Return the user's folder for what ttsctl remembers between runs; it need not exist."""
    return platformdirs.user_state_path("ttsctl")


def voices_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the installed voices; it need not exist."""
    environ = os.environ if environ is None else environ
    named = environ.get(VOICES_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("ttsctl") / "voices"


def daemon_socket(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the user's daemon listens, or would."""
    return Path(socket_path(os.environ if environ is None else environ))


def worker_environment(
    threads: int | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for a worker: the user's, without what engines have no business with.

    That is secrets, which they do not need, and the network, which their libraries do not need.

    Args:
        threads: What `engine_threads` is to say there; None for what the user says.
        environ: The environment; None for the process's.
    """
    environ = os.environ if environ is None else environ
    kept = {name: value for name, value in environ.items() if not _SECRET.search(name)}
    asked = {} if threads is None else {THREADS_VARIABLE: str(threads)}
    return kept | _PRIVATE | asked


def engine_threads(environ: Mapping[str, str] | None = None) -> int | None:
    """Return how many threads an engine is to use; None where nobody says. For use in a worker."""
    environ = os.environ if environ is None else environ
    text = environ.get(THREADS_VARIABLE, "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _read_config(path: Path, *, is_named: bool) -> dict[str, Setting]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        if is_named:
            raise InvalidConfigError(f"config file {path} does not exist") from None
        return {}
    except OSError as error:
        raise InvalidConfigError(f"cannot read config file {path}: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfigError(f"{path} is not UTF-8 at byte {error.start}") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfigError(f"{path} is not TOML: {error}") from error
    return dict(_flatten(tables, "", path.name, text.splitlines()))


def _flatten(
    table: Mapping[str, Any], path: str, name: str, lines: list[str]
) -> Iterator[tuple[str, Setting]]:
    """Yield ("command.option", setting) for the entries of a table and of the tables in it."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{path}{key}.", name, lines)
        else:
            source = f"{name} line {_line_of(path, key, lines)}"
            yield f"{path}{key.replace('_', '-')}", Setting(value, source)


def _line_of(path: str, key: str, lines: list[str]) -> int:
    """Return the number of the line that sets `key` in the table `path`; tomllib does not keep it.

    Tables and keys that are quoted or dotted are not looked for: their line is 0.
    """
    table = ""
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split("=")[0].strip()
        if words.startswith("["):
            table = words.strip("[] ") + "."
        elif (table, words) == (path, key):
            return number
    return 0

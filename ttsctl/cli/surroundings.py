"""Hands the settings of environment and configuration file to the command line as defaults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ttsctl.errors import InvalidConfigError, nearest
from ttsctl.settings import Setting, Surroundings, look_around

# A click command and a click context: Typer's copy of click has no stable name to import them by.
Command = Any
Context = Any

_UNSETTABLE = ("--help", "--version", "--config", "--install-completion", "--show-completion")


def apply(context: typer.Context, config_file: Path | None) -> Surroundings:
    """Make what the surroundings set the default of every option, beneath what was typed.

    Raises:
        InvalidConfigError: The configuration file is broken or sets what does not exist.
    """
    surroundings = look_around(config_file)
    commands = dict(_commands(context.command, ""))
    _check_names(surroundings, commands)
    context.meta["surroundings"] = surroundings
    context.default_map = _defaults(context.command, "", surroundings)
    # The global options were read before the file that `--config` names could be: make up for it.
    for parameter in option_names(context.command).values():
        if parameter.name in context.default_map and not is_typed(context, parameter.name):
            value = context.default_map[parameter.name]
            context.params[parameter.name] = parameter.process_value(context, value)
    return surroundings


def option_names(command: Command) -> dict[str, Any]:
    """Return the command's options by their long name: {"sample-rate": parameter}."""
    named = {}
    for parameter in command.params:
        long_names = [name for name in parameter.opts if name.startswith("--")]
        if long_names and long_names[0] not in _UNSETTABLE:
            named[long_names[0].removeprefix("--")] = parameter
    return named


def origin_of(context: Context, parameter: Any) -> Setting | None:
    """Return the setting that gave `parameter` its value, or None where it was typed."""
    surroundings = context.meta.get("surroundings")
    if surroundings is None or is_typed(context, parameter.name):
        return None
    path = context.command_path.partition(" ")[2].replace(" ", ".")
    found: Setting | None = surroundings.find(path, parameter.opts[0].removeprefix("--"))
    return found


def is_typed(context: Context, name: str) -> bool:
    """Whether the parameter of that name was given on the command line itself."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def wants_json(root: Context) -> bool:
    """Whether the surroundings ask the command that was invoked for JSON."""
    surroundings = root.meta.get("surroundings")
    setting = surroundings and surroundings.find(root.invoked_subcommand or "", "json")
    return bool(setting) and str(setting.value).lower() in ("1", "true", "yes", "on")


def _commands(command: Command, path: str) -> Iterator[tuple[str, Command]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{path} {name}".strip())


def _defaults(command: Command, path: str, surroundings: Surroundings) -> dict[str, Any]:
    """Return click's default map: values of this command's options, and a map a subcommand."""
    found: dict[str, Any] = {}
    for option, parameter in option_names(command).items():
        if setting := surroundings.find(path.replace(" ", "."), option):
            found[parameter.name] = _value(setting, parameter)
    for name, child in getattr(command, "commands", {}).items():
        found[name] = _defaults(child, f"{path} {name}".strip(), surroundings)
    return found


def _value(setting: Setting, parameter: Any) -> Any:
    """Split the words of an option that may be given more than once."""
    if parameter.multiple and isinstance(setting.value, str):
        return setting.value.split(",")
    return setting.value


def _check_names(surroundings: Surroundings, commands: dict[str, Command]) -> None:
    known = {
        f"{path.replace(' ', '.')}.{option}".lstrip(".")
        for path, command in commands.items()
        for option in option_names(command)
    }
    known |= {name.rpartition(".")[2] for name in known}
    for name, setting in surroundings.config.items():
        if name not in known:
            raise InvalidConfigError(
                f"{surroundings.config_file.parent}/{setting.source} sets '{name}',"
                f" which is no option{nearest(name, known)}"
            )


def every_option(root: Context, surroundings: Surroundings) -> list[dict[str, Any]]:
    """Return command, option, value and source of every option that can be set."""
    rows = []
    for path, command in _commands(root.command, ""):
        for option, parameter in option_names(command).items():
            setting = surroundings.find(path.replace(" ", "."), option)
            if not path and is_typed(root, parameter.name):
                setting = Setting(root.params[parameter.name], "command line")
            value = setting.value if setting else parameter.default
            rows.append(
                {
                    "command": path or "ttsctl",
                    "option": option,
                    "value": str(value) if isinstance(value, Path) else value,
                    "source": setting.source if setting else "default",
                }
            )
    return rows

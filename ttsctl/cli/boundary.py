"""Where errors become one line on stderr, or one JSON object, and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from ttsctl.cli import output
from ttsctl.cli.surroundings import origin_of, wants_json
from ttsctl.errors import InvalidRequestError, TtsctlError


class BoundaryGroup(TyperGroup):
    """The root command group: reports every expected error, and lets bugs keep their traceback."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the global options."""
        with _reporting(lambda: False):
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the user named."""
        is_typed = "--json" in [*ctx._protected_args, *ctx.args]
        with _reporting(lambda: is_typed or wants_json(ctx)):
            return super().invoke(ctx)


@contextmanager
def _reporting(is_json: Callable[[], bool]) -> Iterator[None]:
    try:
        yield
    except TtsctlError as error:
        output.failure(error, is_json=is_json())
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(128 + signal.SIGINT) from error
    except BrokenPipeError as error:
        output.silence_stdout()
        raise typer.Exit(128 + signal.SIGPIPE) from error
    except Exception as error:
        # Typer carries its own copy of click, which has no stable name to import it by: its usage
        # errors are known by what they can do.
        if not hasattr(error, "format_message"):
            raise
        usage = InvalidRequestError(_usage_message(error))
        output.failure(usage, is_json=is_json())
        raise typer.Exit(usage.exit_code) from error


def _usage_message(error: Any) -> str:
    message = str(error.format_message()).strip().rstrip(".")
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None:
        return message
    setting = origin_of(context, parameter) if parameter else None
    where = f" (set by {setting.source})" if setting else ""
    return f"{message}{where}; see `{context.command_path} --help`"

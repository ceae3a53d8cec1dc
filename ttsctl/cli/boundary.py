"""Where errors become one line on stderr, or one JSON object, and an exit code."""

from __future__ import annotations

import signal
from typing import Any

import typer
from typer.core import TyperGroup

from ttsctl.cli import output
from ttsctl.errors import InvalidRequestError, TtsctlError


class BoundaryGroup(TyperGroup):
    """The root command group: reports every expected error, and lets bugs keep their traceback."""

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the command that the user named."""
        is_json = "--json" in ctx.args or ctx.meta.get("json", False)
        try:
            return super().invoke(ctx)
        except TtsctlError as error:
            output.failure(error, is_json=is_json)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(128 + signal.SIGINT) from error
        except BrokenPipeError as error:
            output.silence_stdout()
            raise typer.Exit(128 + signal.SIGPIPE) from error
        except Exception as error:
            # Typer carries its own copy of click, which cannot be imported by a stable name: its
            # usage errors are known by what they can do.
            if not hasattr(error, "format_message"):
                raise
            usage = InvalidRequestError(_usage_message(error))
            output.failure(usage, is_json=is_json)
            raise typer.Exit(usage.exit_code) from error


def _usage_message(error: Any) -> str:
    message = error.format_message().strip().rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return str(message)
    option = getattr(getattr(error, "param", None), "name", None)
    origin = context.meta.get("sources", {}).get((context.command_path, option))
    where = f" (from {origin})" if origin else ""
    return f"{message}{where}; see `{context.command_path} --help`"

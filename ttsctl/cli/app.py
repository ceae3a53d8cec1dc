"""The command line: global options, and the commands, each in its own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ttsctl import __version__
from ttsctl.cli import batch, bench, cache, config, doctor, prewarm, say, serve, status, voices
from ttsctl.cli.boundary import BoundaryGroup
from ttsctl.cli.surroundings import apply

app = typer.Typer(
    cls=BoundaryGroup,
    name="ttsctl",
    help="Local text-to-speech: say it, batch it, keep it.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("say")(say.say)
app.command("batch")(batch.batch)
app.command("prewarm")(prewarm.prewarm)
app.add_typer(cache.app, name="cache")
app.command("bench")(bench.bench)
app.add_typer(voices.app, name="voices")
app.command("serve")(serve.serve)
app.command("status")(status.status)
app.command("stop")(status.stop)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"ttsctl {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Configuration file to read."),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option("--cache-dir", metavar="DIR", help="Keep it in DIR/ttsctl."),
    ] = None,
    cache_mb: Annotated[
        int, typer.Option("--cache-mb", metavar="MB", min=1, help="Size limit of the disk cache.")
    ] = 2048,
    cache_memory_mb: Annotated[
        int, typer.Option("--cache-memory-mb", metavar="MB", min=0, help="And of that in memory.")
    ] = 64,
    cache_ttl: Annotated[
        float | None,
        typer.Option("--cache-ttl", metavar="S", min=0, help="Forget entries after S seconds."),
    ] = None,
    cache_entries: Annotated[
        int | None,
        typer.Option("--cache-entries", metavar="N", min=1, help="Keep at most N entries."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use no network, not even for `voices get`.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that every command shares."""
    apply(context, config_file)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())

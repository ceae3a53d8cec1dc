"""`ttsctl config`: what is set, and by what."""

from __future__ import annotations

import typer

from ttsctl.cli import options, output
from ttsctl.cli.surroundings import every_option

app = typer.Typer(help="What is set, and by what.")


@app.callback()
def root() -> None:
    """What is set, and by what."""


@app.command("show")
def show(context: typer.Context, json: options.Json = False) -> None:
    """Show the value of every option and where it comes from."""
    surroundings = context.meta["surroundings"]
    rows = every_option(context.find_root(), surroundings)
    if json:
        fields = {"ok": True, "config_file": str(surroundings.config_file), "options": rows}
        output.result(fields, is_json=True)
        return
    columns = ("command", "option", "value", "source")
    output.table("", columns, ([str(row[column]) for column in columns] for row in rows))
    output.say(f"configuration file: {surroundings.config_file}")

"""`ttsctl voices`: which voices there are."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsctl.cli import options, output

app = typer.Typer(help="Which voices there are.")


@app.callback()
def root() -> None:
    """Which voices there are."""


@app.command("list")
def list_voices(
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="E", help="Only voices of this engine.")
    ] = None,
    lang: options.Language = None,
    json: options.Json = False,
) -> None:
    """List the installed voices.

    Every espeak voice also has variants, named behind a plus sign: espeak:en-us+f3.
    """
    from ttsctl.workflows.voices import list_installed

    listing = list_installed(engine, lang)
    found = [
        {"voice": entry.voice.id, "language": entry.voice.language, "title": entry.title}
        for entry in listing.entries
    ]
    if json:
        output.result({"ok": True, "voices": found, "variants": listing.variants}, is_json=True)
        return
    output.table("", ("voice", "language", "title"), (row.values() for row in found))
    if listing.variants:
        output.say(f"variants of every espeak voice: {' '.join(listing.variants)}")

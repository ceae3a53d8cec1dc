"""`ttsctl voices`: which voices there are; get them, hear them, remove them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.cli import options, output
from ttsctl.cli.caller import play
from ttsctl.cli.request import MIB, speaker_config
from ttsctl.errors import ExitCode, InvalidRequestError

if TYPE_CHECKING:
    from ttsctl.workflows.voices.listing import ListedVoice
    from ttsctl.workflows.voices.loading import InstallReport

app = typer.Typer(help="Which voices there are; get them, hear them, remove them.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The voice: engine:name, or a name.")]


@app.callback()
def root() -> None:
    """Which voices there are; get them, hear them, remove them."""


@app.command("list")
def list_voices(
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="E", help="Only voices of this engine.")
    ] = None,
    lang: options.Language = None,
    is_all: Annotated[
        bool, typer.Option("--all", help="Also those that `voices get` can fetch.")
    ] = False,
    json: options.Json = False,
) -> None:
    """List the installed voices.

    Every espeak voice also has variants, named behind a plus sign: espeak:en-us+f3.
    """
    from ttsctl.workflows.voices.listing import list_voices as list_them

    listing = list_them(engine, lang, is_all=is_all)
    if json:
        found = [_listed_fields(entry) for entry in listing.entries]
        output.result({"ok": True, "voices": found, "variants": listing.variants}, is_json=True)
        return
    columns = ("voice", "language", "title", *(("installed", "MB") if is_all else ()))
    rows = (_listed_row(entry)[: len(columns)] for entry in listing.entries)
    output.table("", columns, rows)
    if listing.variants:
        output.say(f"variants of every espeak voice: {' '.join(listing.variants)}")


@app.command("get")
def get(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="As in en_US-lessac-medium, kokoro:af_sky, kokoro."),
    ],
    json: options.Json = False,
) -> None:
    """Fetch voices of Piper and Kokoro from the Hugging Face hub.

    The only command that uses the network. Every file is verified before it counts. "kokoro" is
    Kokoro's model with its best voice.
    """
    from ttsctl.voices.wanted import items_for

    items = items_for(names)
    if context.find_root().params["offline"]:
        raise InvalidRequestError("--offline forbids to fetch a voice; leave it out to fetch one")

    from ttsctl.cli.transfer import transfer_progress
    from ttsctl.voices.download import Means
    from ttsctl.workflows.voices.fetching import fetch

    with transfer_progress() as on_progress:
        report = fetch(items, Means(output.progress, on_progress))
    _tell_installed(report, is_json=json)


@app.command("add")
def add(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="An .onnx file, or a folder of Kokoro's files.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="What to call a single voice.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Add voices from your disk.

    A Piper voice is an .onnx file with its .onnx.json beside it. A Kokoro folder has config.json,
    kokoro-v1_0.pth or a model as .onnx, and voices/*.pt. The files are copied.
    """
    from ttsctl.workflows.voices.adding import add as add_it

    _tell_installed(add_it(path, name, output.progress), is_json=json)


@app.command("remove")
def remove(name: _Name, json: options.Json = False) -> None:
    """Remove an installed voice; "kokoro" removes all of Kokoro."""
    from ttsctl.workflows.voices.inspection import remove as remove_it

    freed_bytes = remove_it(name, output.progress)
    lines = [f"removed {name}: {freed_bytes / MIB:.1f} MB are free again"]
    output.result({"ok": True, "removed": name, "bytes": freed_bytes}, is_json=json, lines=lines)


@app.command("show")
def show(name: _Name, json: options.Json = False) -> None:
    """Show all that is known of a voice, and verify its files."""
    from ttsctl.workflows.voices.inspection import show as look_into

    facts = asdict(look_into(name))
    fields = {**facts, **facts.pop("fields")}
    is_well = facts["is_whole"] is not False
    lines = [f"{key}: {value}" for key, value in fields.items() if not isinstance(value, dict)]
    files = fields.get("files", {}).items()
    lines += [f"file: {file} {of['size_bytes']} bytes, sha256 {of['sha256']}" for file, of in files]
    output.result({"ok": is_well, **fields}, is_json=json, lines=lines)
    if not is_well:
        raise typer.Exit(ExitCode.ENGINE)


@app.command("preview")
def preview(
    context: typer.Context,
    name: _Name,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What to say; default: a sentence.")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write it instead.")
    ] = None,
    force: options.Force = False,
    json: options.Json = False,
) -> None:
    """Hear a voice say a sentence in its language."""
    from ttsctl.workflows.assembly import make_speaker
    from ttsctl.workflows.say import Outlets, speak
    from ttsctl.workflows.voices.preview import preview_request

    request = preview_request(name, text, output_file, is_replacing=force)
    with closing(make_speaker(speaker_config(context))) as speaker:
        report = speak(speaker, request, Outlets(output.write_audio, play))
    if json or output_file:
        output.result(report.fields(), is_json=json, lines=[report.summary()])


def _listed_fields(entry: ListedVoice) -> dict[str, object]:
    fields = asdict(entry)
    return {"voice": fields.pop("id"), "installed": fields.pop("is_installed"), **fields}


def _listed_row(entry: ListedVoice) -> tuple[str, ...]:
    size = f"{entry.size_bytes / MIB:.1f}" if entry.size_bytes else ""
    return (entry.id, entry.language, entry.title, "yes" if entry.is_installed else "", size)


def _tell_installed(report: InstallReport, *, is_json: bool) -> None:
    lines = [f"installed {name}" for name in report.installed]
    lines += [f"already there: {name}" for name in report.already]
    lines.append(f"the default voice is {report.default}")
    output.result({"ok": True, **asdict(report)}, is_json=is_json, lines=lines)

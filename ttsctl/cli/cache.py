"""`ttsctl cache`: look into the remembered sounds, and keep them in order."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.cli import options, output
from ttsctl.cli.request import MIB, cache_folder_of, cache_limits, encoding_for, manner_for
from ttsctl.errors import ExitCode, InvalidRequestError, OutputError

if TYPE_CHECKING:
    from ttsctl.cache.stats import Removed
    from ttsctl.cache.tiers import Cache

app = typer.Typer(help="The remembered sounds: look at them, keep them in order.")

_DAY_S = 86_400

Text = Annotated[str, typer.Argument(metavar="TEXT", help="The phrase, as it was said.")]


@app.callback()
def root() -> None:
    """Look at the remembered sounds and keep them in order."""


@app.command("stats")
def stats(context: typer.Context, json: options.Json = False) -> None:
    """Show how full the cache is and how well it serves."""
    with _cache(context) as cache:
        found = asdict(cache.stats())
    by_voice = found.pop("by_voice")
    lines = [f"{name}: {_shown(name, value)}" for name, value in found.items()]
    lines += [
        f"{voice}: {n['entries']} entries, {_mb(n['bytes'])}" for voice, n in by_voice.items()
    ]
    output.result({"ok": True, **found, "by_voice": by_voice}, is_json=json, lines=lines)


@app.command("list")
def list_entries(context: typer.Context, json: options.Json = False) -> None:
    """List the entries, the last used first."""
    with _cache(context) as cache:
        entries = sorted(cache.entries(), key=lambda entry: -entry.last_used_s)
    rows = [
        {
            "key": entry.key,
            "text": entry.metadata.text,
            "voice": entry.metadata.voice,
            "format": entry.metadata.format,
            "duration_s": round(entry.metadata.duration_s, 3),
            "bytes": entry.size_bytes,
            "pinned": entry.pinned,
            "last_used": datetime.fromtimestamp(entry.last_used_s).isoformat(" ", "seconds"),
        }
        for entry in entries
    ]
    if json:
        output.result({"ok": True, "entries": rows}, is_json=True)
        return
    columns = ("text", "voice", "format", "duration_s", "bytes", "pinned", "last_used")
    output.table("", columns, ([str(row[column]) for column in columns] for row in rows))


@app.command("verify")
def verify(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Remove what is damaged.")] = False,
    json: options.Json = False,
) -> None:
    """Check every entry against its digest, and the folder against its index."""
    with _cache(context) as cache:
        problems = cache.verify(fix=fix)
    is_well = fix or not problems
    fields = {"ok": is_well, "fixed": fix, "problems": [asdict(problem) for problem in problems]}
    lines = [f"{problem.kind} {problem.subject}: {problem.detail}" for problem in problems]
    lines = lines or ["no damage found"]
    output.result(fields, is_json=json, lines=lines)
    if not is_well:
        raise typer.Exit(ExitCode.STALE)


@app.command("prune")
def prune(
    context: typer.Context,
    max_mb: Annotated[
        int | None, typer.Option("--max-mb", metavar="MB", min=0, help="Shrink to this size.")
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="D", min=0, help="Drop what D days did not use."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Delete what is over the limits, the least recently used first; pinned entries stay."""
    with _cache(context) as cache:
        removed = cache.prune(
            max_bytes=None if max_mb is None else max_mb * MIB,
            older_than_s=None if older_than is None else older_than * _DAY_S,
        )
    _show_removed(removed, is_json=json)


@app.command("clear")
def clear(
    context: typer.Context,
    voice: Annotated[
        str | None, typer.Option("--voice", "-v", metavar="VOICE", help="Only this voice.")
    ] = None,
    pinned: Annotated[bool, typer.Option("--pinned", help="Pinned entries too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> None:
    """Delete all entries, except the pinned ones."""
    from ttsctl.voices.catalogue import resolve

    voice_id = resolve(voice).id if voice else None
    with _cache(context) as cache:
        if not yes:
            _confirm(len(cache.entries()), is_json=json)
        removed = cache.clear(voice_id, pinned=pinned)
    _show_removed(removed, is_json=json)


@app.command("path")
def path(context: typer.Context, json: options.Json = False) -> None:
    """Print the cache's folder."""
    folder = str(cache_folder_of(context))
    output.result({"ok": True, "path": folder}, is_json=json, lines=[folder])


@app.command("pin")
def pin(
    context: typer.Context,
    text: Text,
    voice: options.Voice = "auto",
    lang: options.Language = None,
    speed: options.Speed = 1.0,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Never evict a phrase, cached already or later."""
    keys = _keys(text, voice, lang, speed, format)
    _mark(context, keys, is_pinned=True, is_json=json)


@app.command("unpin")
def unpin(
    context: typer.Context,
    text: Text,
    voice: options.Voice = "auto",
    lang: options.Language = None,
    speed: options.Speed = 1.0,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Let a pinned phrase be evicted again."""
    keys = _keys(text, voice, lang, speed, format)
    _mark(context, keys, is_pinned=False, is_json=json)


def _confirm(entries: int, *, is_json: bool) -> None:
    if is_json:
        raise InvalidRequestError("nobody can be asked with --json; add --yes")
    try:
        is_wanted = typer.confirm(f"delete the cached speech ({entries} entries)?", err=True)
    except typer.Abort as error:
        raise InvalidRequestError("nobody answered; add --yes to delete without asking") from error
    if not is_wanted:
        raise InvalidRequestError("nothing was deleted")


def _cache(context: typer.Context) -> Cache:
    from ttsctl.cache.tiers import Cache

    cache = Cache(cache_folder_of(context), cache_limits(context))
    if not cache.is_usable():
        raise OutputError(f"the cache in {cache_folder_of(context)} cannot be used")
    return cache


def _keys(text: str, voice: str, lang: str | None, speed: float, format: str | None) -> list[str]:
    from ttsctl.workflows.deliver import cache_keys
    from ttsctl.workflows.plan import plan

    manner = manner_for(voice, lang, speed, None)
    return cache_keys(list(plan([text], manner)), encoding_for(None, format, None, None))


def _mark(context: typer.Context, keys: list[str], *, is_pinned: bool, is_json: bool) -> None:
    with _cache(context) as cache:
        for key in keys:
            (cache.pin if is_pinned else cache.unpin)(key)
    done = "pinned" if is_pinned else "unpinned"
    output.result({"ok": True, done: len(keys)}, is_json=is_json, lines=[f"{done}: {len(keys)}"])


def _show_removed(removed: Removed, *, is_json: bool) -> None:
    fields = {"ok": True, "removed": removed.entries, "bytes": removed.bytes}
    lines = [f"removed {removed.entries} entries, {_mb(removed.bytes)}"]
    output.result(fields, is_json=is_json, lines=lines)


def _shown(name: str, value: float) -> str:
    if name.endswith("bytes"):
        return _mb(value)
    return f"{value:.1%}" if name == "hit_rate" else str(value)


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / 1_000_000:.1f} MB"

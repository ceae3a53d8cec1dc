"""`ttsctl prewarm`: phrases into the cache, ahead of time. Made for cron."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ttsctl.cli import options, output
from ttsctl.cli.caller import caller_of
from ttsctl.cli.request import encoding_for, manner_for, speaker_config, text_pieces
from ttsctl.errors import ExitCode


def prewarm(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PHRASES.txt]...", help="A phrase a line; without any, the shipped set."
        ),
    ] = None,
    voice: Annotated[
        list[str], typer.Option("--voice", "-v", metavar="VOICE", help="May be given repeatedly.")
    ] = ["auto"],  # noqa: B006 - Typer reads the default and never changes it
    lang: options.Language = None,
    speed: options.Speed = 1.0,
    option: options.EngineOptions = None,
    format: options.Format = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=1, max=256, help="Worker processes.")
    ] = 1,
    threads: options.Threads = 1,
    delay: Annotated[
        float, typer.Option("--delay", metavar="S", min=0, help="Seconds to wait first.")
    ] = 0.0,
    pin: Annotated[bool, typer.Option("--pin", help="Never evict these phrases.")] = False,
    json: options.Json = False,
) -> None:
    """Speak phrases into the cache, skipping those that are there."""
    from ttsctl.workflows import prewarm as workflow

    encoding = encoding_for(None, format, None, None)
    manners = [manner_for(name, lang, speed, None, option) for name in voice]
    texts = [
        text
        for file in files or [shipped_phrases()]
        for text in workflow.phrases_of("".join(text_pieces(caller_of(context), None, file)[0]))
    ]
    phrases = [workflow.Phrase(text, manner, encoding, pin) for manner in manners for text in texts]
    # A phrase that is prewarmed is wanted in the cache, however long it is.
    config = replace(speaker_config(context), cacheable_chars=sys.maxsize, threads=threads)
    report = workflow.prewarm(phrases, config, jobs=jobs, delay_s=delay)
    for failure in report.failures:
        output.warn(f"'{failure.phrase.text}': {failure.error}")
    output.result(
        report.fields(),
        is_json=json,
        lines=[
            f"{report.total} phrases: {report.already} already there,"
            f" {report.generated} generated, {report.failed} failed"
        ],
    )
    if report.failed:
        raise typer.Exit(ExitCode.PARTIAL)


def shipped_phrases() -> Path:
    """Return the phrase file that comes with ttsctl."""
    package = Path(__file__).parents[1]
    installed = package / "phrases" / "assistant.txt"
    return installed if installed.exists() else package.parent / "phrases" / "assistant.txt"

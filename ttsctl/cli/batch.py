"""`ttsctl batch`: a file of lines to a folder of speech."""

from __future__ import annotations

import json as jsonlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.cli import options, output
from ttsctl.cli.caller import LocalCaller
from ttsctl.cli.request import encoding_for, manner_for, speaker_config, text_pieces
from ttsctl.errors import ExitCode, InvalidRequestError
from ttsctl.workflows.batch.names import DEFAULT_TEMPLATE

_NOT_YET = (".csv", ".tsv", ".json", ".jsonl", ".srt", ".vtt", ".epub", ".html", ".pdf", ".docx")

if TYPE_CHECKING:
    from ttsctl.workflows.batch.items import BatchReport, Line
    from ttsctl.workflows.batch.planning import BatchPlan


def batch(
    context: typer.Context,
    input_file: Annotated[
        str, typer.Argument(metavar="INPUT", help="A text file, an item a line; - reads stdin.")
    ],
    output_dir: options.Folder = None,
    format: options.Format = None,
    sample_rate: options.SampleRate = None,
    bitrate: options.Bitrate = None,
    jobs: options.Jobs = None,
    threads: options.Threads = 1,
    name: Annotated[
        str,
        typer.Option("--name", metavar="TEMPLATE", help="Of {index}, {id}, {slug} and {hash}."),
    ] = DEFAULT_TEMPLATE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")
    ] = False,
    force: options.Force = False,
    voice: options.Voice = "auto",
    lang: options.Language = None,
    speed: options.Speed = 1.0,
    sentence_silence: options.SentenceSilence = None,
    option: options.EngineOptions = None,
    no_fallback: options.NoFallback = False,
    no_cache: options.NoCache = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With --json, list the items.")
    ] = False,
) -> None:
    """Speak every line of a text file into a file of its own.

    The same command again makes only what is missing or has changed.
    """
    from ttsctl.cli.progress import item_progress
    from ttsctl.workflows import pool
    from ttsctl.workflows.batch.journal import Journal
    from ttsctl.workflows.batch.names import check_template
    from ttsctl.workflows.batch.planning import BatchRequest, plan_batch
    from ttsctl.workflows.batch.run import run_batch

    request = BatchRequest(
        lines=_read_lines(input_file),
        folder=output_dir or _folder_for(input_file),
        manner=manner_for(voice, lang, speed, sentence_silence, option),
        encoding=encoding_for(None, format, sample_rate, bitrate),
        template=check_template(name),
        is_anew=force or refresh,
        may_replace=force,
    )
    config = speaker_config(
        context, no_cache=no_cache, refresh=refresh, has_fallback=not no_fallback
    )
    config = replace(config, threads=threads)
    journal = Journal(request.folder)
    plan = plan_batch(request, journal)
    if dry_run:
        _show_plan(plan, request.folder, is_json=json)
        return
    with item_progress(plan.total) as on_outcome:
        report = run_batch(
            plan, request.folder, journal, config, jobs or pool.default_jobs(), on_outcome
        )
    _show_report(report, request.folder, is_json=json, with_items=verbose)
    if not report.is_complete:
        raise typer.Exit(ExitCode.PARTIAL)


def _read_lines(input_file: str) -> list[Line]:
    from ttsctl.text.readers import text_items
    from ttsctl.workflows.batch.items import Line

    if input_file.lower().endswith(_NOT_YET):
        raise InvalidRequestError(
            f"batch reads plain text, a line an item; '{input_file}' would be read with its markup"
        )
    pieces, _ = text_pieces(LocalCaller(), None, Path(input_file))
    return [Line(number, text) for number, text in text_items("".join(pieces))]


def _folder_for(input_file: str) -> Path:
    if input_file == "-":
        raise InvalidRequestError("name the folder for the files with --output-dir")
    path = Path(input_file)
    if not path.suffix:
        raise InvalidRequestError(f"'{path}' has no suffix to leave off; name an --output-dir")
    return path.with_suffix("")


def _show_plan(plan: BatchPlan, folder: Path, *, is_json: bool) -> None:
    made = [{"id": task.item.id, "file": task.item.file} for task in plan.tasks]
    settled: Counter[str] = Counter(outcome.state for outcome in plan.settled)
    counts: dict[str, int] = {"total": plan.total, "to_make": len(made), **settled}
    lines = [f"{folder / task.item.file}" for task in plan.tasks]
    output.result({"ok": True, **counts, "items": made}, is_json=is_json, lines=lines)
    if not is_json:
        output.say(
            f"{plan.total} items: {len(made)} to make, {settled['skipped']} made already,"
            f" {settled['empty']} with nothing to speak"
        )


def _show_report(report: BatchReport, folder: Path, *, is_json: bool, with_items: bool) -> None:
    from ttsctl.workflows.batch.items import RESULTS_FILE

    fields = report.fields()
    if with_items:
        results = (folder / RESULTS_FILE).read_text(encoding="utf-8")
        fields["items"] = [jsonlib.loads(line) for line in results.splitlines()]
    states = ", ".join(f"{count} {state}" for state, count in report.counts.items())
    lines = [
        f"{report.total} items: {states}",
        f"{report.audio_s:.1f} s of speech in {report.wall_s:.1f} s"
        f" ({fields['x_realtime']}x real time, {report.jobs} jobs) in {folder}",
    ]
    output.result(fields, is_json=is_json, lines=lines)

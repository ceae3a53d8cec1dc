"""`ttsctl batch`: a manifest, a book or a text to a folder of speech."""

from __future__ import annotations

import json as jsonlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.cli import options, output
from ttsctl.cli.caller import LocalCaller
from ttsctl.cli.request import encoding_for, file_blocks, manner_for, speaker_config
from ttsctl.errors import ExitCode, InvalidRequestError
from ttsctl.workflows.batch.names import DEFAULT_TEMPLATE

if TYPE_CHECKING:
    from ttsctl.text.rows import Row, RowError
    from ttsctl.workflows.assembly import SpeakerConfig
    from ttsctl.workflows.batch.items import BatchReport
    from ttsctl.workflows.batch.journal import Journal
    from ttsctl.workflows.batch.planning import BatchPlan
    from ttsctl.workflows.batch.products import Products


def batch(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="txt, csv, tsv, jsonl, srt, vtt, md or epub; - is stdin."
        ),
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
    paragraphs: Annotated[
        bool, typer.Option("--paragraphs", help="Of a text, take blocks between blank lines.")
    ] = False,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that are wrong.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Make nothing; exit 7 where a file is missing or stale.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed in an earlier run.")
    ] = False,
    join: Annotated[
        Path | None,
        typer.Option("--join", metavar="FILE", help="Then make one file of all, or one .m4b."),
    ] = None,
    subtitles: Annotated[
        str | None,
        typer.Option(
            "--subtitles", metavar="F", help="srt, vtt or json, beside each file or the joined one."
        ),
    ] = None,
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
    """Speak every row of a manifest, a book or a text into a file of its own.

    The same command again makes only what is missing or has changed.
    """
    from ttsctl.workflows import pool
    from ttsctl.workflows.batch.journal import Journal
    from ttsctl.workflows.batch.names import check_template
    from ttsctl.workflows.batch.planning import BatchRequest, plan_batch
    from ttsctl.workflows.batch.rows import Wishes

    products = _products(join, subtitles, bitrate, may_replace=force or check or dry_run)
    if join is not None and format not in (None, "wav"):
        raise InvalidRequestError("with --join the items are wav; the suffix of FILE is its format")
    manner = manner_for(voice, lang, speed, sentence_silence, option)
    encoding = encoding_for(None, format, sample_rate, None if join else bitrate)
    request = BatchRequest(
        rows=_rows(inputs, is_paragraphs=paragraphs),
        folder=output_dir or _folder_for(inputs),
        wishes=Wishes(voice, manner, encoding),
        template=check_template(name),
        is_anew=force or refresh,
        may_replace=force or check,
        is_joined=join is not None,
        is_retrying=retry_failed,
    )
    journal = Journal(request.folder)
    plan = plan_batch(request, journal)
    _tell_problems(plan, are_skipped=skip_bad_rows)
    if check:
        return _check(plan, request.folder, is_json=json)
    products.check(plan, request.folder, map(Path, inputs))
    if dry_run:
        return _show_plan(plan, request.folder, is_json=json)
    config = speaker_config(
        context, no_cache=no_cache, refresh=refresh, has_fallback=not no_fallback
    )
    run = _Run(plan, request.folder, journal, replace(config, threads=threads), products)
    _run(run, jobs or pool.default_jobs(), is_json=json, with_items=verbose)


@dataclass(frozen=True)
class _Run:
    plan: BatchPlan
    folder: Path
    journal: Journal
    config: SpeakerConfig
    products: Products


def _run(run: _Run, jobs: int, *, is_json: bool, with_items: bool) -> None:
    from ttsctl.cli.progress import item_progress
    from ttsctl.workflows.batch.products import make_products
    from ttsctl.workflows.batch.run import run_batch

    with item_progress(run.plan.total) as on_outcome:
        report = run_batch(run.plan, run.folder, run.journal, run.config, jobs, on_outcome)
    made = make_products(run.products, report.outcomes, run.folder) if report.is_complete else []
    _show_report(report, run.folder, made, is_json=is_json, with_items=with_items)
    if run.products.join is not None and not report.is_complete:
        output.say(f"{run.products.join} was not made, because some items failed")
    if not report.is_complete:
        raise typer.Exit(ExitCode.PARTIAL)


def _products(
    join: Path | None, subtitles: str | None, bitrate_bps: int | None, *, may_replace: bool
) -> Products:
    """Return what is to be made of the items, or refuse to replace what is there."""
    from ttsctl.audio.subtitles import subtitle_format_of
    from ttsctl.workflows.batch.products import Products

    format = subtitle_format_of(subtitles) if subtitles else None
    if join is None:
        return Products(None, None, format)
    is_book = join.suffix.lower() == ".m4b"
    encoding = None if is_book else encoding_for(join, None, None, bitrate_bps)
    products = Products(join, encoding, format)
    for path in products.files():
        if path.exists() and not may_replace:
            raise InvalidRequestError(f"{path} exists; choose another name, or use --force")
    return products


def _rows(inputs: list[str], *, is_paragraphs: bool) -> Iterator[tuple[str, Row | RowError]]:
    """Yield the rows of all inputs, each with the name of its input."""
    from ttsctl.text.inputs import kind_of, read_rows

    for source in inputs:
        blocks = LocalCaller().stdin_blocks() if source == "-" else file_blocks(Path(source))
        kind = "txt" if source == "-" else kind_of(Path(source))
        for row in read_rows(source, blocks, kind, is_paragraphs=is_paragraphs):
            yield source, row


def _tell_problems(plan: BatchPlan, *, are_skipped: bool) -> None:
    """List the rows that are wrong, and stop there unless they are to be left out."""
    for problem in plan.problems:
        output.say(str(problem))
    if plan.problems and not are_skipped:
        raise InvalidRequestError(
            f"{len(plan.problems)} of {plan.total + len(plan.problems)} rows are wrong;"
            " mend them, or leave them out with --skip-bad-rows"
        )
    if plan.removed:
        output.say(
            f"{len(plan.removed)} files of earlier runs are asked for no more:"
            f" {', '.join(plan.removed[:3])}{', …' if len(plan.removed) > 3 else ''}"
        )


def _folder_for(inputs: list[str]) -> Path:
    if len(inputs) > 1 or inputs[0] == "-":
        raise InvalidRequestError("name the folder for the files with --output-dir")
    path = Path(inputs[0])
    if not path.suffix:
        raise InvalidRequestError(f"'{path}' has no suffix to leave off; name an --output-dir")
    return path.with_suffix("")


def _check(plan: BatchPlan, folder: Path, *, is_json: bool) -> None:
    """Report what is missing, stale or damaged; the exit code says whether anything is."""
    from ttsctl.workflows.batch.checking import check_batch

    report = check_batch(plan, folder)
    lines = [f"{finding.file}: {finding.what}" for finding in report.findings]
    output.result(report.fields(), is_json=is_json, lines=lines)
    if not is_json:
        output.say(f"{report.total} items: {len(report.findings)} missing, stale or damaged")
    if report.findings:
        raise typer.Exit(ExitCode.STALE)


def _show_plan(plan: BatchPlan, folder: Path, *, is_json: bool) -> None:
    made = [{"id": item.id, "file": item.file} for item in plan.tasks]
    settled: Counter[str] = Counter(outcome.state for outcome in plan.settled)
    counts: dict[str, int] = {"total": plan.total, "to_make": len(made), **settled}
    lines = [f"{folder / item.file}" for item in plan.tasks]
    output.result({"ok": True, **counts, "items": made}, is_json=is_json, lines=lines)
    if not is_json:
        output.say(
            f"{plan.total} items: {len(made)} to make, {settled['skipped']} made already,"
            f" {settled['empty']} with nothing to speak"
        )


def _show_report(
    report: BatchReport, folder: Path, made: list[Path], *, is_json: bool, with_items: bool
) -> None:
    from ttsctl.workflows.batch.items import RESULTS_FILE

    fields = report.fields()
    if made:
        fields["products"] = [str(path) for path in made]
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

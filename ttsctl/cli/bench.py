"""`ttsctl bench`: how fast it is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.cli import options, output
from ttsctl.cli.request import manner_for

if TYPE_CHECKING:
    from ttsctl.workflows.bench.figures import Figure

_COLUMNS = ("scenario", "name", "unit", "n", "median", "p95", "p99", "jobs", "threads")


def bench(
    voice: options.Voice = "auto",
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario",
            metavar="NAME",
            help="hit, cold, first-audio, throughput or encode; may be given repeatedly.",
        ),
    ] = None,
    repeat: Annotated[
        int, typer.Option("--repeat", metavar="N", min=1, help="Measurements of each figure.")
    ] = 10,
    json: options.Json = False,
) -> None:
    """Measure speed on this machine: every figure with its spread."""
    from ttsctl.workflows.bench.run import bench as measure

    def on_figure(figure: Figure) -> None:
        output.progress(f"{figure.scenario}: {figure.name}")

    report = measure(manner_for(voice, None, 1.0, None), scenario or [], repeat, on_figure)
    fields = report.fields()
    if json:
        output.result(fields, is_json=True)
        return
    rows = ([_cell(figure[column]) for column in _COLUMNS] for figure in fields["figures"])
    title = f"{fields['voice']} on {fields['machine']['processor']}"
    output.table(title, _COLUMNS, rows)


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)

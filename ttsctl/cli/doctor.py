"""`ttsctl doctor`: what works here, what is missing, what mends it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from ttsctl.cli import options, output
from ttsctl.cli.request import cache_folder_of
from ttsctl.errors import ExitCode

_MARKS = {True: "ok", None: "missing", False: "broken"}


def doctor(context: typer.Context, json: options.Json = False) -> None:
    """Examine the installation, without the network."""
    from ttsctl.workflows.doctor import examine

    findings = list(examine(cache_folder_of(context), context.meta["surroundings"].config_file))
    is_well = all(finding.is_well is not False for finding in findings)
    if json:
        fields = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        output.result(fields, is_json=True)
    else:
        rows = [(f.name, _MARKS[f.is_well], f.detail, f.remedy) for f in findings]
        output.table("", ("what", "state", "detail", "remedy"), rows)
    if not is_well:
        raise typer.Exit(ExitCode.ENGINE)

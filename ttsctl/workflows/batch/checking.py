"""Whether the audio of a manifest is all there, without making any: for continuous integration."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ttsctl.workflows.batch.items import Outcome
from ttsctl.workflows.batch.planning import BatchPlan

What = Literal["missing", "stale", "damaged", "failed"]

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Finding:
    """An item whose file is not what it should be."""

    id: str
    file: str
    what: What


@dataclass(frozen=True)
class CheckReport:
    """What a check has found."""

    total: int
    findings: Sequence[Finding]

    def fields(self) -> dict[str, Any]:
        """Return the JSON object of `batch --check --json`."""
        return {
            "ok": not self.findings,
            "total": self.total,
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_batch(plan: BatchPlan, folder: Path) -> CheckReport:
    """Find the items that have no file, one of another request, or one that was changed since.

    Reads every file, and compares it with the digest that was noted when it was made.
    """
    findings = [
        Finding(item.id, item.file, "stale" if (folder / item.file).exists() else "missing")
        for item in plan.tasks
    ]
    for outcome in plan.settled:
        if outcome.state in ("failed", "quarantined"):
            findings.append(Finding(outcome.item.id, outcome.item.file, "failed"))
        elif outcome.state == "skipped" and not _is_whole(folder, outcome):
            findings.append(Finding(outcome.item.id, outcome.item.file, "damaged"))
    return CheckReport(plan.total, findings)


def _is_whole(folder: Path, outcome: Outcome) -> bool:
    digest = hashlib.sha256()
    try:
        with (folder / outcome.item.file).open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == outcome.digest

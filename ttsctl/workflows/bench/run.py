"""Running scenarios in a folder of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttsctl.errors import InvalidRequestError, nearest
from ttsctl.workflows.bench.figures import Figure, machine
from ttsctl.workflows.bench.scenarios import SCENARIOS, BenchSetup
from ttsctl.workflows.plan import Manner


@dataclass(frozen=True)
class BenchReport:
    """All figures of a run, and what they were measured on."""

    voice: str
    figures: list[Figure]

    def fields(self) -> dict[str, Any]:
        """Return the JSON object of `bench --json`."""
        return {
            "ok": True,
            "voice": self.voice,
            "machine": machine(),
            "figures": [figure.fields() for figure in self.figures],
        }


def bench(
    manner: Manner,
    scenarios: Sequence[str],
    repeats: int,
    on_figure: Callable[[Figure], None] = lambda _: None,
) -> BenchReport:
    """Measure the named scenarios, or all of them where none is named.

    Raises:
        InvalidRequestError: There is no scenario of that name.
        EngineError: The voice cannot speak.
    """
    for name in scenarios:
        if name not in SCENARIOS:
            raise InvalidRequestError(
                f"scenario '{name}' not found{nearest(name, SCENARIOS)};"
                f" there are {', '.join(SCENARIOS)}"
            )
    figures = []
    for name in scenarios or SCENARIOS:
        # A folder each: what one scenario leaves in the cache is not a hit for the next.
        with tempfile.TemporaryDirectory(prefix="ttsctl-bench-") as folder:
            for figure in SCENARIOS[name](BenchSetup(manner, Path(folder), repeats)):
                figures.append(figure)
                on_figure(figure)
    return BenchReport(manner.voice.id, figures)

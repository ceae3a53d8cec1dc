"""What a benchmark says: measurements, and never one number without its spread."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ttsctl import __version__
from ttsctl.metrics import percentile


@dataclass(frozen=True)
class Figure:
    """Repeated measurements of one thing."""

    scenario: str
    name: str

    unit: str
    """"ms", where less is better, or "x real time", where more is."""

    values: Sequence[float]
    jobs: int = 1

    threads: int = 1
    """Threads of the engine in each job."""

    def fields(self) -> dict[str, Any]:
        """Return the figure's JSON object."""
        return {
            "scenario": self.scenario,
            "name": self.name,
            "unit": self.unit,
            "n": len(self.values),
            "median": round(statistics.median(self.values), 3),
            "p95": round(percentile(self.values, 95), 3),
            "p99": round(percentile(self.values, 99), 3),
            "min": round(min(self.values), 3),
            "max": round(max(self.values), 3),
            "jobs": self.jobs,
            "threads": self.threads,
        }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "ttsctl": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "processors": os.cpu_count(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()

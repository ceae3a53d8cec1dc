"""A figure and the bound that it must keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A measured figure; `at_most` None where it is told for information only."""

    name: str
    value: float
    at_most: float | None = None

    @property
    def is_kept(self) -> bool:
        return self.at_most is None or self.value <= self.at_most

    def fields(self) -> dict[str, object]:
        return {"value": self.value, "at_most": self.at_most, "kept": self.is_kept}

    def __str__(self) -> str:
        bound = "" if self.at_most is None else f" (at most {self.at_most:g})"
        return f"{'ok  ' if self.is_kept else 'FAIL'} {self.name}: {self.value:g}{bound}"

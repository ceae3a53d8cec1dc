"""Progress on stderr, where that is a terminal: how far, how fast, how long still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from ttsctl.cli import output

if TYPE_CHECKING:
    from ttsctl.workflows.batch.items import Outcome


@contextmanager
def item_progress(total: int) -> Iterator[Callable[[Outcome], None]]:
    """Yield what to call after each item of a batch; failures are told at once."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
    )
    is_hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=is_hidden, transient=True) as progress:
        task = progress.add_task("speaking", total=total, pace="")
        audio_s = 0.0

        def on_outcome(outcome: Outcome) -> None:
            nonlocal audio_s
            audio_s += outcome.duration_s
            elapsed_s = progress.tasks[0].elapsed or 0.0
            pace = f"{audio_s / elapsed_s:.0f}x real time" if elapsed_s else ""
            progress.update(task, advance=1, pace=pace)
            if outcome.error is not None:
                output.say(f"{outcome.item.place}: {outcome.error}")

        yield on_outcome

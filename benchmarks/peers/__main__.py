"""Runs the race and writes `benchmarks/results/peers.json` and `peers.md`.

    python -m benchmarks.peers [--only cold-piper] [--repeat 5] [--world FOLDER]

Needs piper-tts, kokoro and torch: `pip install -e ".[dev]"`. A folder given as world is built when
it is empty and kept; without one it is built anew, which takes a minute or two.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.peers import texts
from benchmarks.peers.memory import private_mb
from benchmarks.peers.races import RACES, Race
from benchmarks.peers.world import KOKORO_NAME, PIPER_NAME, World, build_world
from ttsctl.workflows.bench.figures import machine

RESULTS = Path(__file__).parents[1] / "results"
MEMORY_GOALS_MB = {PIPER_NAME: 80, KOKORO_NAME: 350}
_TEXTS = {PIPER_NAME: texts.LONG_SENTENCE, KOKORO_NAME: texts.SPANISH}


def main() -> None:
    """Race, and write down how it went."""
    parser = argparse.ArgumentParser(description="Race ttsctl against its peers.")
    parser.add_argument("--only", action="append", choices=[*RACES, "memory"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--world", type=Path)
    arguments = parser.parse_args()
    wanted = arguments.only or [*RACES, "memory"]
    with ExitStack() as stack:
        folder = arguments.world or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = folder.resolve()
        world = World(folder) if (folder / "piper").exists() else build_world(folder)
        races = [
            _shown(race)
            for name in RACES
            if name in wanted
            for race in RACES[name](world, arguments.repeat)
        ]
        memory = _memory(world) if "memory" in wanted else []
    result = {"machine": machine(), "races": races, "memory": memory}
    _merge(RESULTS / "peers.json", result)


def _shown(race: Race) -> dict[str, Any]:
    fields = race.fields()
    print(_row(fields), flush=True)
    return fields


def _memory(world: World) -> list[dict[str, Any]]:
    os.environ.update(world.environment)
    return [
        {
            "voice": name,
            "private_mb": round(private_mb(name, _TEXTS[name]), 1),
            "at_most_mb": goal,
        }
        for name, goal in MEMORY_GOALS_MB.items()
    ]


def _merge(path: Path, result: dict[str, Any]) -> None:
    """Replace what was measured, keep what was not, and write the table."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for part, key in (("races", ("name", "peer")), ("memory", ("voice",))):
        new = {tuple(entry[k] for k in key): entry for entry in result[part]}
        old = {tuple(entry[k] for k in key): entry for entry in before.get(part, [])}
        result[part] = list((old | new).values())
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(_page(result), encoding="utf-8")


def _page(result: dict[str, Any]) -> str:
    facts = result["machine"]
    lines = [
        "# ttsctl against its peers",
        "",
        "The same voices of true size, the same texts, in turn, in one run; medians. A factor above"
        " 1 is in ttsctl's favour. Made by `python -m benchmarks.peers`.",
        "",
        "A cold start is, for ttsctl, the time from the start of the command to its first sample on"
        " stdout; for the peers that of the whole command, which writes its file at the end. First"
        " sounds are measured with the model loaded, on one processor.",
        "",
        f"{facts['processor']}, {facts['processors']} processors, {facts['system']},"
        f" Python {facts['python']}.",
        "",
        "| race | against | ttsctl | theirs | factor | goal |",
        "|---|---|--:|--:|--:|--:|",
        *map(_row, result["races"]),
        "",
        "| private memory of a worker | MB | goal |",
        "|---|--:|--:|",
        *(
            f"| {entry['voice']} | {entry['private_mb']} | {entry['at_most_mb']} |"
            for entry in result["memory"]
        ),
        "",
    ]
    return "\n".join(lines)


def _row(race: dict[str, Any]) -> str:
    unit = race["unit"]
    return (
        f"| {race['name']} | {race['peer']} | {race['ttsctl_median']:,.1f} {unit}"
        f" | {race['theirs_median']:,.1f} {unit} | {race['factor']} | {race['goal']} |"
    )


if __name__ == "__main__":
    main()

"""`make campaign`: run everything, print the figures, keep the latest of each in a file.

Exits 1 where a figure breaks a promise. `--scale 0.1` runs a tenth of it, `--only NAME` one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.campaign import batch, cache, memory, service, text
from ttsctl.workflows.bench.figures import machine

RESULTS = Path(__file__).parents[1] / "results" / "campaign.json"

CAMPAIGNS = {
    "hostile text": text.hostile,
    "text coverage": text.coverage,
    "cache kills": cache.kills,
    "cache damage": cache.damage,
    "poison in a batch": batch.poison,
    "batch kills": batch.kills,
    "batch at scale": batch.at_scale,
    "memory of a batch": memory.batch,
    "soak": memory.soak,
    "service ping": service.ping,
    "service crossed replies": service.crossed,
    "service pipeline": service.pipeline,
    "service warm-up": service.warm_up,
    "service hits": service.hits,
    "say through the daemon": service.say,
    "service kills": service.kills,
    "service overload": service.overload,
    "service soak": service.soak,
    "service orphans": service.orphans,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CAMPAIGNS, action="append")
    options = parser.parse_args()
    kept = [_run(name, options.scale, options.seed) for name in options.only or CAMPAIGNS]
    sys.exit(not all(kept))


def _run(name: str, scale: float, seed: int) -> bool:
    """Run one campaign, print and file its figures; return whether every promise was kept."""
    started_at = time.monotonic()
    promises = CAMPAIGNS[name](scale, seed)
    print(f"{name} ({time.monotonic() - started_at:.0f} s)", flush=True)
    for promise in promises:
        print(f"  {promise}", flush=True)
    figures = {promise.name: promise.fields() for promise in promises}
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    report[name] = {"scale": scale, "seed": seed, "machine": machine(), "figures": figures}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    return all(promise.is_kept for promise in promises)


if __name__ == "__main__":
    main()

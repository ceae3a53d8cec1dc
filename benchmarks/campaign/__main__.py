"""`make campaign`: run everything, print the figures, keep them in a file.

Exits 1 where a figure breaks a promise. `--scale 0.1` runs a tenth of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.campaign import batch, cache, memory, text
from benchmarks.campaign.promise import Promise
from ttsctl.workflows.bench.figures import machine

RESULTS = Path(__file__).parents[1] / "results" / "campaign.json"

CAMPAIGNS = {
    "hostile text": text.hostile,
    "text coverage": text.coverage,
    "cache kills": cache.kills,
    "cache damage": cache.damage,
    "poison in a batch": batch.poison,
    "batch kills": batch.kills,
    "memory of a batch": memory.batch,
    "soak": memory.soak,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CAMPAIGNS, action="append")
    options = parser.parse_args()
    report: dict[str, object] = {"machine": machine(), "scale": options.scale, "seed": options.seed}
    promises: list[Promise] = []
    for name in options.only or CAMPAIGNS:
        started_at = time.monotonic()
        found = CAMPAIGNS[name](options.scale, options.seed)
        promises += found
        report[name] = {promise.name: promise.fields() for promise in found}
        print(f"{name} ({time.monotonic() - started_at:.0f} s)", flush=True)
        for promise in found:
            print(f"  {promise}", flush=True)
    if not options.only:
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    sys.exit(not all(promise.is_kept for promise in promises))


if __name__ == "__main__":
    main()

"""Runs in a process of its own: the kokoro package speaks lines with its model loaded.

    python -m benchmarks.peers.bulk VOICE < lines.json

For each line of stdin, a JSON list of texts, it prints the seconds that they took, and of sound.
"""

from __future__ import annotations

import json
import sys
import time

from kokoro import KPipeline

SAMPLE_RATE = 24_000


def main() -> None:
    """Speak with the package's own defaults, which use all processors."""
    voice = sys.argv[1]
    pipeline = KPipeline(lang_code=voice[0], repo_id="hexgrad/Kokoro-82M")
    list(pipeline("Hola.", voice=voice))
    for line in sys.stdin:
        started_at = time.perf_counter()
        frames = 0
        for text in json.loads(line):
            frames += sum(len(result.audio) for result in pipeline(text, voice=voice))
        took_s = time.perf_counter() - started_at
        print(json.dumps([took_s, frames / SAMPLE_RATE]), flush=True)


if __name__ == "__main__":
    main()

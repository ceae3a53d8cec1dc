"""Runs in a process of its own and prints, for each text, the milliseconds to its first sound.

    python -m benchmarks.peers.warm ttsctl|piper MODEL VOICE < texts.json

Each line of stdin is a JSON list of texts, and is answered by a line with a list of as many times.
One processor, so that threads are no part of the comparison.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from piper import PiperVoice

from ttsctl.voices.catalogue import resolve
from ttsctl.workers.supervisor import Supervisor
from ttsctl.workflows.plan import Manner, plan

First = Callable[[str], Iterator[Any]]


def ttsctl_side(voice_name: str) -> First:
    """Return what speaks through a worker, as every command does."""
    voice = resolve(voice_name)
    supervisor = Supervisor()
    supervisor.load(voice)
    manner = Manner(voice, voice.language)

    def speak(text: str) -> Iterator[Any]:
        planned = next(iter(plan([text], manner)))
        yield from supervisor.stream(planned.utterance)

    return speak


def piper_side(model: str) -> First:
    """Return what speaks through piper's own library."""
    voice = PiperVoice.load(model)

    def speak(text: str) -> Iterator[Any]:
        yield from voice.synthesize(text)

    return speak


def main() -> None:
    """Answer each line of stdin, a JSON list of texts, by a line of times."""
    side, model, voice_name = sys.argv[1:]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    speak = ttsctl_side(voice_name) if side == "ttsctl" else piper_side(model)
    for line in sys.stdin:
        times = []
        for text in json.loads(line):
            started_at = time.perf_counter()
            with closing(speak(text)) as sound:  # type: ignore[type-var]
                next(sound)
                times.append((time.perf_counter() - started_at) * 1_000)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()

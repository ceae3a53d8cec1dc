"""One item to its file: what the processes of the pool do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ttsctl.errors import TtsctlError
from ttsctl.files import Head, make_folder, write_whole
from ttsctl.speech import MAX_SPEED
from ttsctl.workflows import pool
from ttsctl.workflows.assembly import SpeakerConfig
from ttsctl.workflows.batch.items import Item, Outcome, State
from ttsctl.workflows.deliver import SpeechRequest, to_file
from ttsctl.workflows.plan import Manner, plan
from ttsctl.workflows.speak import Speaker

# Handing a task to a pool process costs about a millisecond, a short item little more.
CHUNK_CHARS = 600
CHUNK_ITEMS = 16

MAX_HURRY = 1.4  # how much faster than asked for a timed row may be spoken to fit its time


def chunks(items: Sequence[Item], jobs: int) -> list[list[Item]]:
    """Return `items` in chunks, the longest items first.

    So that no process is left alone with a long one at the end; few enough in a chunk that all
    processes have something to do.
    """
    most = max(1, min(CHUNK_ITEMS, len(items) // (4 * jobs)))
    made: list[list[Item]] = [[]]
    chars = 0
    for item in sorted(items, key=lambda item: -len(item.row.text)):
        if len(made[-1]) >= most or chars >= CHUNK_CHARS:
            made.append([])
            chars = 0
        made[-1].append(item)
        chars += len(item.row.text)
    return made


def make_file(config: SpeakerConfig, folder: Path, item: Item) -> Outcome:
    """Speak one item into its file. Runs in a pool process; raises nothing but bugs."""
    speaker = pool.process_speaker(config)
    try:
        path = folder / item.file
        if path.parent != folder:
            make_folder(path.parent)
        outcome = _spoken(speaker, item, item.manner, path)
        if outcome.overrun_s:
            outcome = _spoken(speaker, item, _hurried(item.manner, outcome), path)
    except TtsctlError as error:
        return Outcome(item, "failed", error_code=error.code, error=error.message)
    return outcome


def lost(item: Item) -> Outcome:
    """Return the outcome of an item in whose hands two pool processes were killed."""
    return Outcome(
        item,
        "quarantined",
        error_code="TTS_SERVICE_ERROR",
        error="two processes died with it in hand, for want of memory perhaps; try fewer --jobs",
    )


def _spoken(speaker: Speaker, item: Item, manner: Manner, path: Path) -> Outcome:
    digesting = _Digesting()
    utterances = list(plan([item.row.text], manner))
    request = SpeechRequest(manner.voice, utterances)
    report = to_file(speaker, request, path, item.encoding, replace=True, write=digesting.write)
    state: State = "done" if report.log.cache == "miss" else "cached"
    return Outcome(
        item,
        state,
        report.size_bytes,
        report.log.duration_s,
        digesting.digest,
        report.log.cache,
        tuple(report.log.units),
        item.overrun_s(report.log.duration_s),
        spoken_by=report.voice_used,
    )


def _hurried(manner: Manner, outcome: Outcome) -> Manner:
    """Return a faster manner for what takes too long, but not one that nobody can follow."""
    fits = outcome.duration_s / (outcome.duration_s - outcome.overrun_s)
    return replace(manner, speed=min(manner.speed * min(fits, MAX_HURRY), MAX_SPEED))


class _Digesting:
    """Writes a file, and keeps the digest of what is in it."""

    digest = ""

    def write(
        self, path: Path, blocks: Iterable[bytes], *, replace: bool, head: Head | None
    ) -> int:
        """Write as `write_whole` does; the file is held in memory, as an item is no book."""
        parts = list(blocks)
        if head is not None:
            parts[0] = head(parts[0], sum(map(len, parts)))
        data = b"".join(parts)
        self.digest = hashlib.sha256(data).hexdigest()
        return write_whole(path, [data], replace=replace)

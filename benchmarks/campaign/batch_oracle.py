"""Whether a batch kept its promises, told from its manifest, its folder and its journal alone.

What the program says of itself is checked against the files, whose sound proves whose it is: the
lines of the manifest are spoken by the tone engine.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ttsctl.audio.wav import read_wav
from ttsctl.engines.tone import DIGEST_BYTES, request_digest
from ttsctl.errors import TtsctlError
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.batch.items import RESULTS_FILE, STATES
from ttsctl.workflows.plan import Manner, plan

VOICE = "tone:faulty"
_MADE = ("done", "cached")


def verdict(lines: Sequence[str], folder: Path) -> list[str]:
    """Return what is wrong with the batch of `lines`, whose last run ended by itself."""
    return [*_wrong_results(lines, folder), *_wrong_leftovers(folder), *half_way(lines, folder)]


def half_way(lines: Sequence[str], folder: Path) -> list[str]:
    """Return what is wrong in `folder` already, whatever a next run may do there.

    A file under its final name is whole and its own item's, and what the journal says is true.
    """
    wrong = []
    for path in sorted(folder.glob("*.wav")):
        index = int(path.name[:4])
        if not _speaks(path, lines[index - 1]):
            wrong.append(f"{path.name} is not the sound of line {index}")
    entries = journal(folder)
    for name, entry in _latest(entries).items():
        if entry["state"] in _MADE and _sha256(folder / name) != entry["sha256"]:
            wrong.append(f"{name} is not what the journal says that was made")
    made = Counter(entry["file"] for entry in entries if entry["state"] in _MADE)
    wrong += [f"{name} was made {count} times" for name, count in made.items() if count > 1]
    return wrong


def journal(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the journal that are whole; there may be none yet."""
    path = folder / ".ttsctl" / "journal.jsonl"
    return list(_objects(path)) if path.exists() else []


def results(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of `results.jsonl`."""
    return [json.loads(line) for line in (folder / RESULTS_FILE).read_text().splitlines()]


def _wrong_results(lines: Sequence[str], folder: Path) -> Iterator[str]:
    """Every item ends once, and what is said of it agrees with its file and the journal."""
    if not (folder / RESULTS_FILE).exists():
        yield f"there is no {RESULTS_FILE}"
        return
    ended = results(folder)
    if [each["line"] for each in ended] != list(range(1, len(lines) + 1)):
        yield f"{RESULTS_FILE} has not every line once and in order"
    latest = _latest(journal(folder))
    for each in ended:
        yield from _wrong_result(each, folder, latest)
    named = {each["file"] for each in ended if each["file"]}
    there = {path.name for path in folder.glob("*.wav")}
    strangers = {name for name in there - named if latest.get(name, {}).get("state") in _MADE}
    yield from (f"{name} is a file that no item has" for name in sorted(strangers))


def _wrong_result(
    each: dict[str, Any], folder: Path, latest: dict[str, dict[str, Any]]
) -> Iterator[str]:
    if each["state"] not in STATES:
        yield f"line {each['line']} is {each['state']}"
    if each["state"] in (*_MADE, "skipped"):
        if _sha256(folder / each["file"]) != each["sha256"]:
            yield f"{each['file']} is not there, or not what {RESULTS_FILE} says"
        if latest.get(each["file"], {}).get("sha256") != each["sha256"]:
            yield f"{each['file']} is something else to the journal"
    elif each["state"] in ("failed", "quarantined") and not each["error"]:
        yield f"line {each['line']} failed without an error"


def _wrong_leftovers(folder: Path) -> list[str]:
    return [f"{path.name} is left" for path in folder.rglob("*.part")]


def _latest(entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the last line of each file."""
    return {entry["file"]: entry for entry in entries}


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().split(b"\n"):
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # the torn end of a kill
        if isinstance(fields, dict) and fields.get("file"):
            yield fields


def _speaks(path: Path, line: str) -> bool:
    """Whether the file decodes and opens with the digest of its line."""
    voice = resolve(VOICE)
    planned = list(plan([line], Manner(voice, voice.language)))
    try:
        clip = read_wav(path.read_bytes())
    except (TtsctlError, OSError, ValueError):
        return False
    return clip.pcm[:DIGEST_BYTES] == request_digest(planned[0].utterance)


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

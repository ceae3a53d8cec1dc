"""Memory that belongs to one worker alone, after it has spoken: two workers share the rest."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ttsctl.speech import Utterance
from ttsctl.voices.catalogue import resolve
from ttsctl.workers.supervisor import Supervisor

MIB = 1 << 20


def private_mb(voice_name: str, text: str) -> float:
    """Return the private memory of one of two workers that speak the same voice, in MB."""
    voice = resolve(voice_name)
    with closing(Supervisor()) as one, closing(Supervisor()) as other:
        for supervisor in (one, other):
            list(supervisor.stream(Utterance((text,), voice, voice.language)))
        (process_id,) = one.worker_process_ids()
        return _private_bytes(process_id) / MIB


def _private_bytes(process_id: int) -> int:
    """Return what is not shared; weights that are mapped by both are (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return 1024 * (sizes["Private_Clean:"] + sizes["Private_Dirty:"])

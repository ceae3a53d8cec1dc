"""Name of an engine to its class. Adding an engine is one line here, or an entry point."""

from __future__ import annotations

import importlib

from ttsctl.engines.base import Engine
from ttsctl.errors import NotInstalledError
from ttsctl.speech import ENGINE_GROUP

BUILT_IN = {
    "espeak": "ttsctl.engines.espeak:EspeakEngine",
    "kokoro": "ttsctl.engines.kokoro.engine:KokoroEngine",
    "piper": "ttsctl.engines.piper.engine:PiperEngine",
    "tone": "ttsctl.engines.tone:ToneEngine",
}


def create(name: str) -> Engine:
    """Import and make the engine called `name`. Runs in the worker.

    Raises:
        NotInstalledError: No engine has that name, or its package cannot be imported.
    """
    target = BUILT_IN.get(name) or _entry_point(name)
    module, _, attribute = target.partition(":")
    try:
        engine: Engine = getattr(importlib.import_module(module), attribute)()
    except (ImportError, OSError) as error:
        raise NotInstalledError(f"engine '{name}' cannot be loaded: {error}") from error
    return engine


def _entry_point(name: str) -> str:
    import importlib.metadata  # takes 20 ms, which the engines of ttsctl need not wait for

    for entry_point in importlib.metadata.entry_points(group=ENGINE_GROUP, name=name):
        return entry_point.value
    raise NotInstalledError(
        f"engine '{name}' is not installed; `ttsctl doctor` lists the engines that are"
    )

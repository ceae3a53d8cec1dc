"""Opens the model of a Piper voice: its prepared parts if they are there, else the whole graph."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ttsctl.engines.piper.windows import Stage, StagedModel, Step, WholeModel
from ttsctl.engines.prepared import prepared_folder
from ttsctl.engines.sessions import SHRINK, open_session
from ttsctl.errors import ModelNotFoundError

MANIFEST = "prepared.json"
PARTS = ("encoder", "aligner", "flow", "decoder")
WINDOWED = ("flow", "decoder")
PREPARATION = "piper 4"  # raise it when what is prepared changes

# As the worker is started: isolated, with its parent's module path as an argument.
_BOOTSTRAP = (
    "import json, runpy, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "runpy.run_module('ttsctl.engines.piper.prepare', run_name='__main__', alter_sys=True)"
)

_logger = logging.getLogger(__name__)


def open_model(model: Path, fingerprint: str) -> StagedModel | WholeModel:
    """Open the model of a voice, and have it prepared in the background where it is not yet.

    Raises:
        ModelNotFoundError: The file is missing, or is no model that can be run.
    """
    if not model.is_file():
        raise ModelNotFoundError(f"model {model} is missing")
    folder = prepared_folder(model.stem, f"{PREPARATION} {fingerprint}", model)
    if (folder / MANIFEST).exists():
        try:
            return open_prepared(folder)
        except (ModelNotFoundError, OSError, ValueError, KeyError) as error:
            _logger.warning("prepared voice %s is damaged, and made again: %s", folder, error)
            shutil.rmtree(folder, ignore_errors=True)
    whole = WholeModel(open_session(model, keeps_memory=False))
    _prepare_in_background(model, folder)
    return whole


def open_prepared(folder: Path) -> StagedModel | WholeModel:
    """Open what `ttsctl.engines.piper.prepare` has written.

    Raises:
        ModelNotFoundError: A part is missing or cannot be run.
        OSError, ValueError, KeyError: The manifest cannot be read, or makes no sense.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if manifest["whole"]:
        _logger.warning("%s is spoken whole, without streaming: %s", folder, manifest["warning"])
        return WholeModel(_open(folder, "whole"))
    with ThreadPoolExecutor(max_workers=len(PARTS)) as pool:
        encoder, aligner, flow, decoder = pool.map(lambda name: _open(folder, name), PARTS)
    return StagedModel(
        _step(encoder, manifest["encoder"]),
        _step(aligner, manifest["aligner"]),
        _stage(flow, manifest["flow"]),
        _stage(decoder, manifest["decoder"]),
        SHRINK,
    )


def _open(folder: Path, name: str) -> Any:
    # Flow and decoder see the same few lengths of window again and again, the encoder every text.
    keeps_memory = name in WINDOWED
    return open_session(folder / f"{name}.onnx", is_prepared=True, keeps_memory=keeps_memory)


def _step(session: Any, facts: dict[str, Any]) -> Step:
    return Step(session, tuple(facts["inputs"]), tuple(facts["outputs"]))


def _stage(session: Any, facts: dict[str, Any]) -> Stage:
    (output,) = facts["outputs"]
    inputs, crops = tuple(facts["inputs"]), tuple(map(tuple, facts["crops"]))
    return Stage(session, inputs, output, facts["context_frames"], facts["hop"], crops)


def _prepare_in_background(model: Path, folder: Path) -> None:
    """Start a process that outlives this one, which may end with the sentence in hand."""
    command = [sys.executable, "-I", "-c", _BOOTSTRAP, json.dumps(sys.path)]
    try:
        process = subprocess.Popen(
            [*command, str(model), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        _logger.warning("%s cannot be prepared: %s", model, error)
    else:
        threading.Thread(target=process.wait, daemon=True).start()  # so that no zombie stays

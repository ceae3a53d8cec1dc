"""onnxruntime sessions that open fast and stay small.

Measured on a 63 MB voice: as onnxruntime opens it 1,000-1,400 ms; without planning the reuse of
buffers 250-430 ms and 121-133 MB of private memory; from a graph that was optimised before, with
its weights mapped from a file of their own, 40-47 ms and 62-65 MB. Such a graph holds only for the
release of onnxruntime, the processor and the model it was made for: see
`ttsctl.engines.prepared`.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from ttsctl.errors import ModelNotFoundError

ERRORS_ONLY = 3
_MAPPED_FROM_BYTES = 1_024  # smaller weights stay in the graph

SHRINK = onnxruntime.RunOptions()
"""Options for the last run of a sentence: the arena gives back what it holds."""
SHRINK.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none


def open_session(
    model: Path | bytes,
    *,
    threads: int = 1,
    is_prepared: bool = False,
    keeps_memory: bool = True,
) -> onnxruntime.InferenceSession:
    """Open a model to run on the processor.

    Args:
        model: The file, or its content.
        threads: For the work of one operator. Several processes of one thread get more done than
            one process of several; onnxruntime heeds no environment variable here.
        is_prepared: Whether the graph was saved by `save_prepared`, so that nothing is left to do.
        keeps_memory: Whether what a run took is kept for the next, as suits many short runs, until
            one of them is given `SHRINK`. All such sessions take from one arena.

    Raises:
        ModelNotFoundError: The file is missing, or is no model that can be run.
    """
    options = _options(threads)
    options.enable_cpu_mem_arena = keeps_memory
    if keeps_memory:
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    if is_prepared:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        # Weights are used as they are mapped: 20 MB less for Piper, 100 MB and 0.3 s for Kokoro.
        options.add_session_config_entry("session.disable_prepacking", "1")
    return _open(model, options)


def save_prepared(model: Path | bytes, path: Path) -> None:
    """Write the optimised graph of `model` to `path`, and its weights beside it as `path`.bin.

    Raises:
        ModelNotFoundError: The file is missing, or is no model that can be run.
    """
    options = _options(threads=1)
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_file_name", f"{path.name}.bin"
    )
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", str(_MAPPED_FROM_BYTES)
    )
    _open(model, options)


def save_folded(model: Path | bytes, path: Path) -> None:
    """Write the graph of `model` to `path`, in standard operators, with constants computed.

    It is no faster, but says more plainly what it does: see `ttsctl.engines.piper.simplify`.

    Raises:
        ModelNotFoundError: The file is missing, or is no model that can be run.
    """
    options = _options(threads=1)
    options.optimized_model_filepath = str(path)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Its changes of order are for later: layers would be normalised along another axis.
    _open(model, options, without=["TransposeOptimizer"])


def return_memory() -> None:
    """Give what was freed back to the system, which glibc does not do by itself."""
    if _trim is not None:
        _trim(0)


@functools.lru_cache(maxsize=1)
def _share_arena() -> None:
    """Make the arena of this process.

    It grows by what is asked for: by powers of two, as is usual, a voice holds 60 MB more.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    grows_as_requested = onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(memory, grows_as_requested)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if threads > 1:
        # Threads that wait by spinning take the time of those that work: half as fast on two cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_reuse = False
    options.enable_mem_pattern = False  # one is kept for every length of text
    options.log_severity_level = ERRORS_ONLY
    return options


def _open(
    model: Path | bytes, options: Any, without: Sequence[str] = ()
) -> onnxruntime.InferenceSession:
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(
            source,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=without or None,
        )
    except Exception as error:
        # onnxruntime has a class of its own for each of a dozen ways in which a file is no model.
        what = "the model" if isinstance(model, bytes) else f"model {model}"
        raise ModelNotFoundError(f"{what} cannot be opened: {str(error)[:200]}") from error

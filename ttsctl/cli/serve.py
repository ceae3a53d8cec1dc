"""`ttsctl serve`: the warm service, for a parent process or for all of the user's programs."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttsctl.cli import output
from ttsctl.cli.request import cache_folder_of, cache_limits
from ttsctl.cli.surroundings import is_typed
from ttsctl.errors import InvalidRequestError
from ttsctl.files import make_folder

if TYPE_CHECKING:
    from ttsctl.service.service import Service
    from ttsctl.speech import Voice

_NOTHING = "none"


def serve(
    context: typer.Context,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Serve the parent process: JSON lines on stdin.")
    ] = False,
    socket: Annotated[
        Path | None, typer.Option("--socket", metavar="PATH", help="Listen here instead.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, max=64, help="Default: physical cores."),
    ] = None,
    preload: Annotated[
        str, typer.Option("--preload", metavar="VOICE,...", help="Loaded at once; or none.")
    ] = "auto",
    idle_timeout: Annotated[
        float | None,
        typer.Option("--idle-timeout", metavar="S", min=1, help="End after S s without a request."),
    ] = None,
    unload_after: Annotated[
        float,
        typer.Option("--unload-after", metavar="S", min=1, help="Unload a voice not used for S s."),
    ] = 300.0,
    memory_mb: Annotated[
        int,
        typer.Option("--memory-mb", metavar="MB", min=64, help="Of the loaded voices together."),
    ] = 2048,
    output_root: Annotated[
        Path | None,
        typer.Option(
            "--output-root",
            metavar="DIR",
            file_okay=False,
            help="Clients may write files below it; with --stdio the current folder.",
        ),
    ] = None,
    max_chars: Annotated[
        int, typer.Option("--max-chars", metavar="N", min=1, max=200_000, help="Longest text.")
    ] = 5_000,
    request_timeout: Annotated[
        float | None,
        typer.Option(
            "--request-timeout",
            metavar="S",
            min=0.1,
            help="Give a request up after S s of work; default: 10 and as long as its speech.",
        ),
    ] = None,
    alert_p95_ms: Annotated[
        float | None,
        typer.Option(
            "--alert-p95-ms", metavar="MS", min=0, help="Warn where first audio takes longer."
        ),
    ] = None,
    metrics_log: Annotated[
        Path | None,
        typer.Option("--metrics-log", metavar="FILE", help="Append metrics every minute."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every request.")] = False,
) -> None:
    """Keep voices loaded, and speak for other programs and for `say`.

    Without --stdio it is a daemon that `say` finds by itself; see `ttsctl status` and `stop`.
    """
    from ttsctl.service.assembly import ServiceConfig, default_workers, make_service
    from ttsctl.service.metrics_log import MetricsLog
    from ttsctl.service.service import ServiceLimits
    from ttsctl.service.upkeep import Upkeep

    if stdio and is_typed(context, "socket"):
        raise InvalidRequestError("--stdio and --socket exclude each other")
    voices = _voices(preload)
    if output_root is not None:
        make_folder(output_root)
    limits = ServiceLimits(
        at_once=workers or default_workers(),
        max_chars=max_chars,
        request_timeout_s=request_timeout,
        output_root=output_root or (Path.cwd() if stdio else None),
    )
    config = ServiceConfig(
        limits,
        cache_folder_of(context),
        cache_limits(context),
        unload_after,
        memory_mb,
        alert_p95_ms,
    )
    if verbose:
        output.show_details()
    service = make_service(config)
    log = MetricsLog(metrics_log) if metrics_log else None
    with closing(Upkeep(service, log)):
        if stdio:
            _serve_parent(service, voices)
        else:
            _serve_user(service, voices, context, socket, idle_timeout)


def _serve_parent(service: Service, voices: list[Voice]) -> None:
    from ttsctl.service.assembly import preload
    from ttsctl.service.stdio import serve_stdio

    _tell_status("loading")
    # The protocol owns descriptor 1: what a library prints must not get in between.
    replies = os.dup(1)
    os.dup2(2, 1)

    def on_ready() -> None:
        preload(service, voices)
        _tell_status("ready")

    serve_stdio(service, 0, replies, on_ready)


def _serve_user(
    service: Service,
    voices: list[Voice],
    context: typer.Context,
    socket: Path | None,
    idle_timeout_s: float | None,
) -> None:
    from functools import partial

    from ttsctl.cli.remote_caller import carry_out
    from ttsctl.service.assembly import preload
    from ttsctl.service.connection import Connection
    from ttsctl.service.daemon import Daemon, listening
    from ttsctl.settings import daemon_socket

    path = socket or daemon_socket()
    root = context.find_root().command
    run_command = partial(carry_out, root, service, cache_folder_of(context))
    daemon = Daemon(service, partial(Connection, service, run_command=run_command), idle_timeout_s)

    def prepare() -> None:
        _tell_status("loading")
        preload(service, voices)

    with listening(path, prepare) as listener:
        _tell_status("ready", socket=str(path))
        daemon.serve(listener)


def _tell_status(status: str, **fields: str) -> None:
    print(json.dumps({"status": status, **fields}), file=sys.stderr, flush=True)


def _voices(names: str) -> list[Voice]:
    from ttsctl.voices.catalogue import resolve

    wanted = [name.strip() for name in names.split(",") if name.strip() not in ("", _NOTHING)]
    return [resolve(name) for name in wanted]

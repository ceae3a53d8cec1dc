"""`ttsctl status` and `ttsctl stop`: how the daemon is, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ttsctl.cli import options, output

Socket = Annotated[
    Path | None, typer.Option("--socket", metavar="PATH", help="Where the daemon listens.")
]

_STOP_TIMEOUT_S = 15.0  # it may finish what is in hand first


def status(socket: Socket = None, json: options.Json = False) -> None:
    """Tell whether the daemon runs, how it is, and what it has done."""
    from ttsctl.service.client import ask
    from ttsctl.settings import daemon_socket

    path = socket or daemon_socket()
    answer, counted = ask(path, "ping"), ask(path, "metrics")
    fields: dict[str, Any] = {"ok": True, "running": False, "socket": str(path)}
    if answer is not None and counted is not None:  # it may have ended in between
        fields |= {name: value for name, value in answer.items() if name != "success"}
        fields |= {"running": True, "metrics": counted["metrics"]}
    output.result(fields, is_json=json, lines=_lines(fields))


def stop(socket: Socket = None, json: options.Json = False) -> None:
    """End the daemon, once it has finished what it has in hand."""
    from ttsctl.service.client import ask, wait_gone
    from ttsctl.settings import daemon_socket

    path = socket or daemon_socket()
    was_running = ask(path, "shutdown") is not None
    if was_running:
        wait_gone(path, _STOP_TIMEOUT_S)
    said = "the daemon has ended" if was_running else f"no daemon listens at {path}"
    output.result({"ok": True, "was_running": was_running}, is_json=json, lines=[said])


def _lines(fields: dict[str, Any]) -> list[str]:
    if not fields["running"]:
        return [f"no daemon listens at {fields['socket']}; start one with `ttsctl serve`"]
    metrics = fields["metrics"]
    requests = metrics["requests"]
    lines = [
        f"{fields['status']}, {fields['uptime']:.0f} s, {fields['queue']} waiting",
        f"requests: {requests['total']} ({requests['failed']} failed)",
        f"worker restarts: {metrics['worker_restarts']}",
    ]
    for worker in fields["workers"]:
        memory_mb = worker["memory_bytes"] / 1e6
        lines.append(f"worker: {worker['voice'] or worker['engine']}, {memory_mb:.0f} MB")
    if metrics["alert"]:
        lines.append(f"alert: first audio takes {metrics['alert']['p95_ms']:.0f} ms at the 95th %")
    return lines

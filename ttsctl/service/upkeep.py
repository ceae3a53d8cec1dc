"""What a service does for itself, now and then, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time

from ttsctl.service.metrics_log import MetricsLog
from ttsctl.service.service import Service

UPKEEP_EVERY_S = 5.0
METRICS_EVERY_S = 60.0

_logger = logging.getLogger(__name__)


class Upkeep:
    """Ends workers that nobody uses, has those that rest say a word, and keeps the metrics.

    Args:
        service: What is looked after.
        metrics_log: Where the metrics go every minute in which there was a request; None for
            nowhere.
        every_s: How often to look.
    """

    def __init__(
        self, service: Service, metrics_log: MetricsLog | None, every_s: float = UPKEEP_EVERY_S
    ) -> None:
        self._service = service
        self._metrics_log = metrics_log
        self._every_s = every_s
        self._metrics_at = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ttsctl-upkeep", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and append the last metrics."""
        self._is_over.set()
        self._thread.join(self._every_s)
        self._append_metrics()

    def _work(self) -> None:
        while not self._is_over.wait(self._every_s):
            try:
                self._service.supervisor.tidy()
                self._service.supervisor.probe()
                if time.monotonic() - self._metrics_at >= METRICS_EVERY_S:
                    self._append_metrics()
            except Exception:
                _logger.exception("a bug in ttsctl: the service could not look after itself")

    def _append_metrics(self) -> None:
        if self._metrics_log is not None and self._service.used_at > self._metrics_at:
            self._metrics_log.append(self._service.metrics())
        self._metrics_at = time.monotonic()

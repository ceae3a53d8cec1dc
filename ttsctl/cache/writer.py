"""Work that nobody waits for, done in order by one background thread."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]

_MAX_WAITING = 32
_PATIENCE_S = 1.0  # how long the asker is held up where that much is waiting

_log = logging.getLogger("ttsctl.cache")


class Writer:
    """A queue and the thread that empties it, started with the first job.

    The thread is a daemon: a disk that hangs must not keep the process alive. So `close` it, or
    what is still waiting at the end of the process is lost.
    """

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(_MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Job) -> bool:
        """Have `job` done in its turn; False where the queue stayed full for a second."""
        self._start()
        try:
            self._jobs.put(job, timeout=_PATIENCE_S)
        except queue.Full:
            return False
        return True

    def after_pending(self, job: Job) -> None:
        """Have `job` done when all that waits now is done; at once where nothing can be waiting."""
        if self._thread is None or not self.submit(job):
            job()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that waits now is done; False where that takes longer."""
        done = threading.Event()
        self.after_pending(done.set)
        return done.wait(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Finish what waits and end the thread; False where that takes longer."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return True
        try:
            self._jobs.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        thread.join(timeout_s)
        return not thread.is_alive()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="ttsctl-cache-writer", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(job)


def _do(job: Job) -> None:
    try:
        job()
    except Exception:
        _log.exception("a bug in ttsctl: the cache could not finish a job")

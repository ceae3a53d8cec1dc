"""One client: every line that it sends is answered, in whatever order the answers come."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from ttsctl.errors import BusyError, InvalidRequestError, TtsctlError
from ttsctl.patience import Patience
from ttsctl.service import protocol
from ttsctl.service.commands import Command, DeclinedError, Link, StdinBlock
from ttsctl.service.outbox import Outbox, OutboxBrokenError
from ttsctl.service.protocol import (
    Absent,
    Cancel,
    Id,
    Json,
    LineDecoder,
    Metrics,
    Ping,
    Refused,
    Request,
    Shutdown,
    Synthesize,
    Voices,
)
from ttsctl.service.service import Service
from ttsctl.service.synthesis import synthesize
from ttsctl.workflows.voices.listing import list_voices

RunCommand = Callable[[Command, Link], None]

_LOOK_EVERY_S = 0.2
_STDIN_BLOCKS = 16  # of a client's stdin that are held, of 64 KiB each

_logger = logging.getLogger(__name__)


class Connection:
    """Takes what a client sends, and answers it through an outbox.

    `feed` and `end` are for the one thread that reads; requests for speech get a thread each.

    Args:
        service: What answers.
        outbox: Where replies go.
        on_shutdown: Called where the client wants the service to end; must not wait.
        run_command: Carries out a command line; None where none are taken.
    """

    def __init__(
        self,
        service: Service,
        outbox: Outbox,
        on_shutdown: Callable[[], None],
        run_command: RunCommand | None = None,
    ) -> None:
        self._service = service
        self._outbox = outbox
        self._on_shutdown = on_shutdown
        self._run_command = run_command
        self._stdin: queue.Queue[bytes] = queue.Queue(_STDIN_BLOCKS)
        self._decoder = LineDecoder()
        self._in_hand: list[tuple[str | None, Patience]] = []
        self._changed = threading.Condition()  # its lock may be taken again by the same thread

    def feed(self, data: bytes) -> None:
        """Take what has arrived, and answer the lines that it completes."""
        for line in self._decoder.feed(data):
            self._take(protocol.parse(line))

    def end(self, is_gone: Callable[[], bool]) -> None:
        """Take a last line without a newline, and wait until all is answered.

        Args:
            is_gone: Asked while waiting; where nobody listens any more, all is given up.
        """
        for line in self._decoder.end():
            self._take(protocol.parse(line))
        with self._changed:
            while not self._changed.wait_for(lambda: not self._in_hand, _LOOK_EVERY_S):
                if is_gone():
                    self.abandon()

    def abandon(self) -> None:
        """Give up all that the client has asked for: it is gone."""
        with self._changed:
            for _, patience in self._in_hand:
                patience.cancel()

    def reply(self, fields: dict[str, Any]) -> None:
        """Send one line."""
        self._outbox.put(protocol.encode(fields))

    def _take(self, request: Request | Refused) -> None:
        try:
            self._answer(request)
        except TtsctlError as error:
            self.reply(protocol.failure(request.id, error))

    def _answer(self, request: Request | Refused) -> None:
        match request:
            case Refused():
                raise request.error
            case Synthesize():
                self._start(request.id, lambda patience: self._synthesize(request, patience))
            case Command():
                self._start(request.id, lambda patience: self._carry_out(request, patience))
            case Voices():
                self._start(request.id, lambda _: self._list_voices(request.id))
            case StdinBlock():
                self._take_stdin(request)
            case _:
                self._answer_at_once(request)

    def _answer_at_once(self, request: Ping | Metrics | Cancel | Shutdown) -> None:
        fields: dict[str, Any] = {}
        match request:
            case Ping():
                fields = self._service.status()
            case Metrics():
                fields = {"metrics": self._service.metrics()}
            case Cancel():
                fields = {"cancelled": self._cancel(_key(request.target))}
        self.reply(protocol.success(request.id, **fields))
        if isinstance(request, Shutdown):
            self._on_shutdown()

    def _synthesize(self, request: Synthesize, patience: Patience) -> None:
        synthesize(self._service, request, patience, self.reply)

    def _take_stdin(self, block: StdinBlock) -> None:
        if self._run_command is None:
            raise InvalidRequestError("a block of stdin is for a command; there is none")
        while self._in_hand:  # the reader is held up as long as the text is not spoken
            with contextlib.suppress(queue.Full):
                return self._stdin.put(block.data, timeout=_LOOK_EVERY_S)

    def _carry_out(self, command: Command, patience: Patience) -> None:
        if self._run_command is None:
            raise InvalidRequestError("commands are for the daemon; use the action synthesize")
        link = Link(self.reply, self._stdin, patience)
        try:
            self._run_command(command, link)
        except DeclinedError:
            link.event("declined")

    def _list_voices(self, identity: Id) -> None:
        voices = [
            {"voice": entry.id, "language": entry.language, "title": entry.title}
            for entry in list_voices().entries
        ]
        self.reply(protocol.success(identity, voices=voices))

    def _start(self, identity: Id, work: Callable[[Patience], None]) -> None:
        """Have `work` done in a thread of its own, if there is room for another request."""
        try:
            self._service.turns.come_in()
        except BusyError as error:
            self._service.refused(error)
            raise
        patience = Patience()
        key = None if isinstance(identity, Absent) else _key(identity)
        with self._changed:
            self._in_hand.append((key, patience))
        threading.Thread(
            target=self._work, args=(identity, key, patience, work), daemon=True
        ).start()

    def _work(
        self, identity: Id, key: str | None, patience: Patience, work: Callable[[Patience], None]
    ) -> None:
        try:
            self._reply_to_failure(identity, lambda: work(patience))
        finally:
            patience.cancel()  # for those who still work on it: nobody waits for them
            with self._changed:
                self._in_hand.remove((key, patience))
                self._changed.notify_all()
            self._service.turns.leave()
            self._service.cache.close_thread()

    def _reply_to_failure(self, identity: Id, work: Callable[[], None]) -> None:
        try:
            work()
        except OutboxBrokenError:
            return  # nobody is there to be told
        # Answered while it is being handled: kept in a variable it would keep all that its
        # traceback knows, a worker perhaps, until somebody looks for cycles.
        except TtsctlError as error:
            self._refuse(identity, error)
        except Exception as error:
            _logger.exception("a bug in ttsctl: a request could not be answered")
            told = f"a bug in ttsctl ({type(error).__name__}); its log says where"
            self._refuse(identity, TtsctlError(told))

    def _refuse(self, identity: Id, error: TtsctlError) -> None:
        with contextlib.suppress(OutboxBrokenError):
            self.reply(protocol.failure(identity, error))

    def _cancel(self, key: str) -> int:
        with self._changed:
            wanted = [patience for other, patience in self._in_hand if other == key]
        for patience in wanted:
            patience.cancel()
        return len(wanted)


def _key(identity: Json) -> str:
    """Return what tells ids apart: in Python 1, 1.0 and True are equal."""
    return json.dumps(identity, sort_keys=True)

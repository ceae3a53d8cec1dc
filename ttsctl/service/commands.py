"""A command line that travels as it was typed, and is understood in the daemon.

So there is one parser of it, and a client has next to nothing to import. The client says which
version it is, where it stands and what its environment is; the daemon declines what it cannot do
exactly as the client would.
"""

from __future__ import annotations

import base64
import binascii
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsctl.errors import InvalidRequestError
from ttsctl.patience import Patience
from ttsctl.service.fields import Fields

if TYPE_CHECKING:
    from ttsctl.service.protocol import Id


class DeclinedError(Exception):
    """The client has to do it itself."""


@dataclass(frozen=True)
class Command:
    """Asks for a command to be carried out for the process that sent it."""

    id: Id
    version: str
    arguments: tuple[str, ...]
    folder: str
    """The client's current folder."""

    environment: dict[str, str]
    is_stdin_a_terminal: bool
    is_stdout_a_terminal: bool


@dataclass(frozen=True)
class StdinBlock:
    """Hands on what the client's stdin had; nothing at its end."""

    id: Id
    data: bytes


@dataclass
class Link:
    """What the one who carries out a command has of the client."""

    reply: Callable[[dict[str, Any]], None]
    stdin: queue.Queue[bytes]
    patience: Patience

    def event(self, name: str, **fields: Any) -> None:
        """Tell the client what is next."""
        self.reply({"event": name, **fields})

    def audio(self, data: bytes) -> None:
        """Hand over sound, as the client is to write or play it."""
        self.event("audio", data=base64.b64encode(data).decode())

    def stdin_blocks(self) -> Iterator[bytes]:
        """Ask for the client's stdin, and yield it as it comes."""
        self.event("stdin")
        while True:
            try:
                block = self.stdin.get(timeout=0.2)
            except queue.Empty:
                self.patience.check()
                continue
            if not block:
                return
            yield block


def read_command(fields: Fields, identity: Id) -> Command:
    """Return the command that `fields` describe; raises InvalidRequestError."""
    arguments, environment = fields.value("arguments"), fields.value("environment")
    if not isinstance(arguments, list) or not isinstance(environment, dict):
        raise InvalidRequestError("a command needs 'arguments', a list, and an 'environment'")
    if not all(isinstance(text, str) for text in [*arguments, *environment.values()]):
        raise InvalidRequestError("the arguments and the environment of a command are texts")
    return Command(
        identity,
        fields.text("version") or "",
        tuple(arguments),
        fields.text("folder") or "/",
        environment,
        fields.is_set("stdin_is_terminal"),
        fields.is_set("stdout_is_terminal"),
    )


def read_stdin_block(fields: Fields, identity: Id) -> StdinBlock:
    """Return the block that `fields` hold; raises InvalidRequestError."""
    try:
        return StdinBlock(identity, base64.b64decode(fields.text("data") or "", validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError("field 'data' is not base64") from error

"""A client of a service, without a process or a socket between the two."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

from tests.timing import LONG_S
from ttsctl.engines.tone import request_digest
from ttsctl.service.connection import Connection
from ttsctl.service.outbox import Outbox
from ttsctl.service.service import Service
from ttsctl.speech import Voice
from ttsctl.workflows.plan import Manner, plan

Reply = dict[str, Any]

FAULTY = Voice("tone", "faulty", "und", "tone 1")


class Client:
    """Sends lines to a service and keeps what comes back."""

    def __init__(self, service: Service) -> None:
        self.lines: list[Reply] = []
        self.is_listening = True
        self.is_shut_down = threading.Event()
        self._rest = b""
        self._arrived = threading.Condition()
        self.outbox = Outbox(self._receive, on_broken=self._hang_up)
        self.connection = Connection(service, self.outbox, on_shutdown=self.is_shut_down.set)

    def send(self, action: str = "synthesize", **fields: Any) -> None:
        self.connection.feed(json.dumps({"action": action, **fields}).encode() + b"\n")

    def ask(self, action: str = "synthesize", **fields: Any) -> Reply:
        """Send a request, whose id nobody else uses, and return its last line."""
        fields.setdefault("id", f"ask {time.monotonic_ns()}")
        self.send(action, **fields)
        return self.answer(fields["id"])

    def speak(self, text: str, **fields: Any) -> Reply:
        return self.ask(text=text, voice="tone:faulty", **{"format": "pcm", **fields})

    def answer(self, identity: object) -> Reply:
        """Return the line that ends the request of that id, once it has come."""
        (reply,) = self.answers(identity, 1)
        return reply

    def answers(self, identity: object, count: int) -> list[Reply]:
        """Return the lines that end the requests of that id, once so many have come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self._ends(identity)) >= count, LONG_S)
            return self._ends(identity)

    def events(self, identity: object) -> list[Reply]:
        with self._arrived:
            return [line for line in self.lines if "event" in line and line["id"] == identity]

    def hang_up(self) -> None:
        """Listen no more, as one that was killed."""
        self.is_listening = False

    def _ends(self, identity: object) -> list[Reply]:
        return [
            line
            for line in self.lines
            if "success" in line and json.dumps(line.get("id")) == json.dumps(identity)
        ]

    def _receive(self, data: bytes) -> None:
        if not self.is_listening:
            raise BrokenPipeError("broken pipe")
        with self._arrived:
            *lines, self._rest = (self._rest + data).split(b"\n")
            self.lines += [json.loads(line) for line in lines]
            self._arrived.notify_all()

    def _hang_up(self) -> None:
        self.connection.abandon()


def sound(reply: Reply) -> bytes:
    """Return the sound that came with a reply, or with an event."""
    return base64.b64decode(reply["data"])


def is_own(pcm: bytes, text: str, voice: Voice = FAULTY) -> bool:
    """Tell whether `pcm` is `text` and nothing else."""
    utterances = [each.utterance for each in plan([text], Manner(voice, voice.language))]
    digests = [request_digest(each) for each in utterances]
    return pcm.startswith(digests[0]) and all(pcm.count(digest) for digest in digests)


def error_code(reply: Reply) -> str | None:
    """Return the code of the error; None where the request went well."""
    return None if reply["success"] else str(reply["error"]["code"])

"""`say -` at the end of a pipe: a language model writes tokens, and is heard while it does.

Nothing here measures time. The writer waits at the end of each sentence until the one before it
has been heard, or the test fails: sound must leave while the text still arrives.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from ttsctl.engines.tone import request_digest
from ttsctl.speech import Voice
from ttsctl.workflows.plan import Manner, plan

TOKEN_S = 0.03  # what a small model on a laptop takes for one
PATIENCE_S = 60.0  # with which the writer waits for a sentence to be heard
SENTENCES = [
    "The museum opens at nine o'clock in the morning, and closes when it is dark outside. ",
    "Please keep your bag with you, since nobody else here is going to look after it today. ",
    "The cafe on the second floor has soup and bread, and on most days a cake made of plums. ",
    "Pictures may be taken everywhere but in the room of the maps which do not like light. ",
    "Thank you for your visit, and do come back in the spring when the garden is in bloom.",
]
TEXT = "".join(SENTENCES)
TOKENS = [re.findall(r"\s*\S{1,5}|\s+", sentence) for sentence in SENTENCES]

Heard = Callable[[int], bool]


class Pipe:
    """The command at work, a thread that listens to it, and one that writes."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "ttsctl", "say", "-", "--stream", "-o", "-"]
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ),
        )
        self.sound = b""
        self.events: list[str] = []
        self._grown = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def write(self, is_heard: Heard) -> None:
        """Write the tokens; before the last one of a sentence, wait until the one before is heard.

        Args:
            is_heard: Whether the sentence of that number has been, to judge by the sound so far.
        """
        assert self.process.stdin is not None
        for number, tokens in enumerate(TOKENS):
            for token in tokens[:-1]:
                self._send(token)
                time.sleep(TOKEN_S)
            if number:
                self._wait_for(number - 1, is_heard)
            self._send(tokens[-1])
        self.events.append("the last token")
        self.process.stdin.close()

    def finish(self) -> bytes:
        """Return all that was heard."""
        self._listener.join(PATIENCE_S)
        assert self.process.stderr is not None
        stderr = self.process.stderr.read().decode()
        assert (self.process.wait(PATIENCE_S), stderr) == (0, "")
        return self.sound

    def kill(self) -> None:
        """End it, however far it is."""
        self.process.kill()
        self.process.wait()
        self._listener.join(PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _send(self, token: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(token.encode())
        self.process.stdin.flush()

    def _wait_for(self, number: int, is_heard: Heard) -> None:
        with self._grown:
            heard = self._grown.wait_for(lambda: is_heard(number), PATIENCE_S)
        assert heard, f"sentence {number} was not heard while the next one was written"
        self.events.append(f"sentence {number}")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while block := os.read(self.process.stdout.fileno(), 1 << 16):
            with self._grown:
                if not self.sound:
                    self.events.append("the first sound")
                self.sound += block
                self._grown.notify_all()


@pytest.fixture(name="pipe")
def _pipe(tmp_path: Path) -> Iterator[Callable[..., Pipe]]:
    with ExitStack() as ends:

        def start(*options: str) -> Pipe:
            pipe = Pipe(tmp_path, *options)
            ends.callback(pipe.kill)
            return pipe

        yield start


def test_the_sentences_of_the_test_are_utterances(tone: Voice) -> None:
    spoken = [planned.utterance.text for planned in plan([TEXT], Manner(tone, "und"))]

    assert spoken == [sentence.strip() for sentence in SENTENCES]


@pytest.mark.slow
def test_each_sentence_is_heard_while_the_next_one_is_written(
    pipe: Callable[..., Pipe], tone: Voice
) -> None:
    digests = [request_digest(planned.utterance) for planned in plan([TEXT], Manner(tone, "und"))]
    tokens = pipe("-v", "tone:sine", "--format", "pcm", "--no-cache")
    tokens.write(lambda number: digests[number] in tokens.sound)
    sound = tokens.finish()

    places = [sound.find(digest) for digest in digests]
    assert places == sorted(places)
    assert places[0] == 0
    assert [sound.count(digest) for digest in digests] == [1] * len(SENTENCES)
    assert tokens.events == [
        "the first sound",
        *(f"sentence {number}" for number in range(len(SENTENCES) - 1)),
        "the last token",
    ]


@pytest.mark.slow
def test_the_first_words_of_espeak_are_heard_before_the_last_are_written(
    pipe: Callable[..., Pipe], run: Run
) -> None:
    tokens = pipe("-v", "espeak:en-us", "--format", "pcm", "--no-cache")
    bytes_a_sentence = 22_050 * 2 * 2  # each of them takes more than 2 s
    tokens.write(lambda number: len(tokens.sound) > (number + 1) * bytes_a_sentence)
    sound = tokens.finish()

    at_once = run("say", TEXT, "-v", "espeak:en-us", "-o", "-", "--format", "pcm", "--no-cache")
    assert len(sound) == pytest.approx(len(at_once.stdout), rel=0.01)
    assert tokens.events[0] == "the first sound"
    assert tokens.events[-1] == "the last token"


@pytest.mark.slow
@pytest.mark.parametrize(("format", "header_bytes"), [("wav", 44), ("opus", 500), ("ulaw", 0)])
def test_in_every_streamed_format_sound_leaves_while_text_arrives(
    pipe: Callable[..., Pipe], format: str, header_bytes: int
) -> None:
    tokens = pipe("-v", "tone:sine", "--format", format, "--no-cache")
    tokens.write(lambda number: len(tokens.sound) > header_bytes + 1_000 * (number + 1))

    assert tokens.finish()

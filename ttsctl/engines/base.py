"""What an engine is: a third-party package registers a class of this shape and is done.

    [project.entry-points."ttsctl.engines"]
    acme = "acme_tts:AcmeEngine"

makes `ttsctl say -v acme:anna "Hello"` work. The class is called without arguments, inside a worker
process that is killed when it crashes or hangs, and is used by one request at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ttsctl.speech import Clip, Utterance, Voice


class Engine(Protocol):
    """Turns utterances into sound. Runs in a worker process, in one thread."""

    def voices(self) -> list[Voice]:
        """Return the voices that can be loaded, without loading one."""
        ...

    def load(self, voice: Voice) -> None:
        """Make `voice` ready, so that the next utterance in it starts at once; cheap when it is.

        Raises:
            InvalidVoiceError: There is no such voice.
            ModelNotFoundError: Its model is missing.
        """
        ...

    def synthesize(self, utterance: Utterance) -> Iterator[Clip]:
        """Yield the sound of `utterance` in order, each clip as soon as it exists.

        All clips have one sample rate. The consumer may stop early by closing the iterator.

        Raises:
            EngineError: The text cannot be spoken.
        """
        ...

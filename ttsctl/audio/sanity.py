"""Whether sound can be the speech of a text at all, so that no failure passes for speech."""

from __future__ import annotations

from ttsctl.errors import EngineError
from ttsctl.speech import Clip

# At normal speed. Speech takes 0.05 to 0.1 s a letter, more for digits and symbols; the least that
# espeak-ng was found to take is 0.026 s, for "through" over and over.
MIN_S_PER_CHARACTER = 0.005


def check_clip(clip: Clip, characters: int, speed: float = 1.0) -> None:
    """Accept `clip` as the speech of `characters` speakable characters at `speed`, or raise.

    The bounds are generous: they catch an engine that gave up, not one that speaks badly.

    Raises:
        EngineError: It is empty, digital silence, or implausibly short.
    """
    if not clip.pcm:
        raise EngineError("the engine produced no sound for this text")
    if clip.pcm.count(0) == len(clip.pcm):
        raise EngineError(f"the engine produced {clip.duration_s:.1f} s of silence for this text")
    least_s = characters * MIN_S_PER_CHARACTER / speed
    if clip.duration_s < least_s:
        raise EngineError(
            f"the engine produced {clip.duration_s:.3f} s of sound for {characters} characters; "
            f"at least {least_s:.3f} s is plausible"
        )

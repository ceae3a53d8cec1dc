"""Which sound cannot be the speech of a text."""

from __future__ import annotations

import pytest

from tests.audio.sounds import tone
from ttsctl.audio.sanity import check_clip
from ttsctl.errors import EngineError
from ttsctl.speech import MAX_SPEED, Clip, silence


def test_speech_is_accepted() -> None:
    check_clip(tone(1.0), characters=15)


def test_the_fastest_speech_of_espeak_is_accepted() -> None:
    """The shortest sounds measured: 0.026 s a letter at speed 1, a quarter of that at speed 4."""
    check_clip(tone(0.026 * 200), characters=200)
    check_clip(tone(0.026 * 200 / MAX_SPEED), characters=200, speed=MAX_SPEED)


def test_sound_of_a_text_without_letters_is_accepted() -> None:
    check_clip(tone(0.01), characters=0)


def test_no_sound_is_refused() -> None:
    with pytest.raises(EngineError, match="no sound"):
        check_clip(Clip(b"", 22_050), characters=0)


def test_digital_silence_is_refused() -> None:
    with pytest.raises(EngineError, match=r"2\.0 s of silence"):
        check_clip(silence(2.0, 22_050), characters=15)


def test_one_sample_that_is_not_zero_is_not_silence() -> None:
    check_clip(Clip(b"\0\0" * 22_050 + b"\1\0", 22_050), characters=15)


def test_sound_too_short_for_the_text_is_refused() -> None:
    with pytest.raises(
        EngineError, match=r"0\.100 s of sound for 200 characters; at least 1\.000 s"
    ):
        check_clip(tone(0.1), characters=200)


def test_at_a_higher_speed_sound_may_be_shorter() -> None:
    check_clip(tone(0.3), characters=200, speed=4.0)
    with pytest.raises(EngineError):
        check_clip(tone(0.3), characters=200, speed=1.0)

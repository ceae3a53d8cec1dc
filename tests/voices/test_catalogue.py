"""What the user writes for a voice, and what it stands for."""

from __future__ import annotations

import pytest

from ttsctl.errors import InvalidRequestError, InvalidVoiceError, NotInstalledError
from ttsctl.voices.catalogue import engines, installed, resolve


@pytest.mark.parametrize(
    ("name", "language", "voice_id"),
    [
        ("auto", None, "espeak:en-us"),
        ("auto", "en", "espeak:en-us"),
        ("auto", "en-GB", "espeak:en-gb"),
        ("auto", "en_GB", "espeak:en-gb"),
        ("auto", "fr", "espeak:fr-fr"),
        ("auto", "pt-br", "espeak:pt-br"),
        ("auto", "zh", "espeak:cmn"),
        ("auto", "yue", "espeak:yue"),
        ("de", None, "espeak:de"),
        ("DE", None, "espeak:de"),
        ("fr", None, "espeak:fr-fr"),
        ("espeak:zh+f2", None, "espeak:cmn+f2"),
        ("espeak:en-us+f3", None, "espeak:en-us+f3"),
        ("espeak:de", "de", "espeak:de"),
        ("auto", "de-AT", "espeak:de"),
        ("auto", "zh-Hans-CN", "espeak:cmn"),
        ("de", "de-AT", "espeak:de"),
        ("tone:faulty", "fr", "tone:faulty"),
    ],
)
def test_resolves(name: str, language: str | None, voice_id: str) -> None:
    assert resolve(name, language).id == voice_id


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("en-uss", "nearest: en-us"),
        ("espeak:en-uss", "nearest: en-us"),
        ("espeak:en-us+whispr", "nearest: whisper"),
        ("tone:sign", "tone:sine"),
        ("", "not found"),
        ("../../etc/passwd", "not found"),
    ],
)
def test_an_unknown_voice_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(InvalidVoiceError, match=hint):
        resolve(name)


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    with pytest.raises(NotInstalledError, match="nearest: espeak"):
        resolve("espeek:en-us")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InvalidVoiceError, match="'xx'"):
        resolve("auto", "xx")


def test_a_voice_is_not_made_to_speak_another_language() -> None:
    with pytest.raises(InvalidRequestError, match="speaks en-us, not fr"):
        resolve("espeak:en-us", "fr")


def test_every_listed_voice_resolves_to_itself() -> None:
    for entry in installed():
        assert resolve(entry.voice.id) == entry.voice


def test_lists_over_a_hundred_languages_of_our_engines() -> None:
    assert len(installed()) > 130
    assert engines()[:4] == ["kokoro", "piper", "espeak", "tone"]

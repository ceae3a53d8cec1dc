"""The table of formats, and what may be asked of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ttsctl.audio.formats import FORMATS, Encoding, format_of
from ttsctl.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("a.wav", "wav"), ("A.WAV", "wav"), ("a.b.mp3", "mp3"), ("a.flac", "flac")),
        *(("a.opus", "opus"), ("a.ogg", "opus"), ("a.oga", "opus")),
        *(("a.pcm", "pcm"), ("a.raw", "pcm"), ("a.s16", "pcm")),
        *(("a.ulaw", "ulaw"), ("a.ul", "ulaw"), ("a.alaw", "alaw"), ("a.al", "alaw")),
    ],
)
def test_the_suffix_decides_the_format(name: str, expected: str) -> None:
    assert format_of(Path("folder.v2", name)) == expected


def test_no_suffix_belongs_to_two_formats() -> None:
    suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]

    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("name", ["speech", "-", "speech.data", ".wav"])
def test_a_named_format_serves_where_the_suffix_says_nothing(name: str) -> None:
    assert format_of(Path(name), "opus") == "opus"


def test_a_named_format_may_repeat_the_suffix() -> None:
    assert format_of(Path("a.ogg"), "opus") == "opus"


@pytest.mark.parametrize(
    ("name", "explicit", "message"),
    [
        ("a.wav", "mp3", "is the name of a wav file, but the format asked for is mp3"),
        ("a.wav", "mp3", "name the file 'a.mp3'"),
        ("a.m4a", None, "unknown suffix '.m4a'; known are .wav, .opus"),
        ("speech", None, "has no suffix to tell the format; add one"),
        ("a.wav", "wave", "unknown format 'wave'; nearest: wav"),
        ("a.ogg", "ogg", "unknown format 'ogg'; did you mean 'opus'?"),
        ("a.ogg", ".OGA", "did you mean 'opus'?"),
        ("a.wav", "zzz", "known: wav, opus, mp3, flac, pcm, ulaw, alaw"),
        ("a.wav", "", "unknown format ''"),
    ],
)
def test_a_file_whose_format_is_unclear_is_refused(
    name: str, explicit: str | None, message: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        format_of(Path(name), explicit)

    assert message in caught.value.message


@pytest.mark.parametrize(
    ("format_name", "sample_rate", "bitrate_bps", "message"),
    [
        ("ogg", None, None, "did you mean 'opus'"),
        ("wav", 7_999, None, "out of range; possible: 8000 to 192000"),
        ("flac", 192_001, None, "out of range"),
        ("pcm", 0, None, "out of range"),
        ("mp3", 22_050, None, "possible: 32000, 44100, 48000"),
        ("opus", 24_000, None, "possible: 48000"),
        ("wav", None, 64_000, "wav has no bit rate to choose; formats that have: opus, mp3"),
        ("opus", None, 5_999, "possible: 6000 to 256000"),
        ("opus", None, 0, "possible: 6000 to 256000"),
        ("mp3", None, 321_000, "possible: 64000 to 320000"),
    ],
)
def test_what_a_format_cannot_do_is_refused(
    format_name: str, sample_rate: int | None, bitrate_bps: int | None, message: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Encoding(format_name, sample_rate, bitrate_bps)

    assert message in caught.value.message


def test_the_rate_of_the_result_is_the_users_or_the_formats_or_the_voices() -> None:
    assert Encoding("ulaw", 16_000).output_rate(22_050) == 16_000
    assert Encoding("ulaw").output_rate(22_050) == 8_000
    assert Encoding("wav").output_rate(22_050) == 22_050


def test_equal_results_have_one_identity() -> None:
    assert Encoding("opus").identity == Encoding("opus", 48_000, 32_000).identity
    assert Encoding("mp3").identity == Encoding("mp3", 44_100, 128_000).identity


def test_different_results_have_different_identities() -> None:
    encodings = [
        *(Encoding(name) for name in FORMATS),
        *(Encoding("opus", None, 24_000), Encoding("mp3", None, 64_000)),
        *(Encoding("mp3", 48_000), Encoding("wav", 16_000), Encoding("wav", 24_000)),
    ]

    assert len({encoding.identity for encoding in encodings}) == len(encodings)


def test_the_table_costs_no_heavy_import() -> None:
    program = "import sys, ttsctl.audio.formats, ttsctl.audio.encode; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout

    assert {b"numpy", b"soundfile", b"soxr", b"pyogg", b"miniaudio"}.isdisjoint(loaded.split())

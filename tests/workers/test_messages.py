"""Frames survive any way of being cut; nonsense is refused, never executed."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.speech import Clip, Utterance, Voice, Word
from ttsctl.workers import messages
from ttsctl.workers.messages import Frame, FrameDecoder, ProtocolError

headers = st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3)
frames = st.builds(Frame, headers, st.binary(max_size=200))


@given(sent=st.lists(frames, max_size=5), cuts=st.lists(st.integers(1, 40), max_size=60))
def test_frames_come_back_whatever_pieces_they_arrive_in(
    sent: list[Frame], cuts: list[int]
) -> None:
    data = b"".join(map(messages.encode, sent))
    decoder = FrameDecoder()
    received = []
    for cut in [*cuts, len(data)]:
        received += decoder.feed(data[:cut])
        data = data[cut:]
    assert received == sent


@given(noise=st.binary(max_size=100))
def test_noise_is_refused_or_waited_for_but_never_crashes(noise: bytes) -> None:
    try:
        decoded = list(FrameDecoder().feed(noise))
    except ProtocolError:
        return
    assert all(isinstance(frame.header, dict) for frame in decoded)


def test_a_frame_over_the_size_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="size"):
        list(FrameDecoder().feed(struct.pack(">II", 10, 0xFFFF_FFFF)))


def test_a_header_nested_too_deeply_is_refused() -> None:
    header = b"[" * 200_000
    with pytest.raises(ProtocolError):
        list(FrameDecoder().feed(struct.pack(">II", len(header), 0) + header))


@given(
    clauses=st.lists(st.text(), min_size=1).map(tuple),
    speed=st.floats(0.25, 4),
    options=st.lists(st.tuples(st.text(), st.text())).map(tuple),
)
def test_an_utterance_survives_the_journey(
    clauses: tuple[str, ...], speed: float, options: tuple[tuple[str, str], ...]
) -> None:
    utterance = Utterance(clauses, Voice("e", "n", "l", "f"), "en", speed, options)
    (frame,) = FrameDecoder().feed(messages.encode(messages.speak_request(utterance)))
    assert messages.utterance_of(frame.header) == utterance


@pytest.mark.parametrize("sample_rate", [0, -1, None, "22050", 1.5])
def test_sound_without_a_sensible_rate_is_refused(sample_rate: object) -> None:
    header = json.loads(json.dumps({"event": "audio", "sample_rate": sample_rate}))
    with pytest.raises(ProtocolError):
        messages.clip_of(Frame(header, b"\0\0"))


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ProtocolError):
        messages.clip_of(Frame({"event": "audio", "sample_rate": 8000}, b"\0"))


moments = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted)
words = st.builds(lambda text, times: Word(text, *times), st.text(), moments)


@given(pcm=st.binary(max_size=20), spoken=st.lists(words, max_size=5).map(tuple))
def test_sound_and_its_words_survive_the_journey(pcm: bytes, spoken: tuple[Word, ...]) -> None:
    clip = Clip(pcm * 2, 22_050, 1, spoken)
    (frame,) = FrameDecoder().feed(messages.encode(messages.audio_reply(clip)))
    assert messages.clip_of(frame) == clip


def test_a_frame_without_words_is_as_small_as_it_was() -> None:
    assert "words" not in messages.audio_reply(Clip(b"", 22_050)).header


@pytest.mark.parametrize(
    "spoken",
    [
        '"word"',
        '{"word": 1}',
        "null",
        "7",
        "[7]",
        "[[]]",
        '[["word"]]',
        "[[7, 0.0, 1.0]]",
        '[["word", "0.0", 1.0]]',
        '[["word", null, 1.0]]',
        '[["word", true, 1.0]]',
        '[["word", -1.0, 1.0]]',
        '[["word", 2.0, 1.0]]',
        '[["word", 0.0, Infinity]]',
        '[["word", NaN, 1.0]]',
        '[["word", 0.0, NaN]]',
        f'[["word", 0, {"9" * 400}]]',
        '[["word", 0.0, 1.0, 2.0]]',
        '[["\\ud800", 0.0, 1.0]]',
    ],
)
def test_words_that_make_no_sense_are_refused(spoken: str) -> None:
    """A worker may say anything."""
    text = f'{{"event": "audio", "sample_rate": 8000, "dropped": 0, "words": {spoken}}}'
    header = text.encode()
    data = struct.pack(">II", len(header), 2) + header + b"\0\0"
    (frame,) = FrameDecoder().feed(data)
    with pytest.raises(ProtocolError, match="words"):
        messages.clip_of(frame)

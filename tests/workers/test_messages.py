"""Frames survive any way of being cut; nonsense is refused, never executed."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsctl.speech import Clip, Utterance, Voice
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


def test_sound_survives_the_journey() -> None:
    clip = Clip(b"\1\2\3\4", 22_050)
    (frame,) = FrameDecoder().feed(messages.encode(messages.audio_reply(clip)))
    assert messages.clip_of(frame) == clip

"""A record is what was stored, or it is found out."""

from __future__ import annotations

import hashlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.remembered import key_of, record_of
from ttsctl.cache.record import DamagedRecordError, Metadata, Record, pack, unpack
from ttsctl.speech import Word

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=()), max_size=100)
metadata = st.builds(
    Metadata,
    kind=st.sampled_from(["master", "encoded"]),
    voice=words,
    format=words,
    sample_rate=st.integers(1, 192_000),
    duration_s=finite,
    text=words,
    created_s=finite,
)
moments = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted)
spoken = st.builds(lambda text, times: Word(text, *times), st.text(), moments)
records = st.builds(
    Record, metadata, st.binary(max_size=300), st.lists(spoken, max_size=4).map(tuple)
)
KEY = key_of("this")


@given(records)
def test_a_record_comes_back_exactly(record: Record) -> None:
    assert unpack(KEY, pack(KEY, record)) == record


@given(records, st.data())
def test_any_flipped_bit_is_found_out(record: Record, data: st.DataObject) -> None:
    blob = bytearray(pack(KEY, record))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(DamagedRecordError):
        unpack(KEY, bytes(blob))


@given(records, st.data())
def test_any_cut_is_found_out(record: Record, data: st.DataObject) -> None:
    blob = pack(KEY, record)

    with pytest.raises(DamagedRecordError):
        unpack(KEY, blob[: data.draw(st.integers(0, len(blob) - 1))])


@given(records, st.binary(min_size=1, max_size=20))
def test_anything_added_is_found_out(record: Record, more: bytes) -> None:
    with pytest.raises(DamagedRecordError):
        unpack(KEY, pack(KEY, record) + more)


@given(records)
def test_the_value_of_another_key_is_found_out(record: Record) -> None:
    with pytest.raises(DamagedRecordError):
        unpack(KEY, pack(key_of("other"), record))


@given(st.binary(max_size=200))
def test_noise_is_no_record(noise: bytes) -> None:
    with pytest.raises(DamagedRecordError):
        unpack(KEY, noise)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 5000,
        json.dumps({"kind": "master"}),
        record_of().metadata.to_json().replace("22050", '"fast"'),
        record_of().metadata.to_json().replace("master", "slave"),
        record_of().metadata.to_json().replace('"Hello."', "7"),
        record_of().metadata.to_json().replace("{", '{"more": 1, '),
    ],
)
def test_metadata_of_another_make_is_refused(text: str) -> None:
    with pytest.raises(DamagedRecordError):
        Metadata.from_json(text)


def _with_words(line: bytes) -> bytes:
    """Return the bytes of a record whose digest is right and whose words are `line`."""
    blob = pack(KEY, record_of(b"sound"))
    described = record_of().metadata.to_json().encode() + b"\n" + line
    body = struct.pack(">I", len(described)) + described + b"sound"
    digest = hashlib.sha256(b"%d:%s" % (len(KEY), KEY.encode()) + body).digest()
    return blob[:4] + digest + body


@pytest.mark.parametrize(
    "line",
    [
        b"words",
        b"{}",
        b"[1]",
        b'{"words": [["word", 0.0]], "dropped": 0}',
        b'{"words": [["word", 1.0, 0.5]], "dropped": 0}',
        b'{"words": [["word", 0.0, Infinity]], "dropped": 0}',
        b'{"words": [[7, 0.0, 1.0]], "dropped": 0}',
        b'{"words": [], "dropped": -1}',
        b'{"words": [], "dropped": "none"}',
        b"[" * 50_000,
        b"\xff",
    ],
)
def test_details_of_another_make_are_damage(line: bytes) -> None:
    with pytest.raises(DamagedRecordError, match=r"details|dropped"):
        unpack(KEY, _with_words(line))


def test_a_record_of_before_there_were_words_is_read() -> None:
    assert unpack(KEY, _with_words(b"")).words == ()
    described = record_of().metadata.to_json().encode()
    blob = pack(KEY, record_of(b"sound"))
    assert blob[36:] == struct.pack(">I", len(described)) + described + b"sound"


def test_the_text_is_kept_to_its_first_80_characters() -> None:
    assert Metadata("master", "v", "pcm", 1, 1.0, "x" * 81, 0.0).text == "x" * 80

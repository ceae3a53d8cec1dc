"""UTF-8 in, text out; anything else is an error that says where and what."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ttsctl.errors import InvalidRequestError
from ttsctl.text.readers import decode, decode_stream, read_text


def outcome(chunks: Iterable[bytes]) -> str:
    """Return the decoded text, or the message of the error."""
    try:
        return "".join(decode_stream(chunks, "stdin"))
    except InvalidRequestError as error:
        return error.message


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.text())
def test_what_was_encoded_is_decoded(text: str) -> None:
    data = text.encode()
    assert decode(data, "x") == text.removeprefix("\ufeff")


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), st.integers(1, 5))
@example(b"\xff\xfe\x00\x00a", 1)
@example(b"\x00\x00\xfe\xff", 3)
@example("naïve".encode("latin-1"), 2)
@example("ein Gruß, 你好, 😀".encode(), 1)
@example("abc 😀".encode()[:-1], 1)
def test_chunks_do_not_matter(data: bytes, size: int) -> None:
    assert outcome(cut(data, size)) == outcome([data])


def test_each_chunk_is_decoded_as_far_as_it_goes() -> None:
    chunks = ["Hi ä".encode()[:-1], "ä!".encode()[1:]]
    assert list(decode_stream(chunks, "stdin")) == ["Hi ", "ä!"]


def test_a_byte_order_mark_is_tolerated() -> None:
    assert decode(b"\xef\xbb\xbfabc", "x") == "abc"
    assert outcome([b"\xef", b"\xbb", b"\xbf", b"abc"]) == "abc"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"abc\xe9def", "notes.txt is not UTF-8: byte 0xE9 at offset 3"),
        ("ä".encode() * 5 + b"\xff", "byte 0xFF at offset 10"),
        ("é".encode()[:1], "byte 0xC3 at offset 0"),
        (b"\xed\xa0\x80", "byte 0xED at offset 0"),  # a surrogate
        (b"\xc0\xaf", "byte 0xC0 at offset 0"),  # an overlong form
        ("hi".encode("utf-16"), "notes.txt looks like UTF-16: byte 0xFF at offset 0"),
        ("hi".encode("utf-32"), "notes.txt looks like UTF-32: byte 0xFF at offset 0"),
        (b"\xfe\xff\x00h", "looks like UTF-16"),
        (b"\x00\x00\xfe\xff", "looks like UTF-32"),
    ],
)
def test_the_first_bad_byte_is_named(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode(data, "notes.txt")
    assert message in caught.value.message
    assert "save it as UTF-8" in caught.value.message


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ü.txt"
    path.write_bytes("Grüße\r\n".encode())
    assert read_text(path) == "Grüße\r\n"


def test_the_file_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(InvalidRequestError, match=r"latin\.txt is not UTF-8: .* offset 3"):
        read_text(path)


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.txt", "no such file"), (".", "is a directory"), ("\0", "null")]
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"cannot read .*{reason}"):
        read_text(tmp_path / name)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """A loop of links, which stops even root; missing permission takes the same way."""
    path = tmp_path / "loop.txt"
    path.symlink_to(path)
    with pytest.raises(InvalidRequestError, match="symbolic links"):
        read_text(path)

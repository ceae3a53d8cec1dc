"""Chapters and titles, read by hand in every format and by ffprobe."""

from __future__ import annotations

import ctypes
import io
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.sounds import decoded, tone
from ttsctl.audio import opus
from ttsctl.audio.chapters import (
    MAX_TITLE_BYTES,
    Chapter,
    chapter_spans,
    clean_title,
    encode_joined,
    vorbis_comments,
)
from ttsctl.audio.encode import encode, head_of_file
from ttsctl.audio.formats import FORMATS, Encoding
from ttsctl.audio.id3 import chapter_tag
from ttsctl.audio.stream import stream_of
from ttsctl.errors import EngineError
from ttsctl.speech import Clip

needs_libopusenc = pytest.mark.skipif(
    opus.load_library() is None, reason="libopusenc is not installed"
)
needs_ffprobe = pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
chaptered = pytest.mark.parametrize(
    "name", [pytest.param("opus", marks=needs_libopusenc), "flac", "mp3"]
)

TITLE = "Ein = Buch; #1 \\ 世界 💖"
CHAPTERS = [
    Chapter("Intro", 0.0),
    Chapter("Kapitel = 2; #\\\n Ünï 世界", 1.0),
    Chapter("", 2.5),
]
HEADINGS = ["Intro", "Kapitel = 2; #\\ Ünï 世界", "3"]
STARTS_MS = [0, 1000, 2500]


def joined(name: str, chapters: list[Chapter] | None = None, title: str = TITLE) -> bytes:
    clips = [tone(1.5), Clip(b"", 22_050), tone(1.5)]
    chapters = CHAPTERS if chapters is None else chapters
    return b"".join(encode_joined(clips, Encoding(name), chapters, title))


def vorbis_comments_in(block: bytes) -> list[str]:
    """Read what follows the mark in a comment header (Ogg) or the head of its block (FLAC)."""
    stream = io.BytesIO(block)

    def text() -> str:
        (size,) = struct.unpack("<I", stream.read(4))
        return stream.read(size).decode()

    assert text()  # the vendor
    (count,) = struct.unpack("<I", stream.read(4))
    return [text() for _ in range(count)]


def opus_tags_in(file: bytes) -> bytes:
    """Put the second packet together from its pages (RFC 3533, section 6)."""
    packets: list[bytes] = []
    packet, position = b"", 0
    while len(packets) < 2:
        assert file[position : position + 4] == b"OggS"
        count = file[position + 26]
        sizes = file[position + 27 : position + 27 + count]
        position += 27 + count
        for size in sizes:
            packet += file[position : position + size]
            position += size
            if size < 255:
                packets.append(packet)
                packet = b""
    assert packets[1][:8] == b"OpusTags"
    return packets[1][8:]


def flac_blocks_in(file: bytes) -> list[tuple[int, bytes]]:
    assert file[:4] == b"fLaC"
    blocks, position, is_last = [], 4, False
    while not is_last:
        is_last, kind = bool(file[position] & 128), file[position] & 127
        size = int.from_bytes(file[position + 1 : position + 4], "big")
        blocks.append((kind, file[position + 4 : position + 4 + size]))
        position += 4 + size
    assert file[position] == 0xFF  # the first frame of sound
    return blocks


def id3_frames_in(tag: bytes) -> list[tuple[str, bytes]]:
    frames, position = [], 0
    while position < len(tag):
        name, size, flags = struct.unpack_from(">4sIH", tag, position)
        assert flags == 0
        frames.append((name.decode(), tag[position + 10 : position + 10 + size]))
        position += 10 + size
    return frames


def id3_tag_in(file: bytes) -> bytes:
    magic, version, flags, *sizes = struct.unpack_from(">3sHB4B", file)
    assert (magic, version, flags) == (b"ID3", 0x300, 0)
    assert max(sizes) < 128
    size = sum(part << shift for part, shift in zip(sizes, (21, 14, 7, 0), strict=True))
    assert file[10 + size : 12 + size] == b"\xff\xfb"  # the first frame of sound
    return file[10 : 10 + size]


def id3_text(content: bytes) -> str:
    assert content[:3] == b"\x01\xff\xfe"
    return content[3:].decode("utf-16-le")


def expected_comments() -> list[str]:
    return [
        f"TITLE={TITLE}",
        *("CHAPTER000=00:00:00.000", f"CHAPTER000NAME={HEADINGS[0]}"),
        *("CHAPTER001=00:00:01.000", f"CHAPTER001NAME={HEADINGS[1]}"),
        *("CHAPTER002=00:00:02.500", f"CHAPTER002NAME={HEADINGS[2]}"),
    ]


@needs_libopusenc
def test_opus_has_them_in_the_header_before_the_sound() -> None:
    found = vorbis_comments_in(opus_tags_in(joined("opus")))

    assert [comment for comment in found if not comment.startswith("ENCODER")] == (
        expected_comments()
    )


def test_flac_has_the_same_comments_and_keeps_its_other_blocks() -> None:
    blocks = dict(flac_blocks_in(joined("flac")))
    plain = dict(flac_blocks_in(b"".join(encode([tone(3.0)], Encoding("flac")))))

    assert vorbis_comments_in(blocks[4]) == expected_comments()
    assert blocks.keys() == plain.keys()


def test_mp3_has_a_tag_with_a_table_of_contents() -> None:
    frames = id3_frames_in(id3_tag_in(joined("mp3")))
    chapters = [content for name, content in frames if name == "CHAP"]
    ids = [chapter.partition(b"\0")[0] for chapter in chapters]

    assert [name for name, _ in frames] == ["TIT2", "CTOC", "CHAP", "CHAP", "CHAP"]
    assert id3_text(frames[0][1]) == TITLE
    assert frames[1][1] == b"toc\0\x03\x03" + b"".join(name + b"\0" for name in ids)
    ends_ms = [*STARTS_MS[1:], 3000]
    for chapter, *expected in zip(chapters, HEADINGS, STARTS_MS, ends_ms, strict=True):
        rest = chapter.partition(b"\0")[2]
        ((name, heading),) = id3_frames_in(rest[16:])
        assert name == "TIT2"
        assert [id3_text(heading), *struct.unpack_from(">II", rest)] == expected
        assert rest[8:16] == b"\xff" * 8


@chaptered
def test_the_sound_is_what_it_is_without_them(name: str) -> None:
    clips = [tone(1.5), tone(1.5)]
    plain, _ = decoded(b"".join(encode(clips, Encoding(name))), name, 22_050)
    found, _ = decoded(joined(name), name, 22_050)

    assert found.tolist() == plain.tolist()


@pytest.mark.parametrize("name", ["wav", "pcm", "ulaw", "alaw"])
def test_other_formats_are_as_they_always_were(name: str) -> None:
    encoding = Encoding(name)
    plain = list(encode([tone(1.5), tone(1.5)], encoding))
    found = list(encode_joined([tone(1.5), tone(1.5)], encoding, CHAPTERS, TITLE))

    assert found == plain
    if mend := head_of_file(encoding):
        size_bytes = sum(map(len, found))
        assert mend(found[0], size_bytes) != found[0]


@pytest.mark.parametrize("name", ["wav", "mp3", "flac", "pcm", "ulaw", "alaw"])
def test_with_nothing_to_tell_nothing_is_told(name: str) -> None:
    plain = b"".join(encode([tone(1.5), tone(1.5)], Encoding(name)))

    assert decoded(joined(name, [], ""), name, 8_000)[0].tolist() == (
        decoded(plain, name, 8_000)[0].tolist()
    )
    assert name == "flac" or joined(name, [], "") == plain


@needs_ffprobe
@chaptered
def test_ffprobe_finds_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"book{Encoding(name).suffix}"
    path.write_bytes(joined(name))
    command = ["ffprobe", "-v", "warning", "-show_chapters", "-show_entries"]
    command += ["format_tags:stream_tags", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    found = json.loads(done.stdout)
    chapters = found["chapters"]
    tags = found["streams"][0].get("tags", {}) | found["format"].get("tags", {})

    assert done.stderr == b""
    assert [chapter["tags"]["title"] for chapter in chapters] == HEADINGS
    assert [round(float(chapter["start_time"]) * 1000) for chapter in chapters] == STARTS_MS
    ends = [float(chapter["end_time"]) for chapter in chapters]
    assert ends == pytest.approx([1.0, 2.5, 3.0], abs=0.02)
    assert {key.lower(): value for key, value in tags.items()}["title"] == TITLE


@needs_libopusenc
@needs_ffprobe
def test_a_header_of_many_pages_is_read(tmp_path: Path) -> None:
    chapters = [Chapter(f"Chapter {number} " + "x" * 200, number / 1000) for number in range(1_200)]
    path = tmp_path / "book.opus"
    path.write_bytes(joined("opus", chapters))
    command = ["ffprobe", "-v", "warning", "-show_chapters", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)

    assert len(json.loads(done.stdout)["chapters"]) == 1_000  # three digits have no more
    assert len(vorbis_comments_in(opus_tags_in(path.read_bytes()))) >= 2_001


def test_libsndfile_in_place_of_libopusenc_writes_the_title_only() -> None:
    def nothing() -> ctypes.CDLL | None:
        return None

    comments = vorbis_comments(CHAPTERS, TITLE)
    file = b"".join(opus.encode(stream_of([tone(0.5)]), Encoding("opus"), nothing, comments))
    found = vorbis_comments_in(opus_tags_in(file))

    assert f"TITLE={TITLE}" in found
    assert not any(comment.startswith("CHAPTER") for comment in found)


@needs_libopusenc
def test_opus_leaves_while_the_rest_is_still_to_come() -> None:
    taken: list[Clip] = []

    def speaking() -> Iterator[Clip]:
        for _ in range(100):
            taken.append(tone(0.1))
            yield taken[-1]

    leaving = encode_joined(speaking(), Encoding("opus"), CHAPTERS, TITLE)
    next(leaving)
    next(leaving)
    assert len(taken) <= 5
    leaving.close()


@pytest.mark.parametrize("name", FORMATS)
def test_no_sound_makes_an_error_and_not_a_header(name: str) -> None:
    with pytest.raises(EngineError, match="no sound"):
        next(encode_joined([], Encoding(name), CHAPTERS, TITLE))


def test_comments_have_no_name_for_a_chapter_beyond_99_hours() -> None:
    comments = vorbis_comments([Chapter("a", 359_999.999), Chapter("b", 360_000)], "")

    assert comments == [("CHAPTER000", "99:59:59.999"), ("CHAPTER000NAME", "a")]


def test_the_table_of_contents_of_an_mp3_names_255_chapters() -> None:
    tag = chapter_tag("", [("title", number, number + 1) for number in range(300)])
    frames = id3_frames_in(tag[10:])

    assert frames[0][1][5] == 255
    assert len(frames) == 301


def test_chapters_are_put_in_order_and_the_silent_ones_left_out() -> None:
    chapters = [Chapter("c", 2.0), Chapter("a", 0.0), Chapter("b", 0.0001), Chapter("d", 3.0)]
    spans = [(span.title, span.start_ms, span.end_ms) for span in chapter_spans(chapters, 3.0)]

    assert spans == [("b", 0, 2000), ("c", 2000, 3000)]


@given(st.lists(st.floats(0, 100)), st.floats(0, 100))
def test_spans_follow_one_another_to_the_end(starts_s: list[float], duration_s: float) -> None:
    spans = chapter_spans([Chapter("", start_s) for start_s in starts_s], duration_s)

    assert all(span.start_ms < span.end_ms for span in spans)
    assert [span.end_ms for span in spans] == (
        [span.start_ms for span in spans[1:]] + [round(duration_s * 1000)] * bool(spans)
    )


@given(st.text())
def test_a_title_is_a_line_that_fits(text: str) -> None:
    title = clean_title(text)

    assert len(title.encode()) <= MAX_TITLE_BYTES
    assert title == " ".join(title.split())
    assert not set(title) & set("\0\n\r\x7f")


def test_a_long_title_is_cut_between_characters() -> None:
    title = clean_title("世" * 100)

    assert title == "世" * 82 + "…"


@pytest.mark.parametrize("start_s", [-0.1, float("nan"), float("inf")])
def test_a_chapter_that_begins_at_no_time_is_a_mistake(start_s: float) -> None:
    with pytest.raises(ValueError, match="cannot begin"):
        Chapter("a", start_s)

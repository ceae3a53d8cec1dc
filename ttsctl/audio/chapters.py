"""One file of many clips, with chapters where its format can hold them.

    opus   Vorbis comments in the header before the sound
    flac   the same comments
    mp3    an ID3v2 tag before the sound
    wav, pcm, ulaw, alaw: no chapters and no title

Ogg has no chapters of its own. What players and ffmpeg read are comments CHAPTER000=HH:MM:SS.mmm
and CHAPTER000NAME=title (wiki.xiph.org, "Chapter Extension"). The header leaves before the sound,
so the chapters have to be known beforehand. Where libsndfile stands in for libopusenc an Opus file
gets its title and no chapters.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ttsctl.audio.captions import printable
from ttsctl.audio.encode import encode
from ttsctl.audio.flac_tags import with_comments
from ttsctl.audio.formats import Encoding
from ttsctl.audio.id3 import chapter_tag
from ttsctl.audio.stream import stream_of
from ttsctl.speech import Clip

# What fits into the MP4 atom that holds the least, with a length of one byte. No list of chapters
# shows more.
MAX_TITLE_BYTES = 250

MAX_COMMENT_CHAPTERS = 1_000  # the comments number them with three digits
_COMMENT_END_MS = 100 * 3_600_000  # and their times have two digits for the hours


@dataclass(frozen=True)
class Chapter:
    """The beginning of a part of the sound; it ends where the next one begins.

    Raises:
        ValueError: No sound begins at such a time.
    """

    title: str
    """Any text; what stands in the file is `clean_title` of it."""

    start_s: float
    """Seconds from the beginning of the file."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < math.inf:
            raise ValueError(f"a chapter cannot begin at {self.start_s} s")


@dataclass(frozen=True)
class ChapterSpan:
    """A chapter as it stands in a file."""

    title: str
    start_ms: int
    end_ms: int


def encode_joined(
    clips: Iterable[Clip], encoding: Encoding, chapters: Sequence[Chapter], title: str
) -> Generator[bytes, None, None]:
    """Yield `clips` as one file, as `encode` does, with chapters and title where there is room.

    The first block of a WAV file is to be mended by `head_of_file`, as that of `encode`.

    Args:
        clips: Sound of one sample rate; taken one by one.
        encoding: The format.
        chapters: In any order. Of those that begin in the same millisecond the last stays.
        title: Of the whole file; empty for none.

    Raises:
        EngineError: There is no sound in `clips`; nothing was yielded then.
        OutputError: The encoder failed.
        ValueError: The clips differ in sample rate.
    """
    if encoding.format == "opus":
        comments = vorbis_comments(chapters, title)
        opus = importlib.import_module("ttsctl.audio.opus")
        yield from opus.encode(stream_of(clips), encoding, comments=comments)
    elif encoding.format == "flac":
        with contextlib.closing(encode(clips, encoding)) as blocks:
            yield with_comments(b"".join(blocks), vorbis_comments(chapters, title))
    elif encoding.format == "mp3":
        yield from _encode_mp3(clips, encoding, chapters, title)
    else:
        yield from encode(clips, encoding)


def vorbis_comments(chapters: Iterable[Chapter], title: str) -> list[tuple[str, str]]:
    """Return the comments, by name and value, that tell a title and chapters.

    A chapter after the thousandth, or that begins after 99 hours, has no name there and is left
    out.
    """
    comments = [("TITLE", cleaned)] if (cleaned := clean_title(title)) else []
    for index, (start_ms, name) in enumerate(_placed(chapters)[:MAX_COMMENT_CHAPTERS]):
        if start_ms < _COMMENT_END_MS:
            key = f"CHAPTER{index:03d}"
            comments += [(key, _timestamp(start_ms)), (f"{key}NAME", name)]
    return comments


def chapter_spans(chapters: Iterable[Chapter], duration_s: float) -> list[ChapterSpan]:
    """Return the chapters in order, with their ends, in a file of `duration_s` seconds.

    Those that begin at its end or later are left out: nothing is heard of them.
    """
    end_ms = round(duration_s * 1000)
    placed = [place for place in _placed(chapters) if place[0] < end_ms]
    ends_ms = [*(start_ms for start_ms, _ in placed), end_ms][1:]
    return [
        ChapterSpan(title, start_ms, end_ms)
        for (start_ms, title), end_ms in zip(placed, ends_ms, strict=True)
    ]


def clean_title(text: str) -> str:
    """Return `text` in one line, without control characters, of at most 250 bytes of UTF-8."""
    line = printable(text)
    if len(line.encode()) <= MAX_TITLE_BYTES:
        return line
    room = MAX_TITLE_BYTES - len("…".encode())
    return line.encode()[:room].decode(errors="ignore").rstrip() + "…"


def _placed(chapters: Iterable[Chapter]) -> list[tuple[int, str]]:
    """Return start in ms and title in order; one without a title gets its number."""
    titles = {round(each.start_s * 1000): clean_title(each.title) for each in chapters}
    return [
        (start_ms, titles[start_ms] or str(number))
        for number, start_ms in enumerate(sorted(titles), start=1)
    ]


def _timestamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{milliseconds:03d}"


def _encode_mp3(
    clips: Iterable[Clip], encoding: Encoding, chapters: Sequence[Chapter], title: str
) -> Iterator[bytes]:
    """Put the tag before the sound; MP3 comes all at the end, when its duration is known."""
    duration_s = 0.0

    def heard() -> Iterator[Clip]:
        nonlocal duration_s
        for clip in clips:
            duration_s += clip.duration_s
            yield clip

    with contextlib.closing(encode(heard(), encoding)) as blocks:
        sound = list(blocks)
    spans = chapter_spans(chapters, duration_s)
    listed = [(span.title, span.start_ms, span.end_ms) for span in spans]
    if tag := chapter_tag(clean_title(title), listed):
        yield tag
    yield from sound

"""Audio books: AAC with chapters in an MP4 file, by the program ffmpeg where it is installed.

Nothing that ttsctl depends on encodes AAC. The sound goes to the program through a pipe, in one
pass; a second one copies the encoded sound and adds the chapters, because only then is the end of
the last one known. ffmpeg writes into temporary files beside the target, so that it is whole or not
there at all. A process of ours that is killed leaves them, by names that
`files.remove_leftovers` knows; ffmpeg ends by itself at the end of its input.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ttsctl.audio.chapters import Chapter, ChapterSpan, chapter_spans, clean_title
from ttsctl.audio.ffmpeg import Run, find_ffmpeg
from ttsctl.audio.stream import Stream, stream_of
from ttsctl.errors import InvalidRequestError, OutputError
from ttsctl.files import reason, sync
from ttsctl.speech import SAMPLE_BYTES, Clip

M4B_SUFFIX = ".m4b"
MIN_BITRATE_BPS, MAX_BITRATE_BPS = 16_000, 320_000
DEFAULT_BITRATE_BPS = 64_000  # AAC-LC at the rates of the voices; what audio books usually have

_BOX = struct.Struct(">I4sQ")  # size and kind, and the size of one over 4 GiB
_BOX_HEAD_BYTES = 8
_STALL_S = 300.0  # copying a day of speech to a slow disk takes a minute
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "=;#\\\n"})


def write_m4b(
    path: Path, clips: Iterable[Clip], chapters: Sequence[Chapter], title: str, bitrate_bps: int
) -> int:
    """Write `clips` to `path` by the ffmpeg on the user's PATH; `Ffmpeg.write_m4b` has the rest."""
    return Ffmpeg().write_m4b(path, clips, chapters, title, bitrate_bps)


@dataclass(frozen=True)
class Ffmpeg:
    """The program ffmpeg, and how long it is waited for."""

    program: str = "ffmpeg"
    """Its name, looked for in PATH, or its path."""

    stall_s: float = _STALL_S
    """How long it may take no sound, and how long it may take to end after the last."""

    def write_m4b(
        self,
        path: Path,
        clips: Iterable[Clip],
        chapters: Sequence[Chapter],
        title: str,
        bitrate_bps: int,
    ) -> int:
        """Write `clips` as an audio book, whole or not at all, and return its size in bytes.

        A file that is there is replaced. The sound is never held as a whole, and the samples come
        back from the file within 2 ms of where they were.

        Args:
            path: The file to make; its folder must exist.
            clips: Sound of one sample rate; taken one by one. What it raises ends ffmpeg and
                leaves no file.
            chapters: In any order; those that begin after the end are left out.
            title: Of the book; empty for none.
            bitrate_bps: Of the AAC stream, in [16,000, 320,000]. ffmpeg lowers what the sample
                rate has no room for.

        Raises:
            InvalidRequestError: The bit rate is out of range.
            EngineError: There is no sound in `clips`.
            OutputError: ffmpeg is missing, failed, died or stood still, or the file cannot be
                written.
            ValueError: The clips differ in sample rate.
        """
        _check_bitrate(bitrate_bps)
        program = find_ffmpeg(self.program)
        stream = stream_of(clips)
        try:
            path = path.resolve()  # the target of a link is replaced, not the link
            if path.exists() and not path.is_file():
                raise OutputError(f"cannot write {path}: what is there is not a plain file")
            with _part_of(path) as sound, _part_of(path) as book:
                duration_s = self._encode([program, *_encoding(stream, bitrate_bps, sound)], stream)
                self._add_chapters(
                    program, sound, book, _described(title, chapter_spans(chapters, duration_s))
                )
                return _publish(book, path)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {reason(error)}") from error

    def _encode(self, command: list[str], stream: Stream) -> float:
        """Have ffmpeg read the sound, and return how many seconds it was."""
        size_bytes = 0
        with Run(command, self.stall_s) as run:
            for block in stream.blocks:
                run.feed(block)
                size_bytes += len(block)
            run.finish()
        return size_bytes / SAMPLE_BYTES / stream.sample_rate

    def _add_chapters(self, program: str, sound: Path, book: Path, description: str) -> None:
        with tempfile.TemporaryDirectory(prefix="ttsctl-") as folder:
            chapters = Path(folder) / "chapters.txt"
            chapters.write_text(description, encoding="utf-8")
            with Run([program, *_copying(sound, chapters, book)], self.stall_s) as run:
                run.finish()


def _check_bitrate(bitrate_bps: int) -> None:
    if not MIN_BITRATE_BPS <= bitrate_bps <= MAX_BITRATE_BPS:
        raise InvalidRequestError(
            f"bit rate {bitrate_bps} bit/s is out of range for m4b; "
            f"possible: {MIN_BITRATE_BPS} to {MAX_BITRATE_BPS}"
        )


# In both: an error is told in a line, nothing is asked of the terminal, and a name can be neither
# an option nor an address. Without -xerror ffmpeg 5.1 ends with exit code 0 on a disk that is full.
# The muxer is named, because the temporary files have no suffix that says it; "ipod" is what ffmpeg
# calls the kind of MP4 that .m4a and .m4b files are.
_QUIETLY = ("-nostdin", "-hide_banner", "-v", "error", "-xerror", "-y")
_AS_MP4 = ("-f", "ipod")


def _encoding(stream: Stream, bitrate_bps: int, target: Path) -> list[str]:
    source = ("-f", "s16le", "-ar", str(stream.sample_rate), "-ac", "1", "-i", "pipe:0")
    return [*_QUIETLY, *source, "-c:a", "aac", "-b:a", str(bitrate_bps), *_AS_MP4, f"file:{target}"]


def _copying(sound: Path, chapters: Path, target: Path) -> list[str]:
    sources = ("-i", f"file:{sound}", "-f", "ffmetadata", "-i", f"file:{chapters}")
    maps = ("-map", "0:a", "-map_metadata", "1", "-map_chapters", "1", "-c", "copy")
    # The index comes before the sound, so that a player need not have the end to begin.
    return [*_QUIETLY, *sources, *maps, "-movflags", "+faststart", *_AS_MP4, f"file:{target}"]


def _described(title: str, spans: Iterable[ChapterSpan]) -> str:
    """Return the file that tells ffmpeg of title and chapters ("Metadata" in ffmpeg's manual)."""
    lines = [";FFMETADATA1", "genre=Audiobook"]
    if cleaned := clean_title(title):
        lines += [f"title={cleaned.translate(_SPECIAL)}", f"album={cleaned.translate(_SPECIAL)}"]
    for span in spans:
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={span.start_ms}", f"END={span.end_ms}"]
        lines.append(f"title={span.title.translate(_SPECIAL)}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """Make an empty temporary file beside `path`, with the permissions of a new file."""
    part = path.parent / f".{path.name[:100]}.{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    os.close(os.open(part, flags, 0o666))
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _publish(part: Path, path: Path) -> int:
    """Give the finished file its name, on disk before and after; return its size in bytes."""
    if not _is_whole(part):
        raise OutputError(
            f"cannot write {path}: ffmpeg left out a part; see whether the disk is full"
        )
    sync(part)
    size_bytes = part.stat().st_size
    part.replace(path)
    sync(path.parent)
    return size_bytes


def _is_whole(part: Path) -> bool:
    """Whether its boxes, index and sound among them, end where the file does (ISO 14496-12, 4.2).

    The exit code is not enough: versions of ffmpeg differ in which failure to write they heed.
    """
    kinds, position, file_bytes = set(), 0, part.stat().st_size
    with part.open("rb") as file:
        while position < file_bytes:
            file.seek(position)
            size, kind, long_size = _BOX.unpack(file.read(_BOX.size).ljust(_BOX.size, b"\0"))
            size = long_size if size == 1 else size
            if size < _BOX_HEAD_BYTES:
                return False
            kinds.add(kind)
            position += size
    return position == file_bytes and kinds >= {b"moov", b"mdat"}

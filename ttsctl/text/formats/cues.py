"""Subtitles: SubRip and WebVTT, each cue a row with its times.

WebVTT: https://www.w3.org/TR/webvtt1/, section 4. SubRip has no specification; this is what
Matroska writes down (https://www.matroska.org/technical/subtitles.html) and what players take
besides: no indices, blank lines inside a cue (it goes on to the next time), none between cues, a
dot for the comma, hours left out, styling tags of WebVTT and `{\\an8}` of SubStation Alpha.

Stricter than a player is only what would be spoken at the wrong time: cues that overlap, are out
of order, do not last, or have a time that cannot be read are errors, and leave the others alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ttsctl.errors import InvalidRequestError
from ttsctl.text.formats.lines import MAX_LINE_CHARS, TOO_LONG, read_lines
from ttsctl.text.formats.tags import unescape
from ttsctl.text.rows import Row, RowError, Rows

_MAX_MS = (
    100 * 3_600_000
)  # a hundred hours: beyond, a time is a slip, and joining would fill a disk

_TIME = r"(-?)(?:(\d{1,9}):)?(\d\d?):(\d\d?)(?:[,.](\d{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?", re.ASCII | re.DOTALL)
_COMMENTS = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")
_SIGNATURE = re.compile(r"WEBVTT(\s|$)")
_INDEX = re.compile(r"\d+", re.ASCII)

_RUBY_TEXT = re.compile(r"<rt(?:[\s.][^<>]*)?>.*?(?:</rt>|(?=</ruby>)|$)", re.DOTALL)
_SUBSTATION = re.compile(r"\{\\[^{}]*\}")
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>")
# In SubRip "<sighs>" is text.
_STYLE_TAG = re.compile(r"</?(?:[bicsuv]|font|lang|ruby)(?:[\s.][^<>]*)?/?>|<\d[\d:.]*>", re.I)


@dataclass
class _Cue:
    """A cue as its lines come; before the first time, what is no cue."""

    line: int
    times: tuple[int, int] | str | None = None
    """Start and end in ms; what is wrong with them; None where there are none."""

    lines: list[str] = field(default_factory=list)
    length: int = 0

    is_comment: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether nothing was read of it yet."""
        return not (self.times or self.length)

    @property
    def is_something(self) -> bool:
        """Whether it is a cue, or text that ought to be in one."""
        return not (self.is_blank or self.is_comment)

    def add(self, number: int, line: str | None) -> None:
        """Take a line of text; None for one that is too long."""
        if self.is_blank:
            self.line = number
        self.length += len(line) if line else MAX_LINE_CHARS + 1
        if line and self.length <= MAX_LINE_CHARS:
            self.lines.append(line)

    def take_off_index(self) -> None:
        """Take off the last line where it is a number, which is that of the next cue."""
        if self.lines and self.length <= MAX_LINE_CHARS and _INDEX.fullmatch(self.lines[-1]):
            self.length -= len(self.lines.pop())


def cue_rows(pieces: Iterable[str], name: str, kind: Literal["srt", "vtt"]) -> Rows:
    """Yield a row for every cue, in order; its line is that of its times.

    Raises:
        InvalidRequestError: WebVTT without its signature; `name` is the source, for the message.
    """
    lines = read_lines(pieces)
    cues = _webvtt_cues(lines, name) if kind == "vtt" else _subrip_cues(lines)
    tag = _ANY_TAG if kind == "vtt" else _STYLE_TAG
    end_ms = 0  # of the last cue that can be used
    for cue in cues:
        row = _row(cue, tag, end_ms)
        if isinstance(cue.times, tuple) and isinstance(row, Row):
            end_ms = cue.times[1]
        yield row


def _webvtt_cues(lines: Iterator[tuple[int, str | None]], name: str) -> Iterator[_Cue]:
    number, line = next(lines, (1, ""))
    if line is None or not _SIGNATURE.match(line):
        raise InvalidRequestError(f"{name} line {number}: no header; WebVTT begins with WEBVTT")
    cue = _Cue(number, lines=[line], length=len(line), is_comment=True)  # up to a blank line
    for number, line in itertools.chain(lines, [(0, "")]):
        text = line if line is None else line.strip()
        if text and "-->" in text:
            if cue.times:
                yield cue
            cue = _Cue(number, _times(text))  # what stood above without a time is its name
        elif text == "":
            if cue.is_something:
                yield cue
            cue = _Cue(number)
        else:
            cue.is_comment |= cue.is_blank and bool(text and _COMMENTS.match(text))
            cue.add(number, text)


def _subrip_cues(lines: Iterator[tuple[int, str | None]]) -> Iterator[_Cue]:
    cue, is_apart = _Cue(1), True  # whether a blank line stands before the cue's last
    last_line = blank_line = 0
    for number, line in lines:
        text = line if line is None else line.strip()
        if text and "-->" in text:
            # "1999" below its times is what is said, and not the next cue's index.
            if is_apart or (last_line == number - 1 and len(cue.lines) > 1):
                cue.take_off_index()
            if cue.is_something:
                yield cue
            cue, is_apart = _Cue(number, _times(text)), False
        elif text == "":
            blank_line = number
        else:
            cue.add(number, text)
            last_line, is_apart = number, blank_line == number - 1
    if cue.is_something:
        yield cue


def _times(line: str) -> tuple[int, int] | str:
    found = _TIMES.fullmatch(line)
    if not found:
        return "no times that can be read; they are 00:00:01,000 --> 00:00:02,500"
    parts = found.groups(default="")
    start_ms, end_ms = _milliseconds(parts[:5]), _milliseconds(parts[5:])
    if start_ms is None or end_ms is None:
        return "a time that cannot be: minutes and seconds go to 59, and none is negative"
    if end_ms <= start_ms:
        return "the cue ends before it starts" if end_ms < start_ms else "the cue lasts no time"
    if end_ms > _MAX_MS:
        return "the cue is beyond 100 hours"
    return start_ms, end_ms


def _milliseconds(parts: tuple[str, ...]) -> int | None:
    sign, hours, minutes, seconds, fraction = parts
    if sign or int(minutes) > 59 or int(seconds) > 59:
        return None
    whole_s = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole_s * 1000 + int(fraction.ljust(3, "0"))


def _row(cue: _Cue, tag: re.Pattern[str], end_ms: int) -> Row | RowError:
    if cue.times is None:
        return RowError(cue.line, "text without a time")
    if isinstance(cue.times, str):
        return RowError(cue.line, cue.times)
    if cue.length > MAX_LINE_CHARS:
        return RowError(cue.line, f"the text of the cue is {TOO_LONG}")
    if cue.times[0] < end_ms:
        return RowError(cue.line, "the cue starts before the one above it ends")
    text = _SUBSTATION.sub("", _RUBY_TEXT.sub("", " ".join(cue.lines)))
    text = " ".join(unescape(tag.sub("", text)).split())
    start_s, end_s = (moment_ms / 1000 for moment_ms in cue.times)
    return Row(cue.line, text, start_s=start_s, end_s=end_s)

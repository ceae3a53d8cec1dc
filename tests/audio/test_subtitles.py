"""Subtitles, read back by a strict reader of our own and by ffmpeg."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ttsctl.audio.captions import LINE_COLUMNS, captions, printable
from ttsctl.audio.subtitles import Cue, SubtitleFormat, subtitle_format_of, subtitles
from ttsctl.errors import InvalidRequestError
from ttsctl.speech import Word

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
shown_formats = pytest.mark.parametrize("name", ["srt", "vtt"])

FOX = (
    "The quick brown fox jumps over the lazy dog, while twenty-seven lazy dogs sleep on the mat "
    "and dream of foxes that never jump over anything at all."
)


@dataclass(frozen=True)
class Shown:
    """A cue of a file, as a reader finds it."""

    start_ms: int
    end_ms: int
    text: str


def written(cues: list[Cue], name: SubtitleFormat) -> str:
    return "".join(subtitles(cues, name))


def read_strictly(file: str, name: str) -> list[Shown]:
    """Read a file by the letter: any line that should not be there is an error."""
    file.encode()
    assert "\r" not in file
    header = "WEBVTT\n\n" if name == "vtt" else ""
    assert file.startswith(header)
    blocks = file[len(header) :].split("\n\n")
    assert blocks.pop() == ""
    shown = []
    for number, block in enumerate(blocks, start=1):
        lines = block.split("\n")
        if name == "srt":
            assert lines.pop(0) == str(number)
        start, arrow, end = lines.pop(0).split(" ")
        assert arrow == "-->"
        assert lines
        assert all(line.strip() and "-->" not in line for line in lines)
        text = "\n".join(lines)
        if name == "vtt":
            assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", text)
            text = html.unescape(text)
        shown.append(Shown(_milliseconds(start, name), _milliseconds(end, name), text))
    return shown


def _milliseconds(moment: str, name: str) -> int:
    point = "," if name == "srt" else r"\."
    found = re.fullmatch(rf"(\d\d):([0-5]\d):([0-5]\d){point}(\d\d\d)", moment)
    assert found
    hours, minutes, seconds, milliseconds = map(int, found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def squeezed(text: str) -> str:
    return "".join(printable(text).split())


moments = st.floats(0, 300_000)
anything = st.text(max_size=300)
harmless = st.text(st.characters(exclude_characters="<>{-"), max_size=300)
speech = st.lists(st.text("abcdef,.é我们、。 ", min_size=1, max_size=60), max_size=12).map(" ".join)


def cues_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[Cue]]:
    def build(times: tuple[float, float], text: str, is_timed: bool) -> Cue:
        start_s, end_s = sorted(times)
        tokens = text.split() if is_timed else []
        step_s = (end_s - start_s) / max(1, len(tokens))
        words = tuple(
            Word(token, start_s + at * step_s, start_s + (at + 0.9) * step_s)
            for at, token in enumerate(tokens)
        )
        return Cue(start_s, end_s, text, words)

    return st.lists(st.builds(build, st.tuples(moments, moments), texts, st.booleans()), max_size=8)


@shown_formats
@given(cues=cues_of(anything))
@example(cues=[Cue(0.0004, 0.0004, "a"), Cue(0.0004, 0.0005, "b"), Cue(0, 0, "c")])
@example(cues=[Cue(0, 1, "\n\n a\n\n\nb \x00\x85\u2028c\r\n\r\n1\n00:00:01,000 --> 00:00:02,000")])
@example(cues=[Cue(0, 1, "\ud800 half a pair"), Cue(1, 2, "WEBVTT"), Cue(2, 3, "NOTE --->")])
def test_times_are_in_order_and_never_overlap(name: SubtitleFormat, cues: list[Cue]) -> None:
    end_ms = 0
    for shown in read_strictly(written(cues, name), name):
        assert end_ms <= shown.start_ms < shown.end_ms
        end_ms = shown.end_ms


@given(cues=cues_of(anything))
def test_webvtt_keeps_every_character_but_white_space(cues: list[Cue]) -> None:
    found = read_strictly(written(cues, "vtt"), "vtt")

    assert squeezed("".join(shown.text for shown in found)) == squeezed(
        "".join(cue.text for cue in cues)
    )


@given(cues=cues_of(harmless))
def test_srt_keeps_every_character_that_is_not_markup(cues: list[Cue]) -> None:
    found = read_strictly(written(cues, "srt"), "srt")

    assert squeezed("".join(shown.text for shown in found)) == squeezed(
        "".join(cue.text for cue in cues)
    )


@given(cues=cues_of(anything))
def test_json_keeps_texts_and_words_as_they_are(cues: list[Cue]) -> None:
    end_s = 0.0
    found = json.loads(written(cues, "json"))["cues"]
    kept = [cue for cue in cues if printable(cue.text)]

    assert [len(cue["words"]) for cue in found] == [len(cue.words) for cue in kept]
    for cue, original in zip(found, kept, strict=True):
        assert cue["text"] == original.text.encode(errors="replace").decode()
        assert end_s <= cue["start_s"] < cue["end_s"]
        moments = [moment for word in cue["words"] for moment in (word["start_s"], word["end_s"])]
        assert moments == sorted(moments)
        assert all(cue["start_s"] <= moment <= cue["end_s"] for moment in moments)
        end_s = cue["end_s"]


@given(text=speech)
def test_a_caption_has_two_lines_of_42_columns_at_most(text: str) -> None:
    for shown in captions(Cue(0, 10, text)):
        lines = shown.text.split("\n")
        assert len(lines) <= 2
        for line in lines:
            assert line == line.strip() != ""
            assert sum(2 if character in "我们、。" else 1 for character in line) <= LINE_COLUMNS


@given(cues=cues_of(speech))
def test_the_captions_of_a_cue_fill_it_without_a_gap(cues: list[Cue]) -> None:
    for cue in cues:
        shown = list(captions(cue))
        for before, after in itertools.pairwise(shown):
            assert before.end_s == after.start_s
        if shown:
            assert (shown[0].start_s, shown[-1].end_s) == (cue.start_s, cue.end_s)


def test_srt_looks_as_subrip_writes_it() -> None:
    cues = [Cue(0, 1.5, "Hello\nworld"), Cue(3661.0426, 3662, "Bye.")]

    assert written(cues, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello world\n\n"
        "2\n01:01:01,043 --> 01:01:02,000\nBye.\n\n"
    )


def test_webvtt_looks_as_the_standard_has_it() -> None:
    assert written([Cue(0, 1.5, "Q&A: <b>a</b> --> b")], "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nQ&amp;A: &lt;b&gt;a&lt;/b&gt; --&gt; b\n\n"
    )


def test_json_is_one_object() -> None:
    cue = Cue(0.5, 1.5, "Hello world.", (Word("Hello", 0.51234, 0.9), Word("world.", 0.9, 1.6)))

    assert json.loads(written([cue], "json")) == {
        "cues": [
            {
                "start_s": 0.5,
                "end_s": 1.5,
                "text": "Hello world.",
                "words": [
                    {"text": "Hello", "start_s": 0.512, "end_s": 0.9},
                    {"text": "world.", "start_s": 0.9, "end_s": 1.5},
                ],
            }
        ]
    }
    assert json.loads(written([], "json")) == {"cues": []}


def test_what_is_markup_in_srt_is_written_so_that_it_is_none() -> None:
    text = r"{\an8}up <i>no</i> a < b ---> c"

    assert read_strictly(written([Cue(0, 1, text)], "srt"), "srt")[0].text == (
        r"(\an8}up ‹i>no‹/i> a ‹ b -> c"
    )


def test_pieces_leave_as_soon_as_their_cue_was_taken() -> None:
    taken = []

    def speaking() -> Iterator[Cue]:
        for second in range(100):
            taken.append(second)
            yield Cue(second, second + 1, "one")

    leaving = subtitles(speaking(), "srt")
    next(leaving)
    assert len(taken) == 1


def test_a_long_text_is_shown_in_lines_of_about_one_length() -> None:
    shown = [caption.text.split("\n") for caption in captions(Cue(0, 10, FOX))]
    lengths = [len(line) for lines in shown for line in lines]

    assert len(shown) == 2
    assert max(lengths) - min(lengths) <= 8
    assert " ".join(line for lines in shown for line in lines) == FOX


def test_without_words_time_is_shared_out_by_characters() -> None:
    first, second = captions(Cue(10, 20, FOX))
    share = FOX.index(second.text.split()[0], len(first.text)) / len(FOX)

    assert second.start_s == pytest.approx(10 + 10 * share)


def test_with_words_a_caption_begins_with_its_first_word() -> None:
    """The second half is spoken much faster than the first."""
    tokens = FOX.split()
    words = tuple(
        Word(token, start_s := (at if at < 20 else 20 + (at - 20) / 100), start_s)
        for at, token in enumerate(tokens)
    )
    first, second = captions(Cue(0, 30, FOX, words))

    assert second.start_s == words[len(first.text.split())].start_s


def test_words_that_are_not_in_the_text_do_no_harm() -> None:
    tokens = FOX.split()
    words = [Word(token, at, at) for at, token in enumerate(tokens)]
    words[3:3] = [Word("unheard", 3, 3)] * 20
    del words[25:30]
    first, second = captions(Cue(0, 30, FOX, tuple(words)))

    assert second.start_s == pytest.approx(len(first.text.split()), abs=2)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("x" * 100, ["x" * 42, "x" * 42, "x" * 16], id="a word wider than a line"),
        pytest.param(
            "长" * 11 + "。" + "长" * 10,
            ["长" * 11 + "。", "长" * 10],
            id="no line begins with a full stop",
        ),
        pytest.param("e\u0301" * 50, ["e\u0301" * 42, "e\u0301" * 8], id="marks stay"),
    ],
)
def test_a_text_without_spaces_is_broken_where_it_may_be(text: str, lines: list[str]) -> None:
    found = [line for shown in captions(Cue(0, 1, text)) for line in shown.text.split("\n")]

    assert found == lines


@pytest.mark.parametrize("times", [(2, 1), (-1, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_cue_at_no_time_is_a_mistake(times: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="a cue cannot last"):
        Cue(*times, "text")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        *(("srt", "srt"), (".vtt", "vtt"), ("JSON", "json"), ("a/talk.SRT", "srt")),
        (Path("talk.en.vtt"), "vtt"),
    ],
)
def test_the_suffix_or_the_name_tells_the_format(target: str | Path, name: str) -> None:
    assert subtitle_format_of(target) == name


@pytest.mark.parametrize("target", ["talk.ass", "talk", "", "srt/talk"])
def test_an_unknown_format_is_refused_with_those_there_are(target: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"known: srt, vtt, json"):
        subtitle_format_of(target)


@needs_ffmpeg
@shown_formats
def test_ffmpeg_reads_what_was_written(name: SubtitleFormat, tmp_path: Path) -> None:
    cues = [
        *(Cue(0, 1, "42"), Cue(1, 1, "WEBVTT"), Cue(1.2, 2.4567, "Q&A: <3 <b>bold</b> 1 < 2")),
        *(Cue(3, 4, "a ---> b\n\n\n7\n00:00:01,000 --> 00:00:02,000"), Cue(4, 5, r"{\an8}top")),
        *(Cue(5, 15, FOX), Cue(15, 16, "Ünï 💖 世界"), Cue(359_990, 359_999, "late")),
    ]
    path = tmp_path / f"talk.{name}"
    path.write_text(written(cues, name))
    command = ["ffmpeg", "-v", "warning", "-i", str(path), "-f", "srt", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    made = done.stdout.decode().replace("\r\n", "\n")
    expected = read_strictly(path.read_text(), name)

    assert done.stderr == b""
    found = [
        Shown(_milliseconds(start, "srt"), _milliseconds(end, "srt"), text)
        for start, end, text in re.findall(r"\d+\n(\S+) --> (\S+)\n(.*?)\n\n", made, re.DOTALL)
    ]
    assert [(each.start_ms, each.end_ms) for each in found] == [
        (each.start_ms, each.end_ms) for each in expected
    ]
    # The SRT that ffmpeg writes has a command of SubStation Alpha with its braces escaped.
    assert [each.text.replace("\\{", "{").replace("\\}", "}") for each in found] == [
        each.text for each in expected
    ]

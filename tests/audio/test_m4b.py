"""Audio books by ffmpeg, and what becomes of the file when ffmpeg or the sound fails."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audio.sounds import level, samples_of, tone
from ttsctl.audio.chapters import Chapter
from ttsctl.audio.m4b import DEFAULT_BITRATE_BPS, Ffmpeg, write_m4b
from ttsctl.errors import EngineError, InvalidRequestError, OutputError
from ttsctl.speech import Clip

needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="ffmpeg is not installed"
)

TITLE = "Ein = Buch; #1 \\ 世界 💖"
CHAPTERS = [Chapter("Kapitel = 2; #\\\n Ünï", 1.0), Chapter("[CHAPTER]", 0.0), Chapter("", 2.5)]


def book(path: Path, clips: list[Clip] | Iterator[Clip], ffmpeg: Ffmpeg | None = None) -> int:
    ffmpeg = ffmpeg or Ffmpeg()
    return ffmpeg.write_m4b(path, clips, CHAPTERS, TITLE, DEFAULT_BITRATE_BPS)


def probed(path: Path) -> Any:
    command = ["ffprobe", "-v", "error", "-show_chapters", "-show_streams", "-show_format"]
    done = subprocess.run(
        [*command, "-of", "json", f"file:{path}"], capture_output=True, check=True
    )
    assert done.stderr == b""
    return json.loads(done.stdout)


def fake(folder: Path, script: str, stall_s: float = 30.0) -> Ffmpeg:
    """Return a stand-in for ffmpeg, a shell script."""
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Ffmpeg(str(program), stall_s)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "book.m4b").write_bytes(b"old")
    return folder


def left_as_it_was(folder: Path) -> bool:
    return os.listdir(folder) == ["book.m4b"] and (folder / "book.m4b").read_bytes() == b"old"


@needs_ffmpeg
def test_a_book_has_its_sound_its_title_and_its_chapters(folder: Path) -> None:
    path = folder / "book.m4b"
    size_bytes = write_m4b(path, [tone(1.5), tone(1.5)], CHAPTERS, TITLE, 48_000)
    found = probed(path)
    chapters = found["chapters"]

    assert os.listdir(folder) == ["book.m4b"]
    assert size_bytes == path.stat().st_size
    assert found["streams"][0]["codec_name"] == "aac"
    assert found["streams"][0]["sample_rate"] == "22050"
    assert float(found["format"]["duration"]) == pytest.approx(3.0, abs=0.01)
    assert found["format"]["tags"]["title"] == TITLE
    assert [chapter["tags"]["title"] for chapter in chapters] == [
        *("[CHAPTER]", "Kapitel = 2; #\\ Ünï", "3")
    ]
    assert [chapter["start_time"] for chapter in chapters] == ["0.000000", "1.000000", "2.500000"]
    assert [chapter["end_time"] for chapter in chapters] == ["1.000000", "2.500000", "3.000000"]


@needs_ffmpeg
@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 24_000, 48_000])
def test_the_sound_is_where_it_was(folder: Path, sample_rate: int) -> None:
    """A chapter or a subtitle would else be early or late by the delay of the encoder, 50 ms."""
    clips = [Clip(bytes(sample_rate), sample_rate), tone(0.5, sample_rate), tone(0.5, sample_rate)]
    clips[2] = Clip(bytes(len(clips[2].pcm)), sample_rate)
    book(folder / "book.m4b", clips)
    command = ["ffmpeg", "-v", "error", "-i", str(folder / "book.m4b"), "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    samples = np.frombuffer(done.stdout, "<i2").astype(float)
    loud = np.flatnonzero(np.abs(samples) > 8_000) / sample_rate

    assert loud[0] == pytest.approx(0.5, abs=0.003)
    assert loud[-1] == pytest.approx(1.0, abs=0.003)
    middle = samples[int(0.6 * sample_rate) : int(0.9 * sample_rate)].astype(np.int16)
    assert level(middle) == pytest.approx(level(samples_of(tone(0.3, sample_rate))), rel=0.1)


@needs_ffmpeg
def test_the_index_comes_before_the_sound(folder: Path) -> None:
    book(folder / "book.m4b", [tone(0.5)])
    file = (folder / "book.m4b").read_bytes()

    assert file.index(b"moov") < file.index(b"mdat")


@needs_ffmpeg
def test_a_book_may_have_more_chapters_than_a_byte_can_count(folder: Path) -> None:
    chapters = [Chapter(f"Chapter {number}", number / 100) for number in range(300)]
    write_m4b(folder / "book.m4b", [tone(3.0)], chapters, "", 32_000)
    found = probed(folder / "book.m4b")

    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == [
        chapter.title for chapter in chapters
    ]
    assert "title" not in found["format"]["tags"]


@needs_ffmpeg
def test_a_book_may_have_no_chapter(folder: Path) -> None:
    write_m4b(folder / "book.m4b", [tone(0.5)], [], TITLE, 32_000)

    assert probed(folder / "book.m4b")["chapters"] == []


@needs_ffmpeg
@pytest.mark.parametrize(
    "name", ["-y.m4b", "pipe:1.m4b", "a:b%d'\" $HOME.m4b", "ä\n.m4b", "no suffix"]
)
def test_a_name_is_never_an_option_or_an_address(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    book(Path(name), [tone(0.1)])

    assert sorted(os.listdir(folder)) == sorted(["book.m4b", name])


@needs_ffmpeg
def test_the_mode_is_what_the_umask_says(folder: Path) -> None:
    old = os.umask(0o027)
    try:
        book(folder / "new.m4b", [tone(0.1)])
    finally:
        os.umask(old)

    assert stat.S_IMODE((folder / "new.m4b").stat().st_mode) == 0o640


@needs_ffmpeg
def test_the_target_of_a_link_is_replaced_and_the_link_stays(folder: Path) -> None:
    link = folder / "link.m4b"
    link.symlink_to(folder / "book.m4b")
    book(link, [tone(0.1)])

    assert link.is_symlink()
    assert (folder / "book.m4b").read_bytes() != b"old"


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB, where this user may mount one."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@needs_ffmpeg
@pytest.mark.parametrize("duration_s", [14.0, 22.0, 26.0, 60.0])
def test_a_full_disk_is_told_in_the_words_of_ffmpeg(small_disk: Path, duration_s: float) -> None:
    """In the second pass and in the first; ffmpeg 5.1 ends with exit code 0 in some of them."""
    with pytest.raises(OutputError, match=r"ffmpeg failed \(exit code \d+\): .*No space left"):
        book(small_disk / "book.m4b", [tone(duration_s)])
    assert os.listdir(small_disk) == []


@pytest.mark.parametrize("bitrate_bps", [-1, 0, 15_999, 320_001])
def test_a_bit_rate_out_of_range_is_refused(folder: Path, bitrate_bps: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"bit rate {bitrate_bps} .*16000 to 320000"):
        write_m4b(folder / "book.m4b", [tone(0.1)], CHAPTERS, TITLE, bitrate_bps)
    assert left_as_it_was(folder)


@needs_ffmpeg
def test_an_error_of_the_engine_ends_ffmpeg_and_leaves_nothing(folder: Path) -> None:
    def failing() -> Iterator[Clip]:
        yield tone(1.0)
        raise EngineError("the engine died")

    with pytest.raises(EngineError, match="the engine died"):
        book(folder / "book.m4b", failing())
    assert left_as_it_was(folder)


def test_without_ffmpeg_the_message_says_what_to_do(folder: Path) -> None:
    with pytest.raises(OutputError, match=r"needs the program missing-ffmpeg.*install ffmpeg"):
        book(folder / "book.m4b", [tone(0.1)], Ffmpeg("missing-ffmpeg"))
    assert left_as_it_was(folder)


def test_no_sound_is_an_error_before_anything_is_started(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no sound"):
        book(folder / "book.m4b", [], fake(tmp_path, "exit 1"))
    assert left_as_it_was(folder)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(
            "echo one >&2; echo 'no encoder aac' >&2; echo 'Conversion failed!' >&2; exit 1",
            r"ffmpeg failed \(exit code 1\): no encoder aac$",
            id="it fails at once",
        ),
        pytest.param(
            "cat >/dev/null; exit 3", r"\(exit code 3\): it did not say why", id="silently"
        ),
        pytest.param("head -c 9 >/dev/null; kill -9 $$", r"\(killed by signal 9\)", id="killed"),
        pytest.param("exit 0", "stopped before the end of the sound", id="it ends too early"),
        pytest.param(
            "head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; cat >/dev/null; exit 1",
            r"exit code 1\): x{200}$",
            id="it says more than a pipe holds",
        ),
        pytest.param(
            "head -c 300000 /dev/zero; cat >/dev/null; exit 1", "did not say", id="on stdout"
        ),
    ],
)
def test_a_failure_of_ffmpeg_is_an_output_error_and_leaves_nothing(
    folder: Path, tmp_path: Path, script: str, message: str
) -> None:
    clips = [tone(1.0) for _ in range(20)]  # more than a pipe holds
    with pytest.raises(OutputError, match=message):
        book(folder / "book.m4b", clips, fake(tmp_path, script))
    assert left_as_it_was(folder)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("exec sleep 60", id="it reads nothing"),
        pytest.param("cat >/dev/null; exec sleep 60", id="it does not end"),
        pytest.param("exec <&-; exec sleep 60", id="it closes its stdin"),
    ],
)
def test_an_ffmpeg_that_stands_still_is_ended(folder: Path, tmp_path: Path, script: str) -> None:
    started = time.monotonic()
    ffmpeg = fake(tmp_path, f"echo $$ > {tmp_path}/process; {script}", stall_s=0.3)
    with pytest.raises(OutputError, match=r"ffmpeg stood still for 0\.3 s and was ended"):
        book(folder / "book.m4b", [tone(1.0) for _ in range(20)], ffmpeg)

    assert time.monotonic() - started < 10
    assert left_as_it_was(folder)
    group = int((tmp_path / "process").read_text())
    assert not _is_group_alive(group)


def test_an_ffmpeg_at_work_is_ended_when_the_sound_fails(folder: Path, tmp_path: Path) -> None:
    ffmpeg = fake(tmp_path, f"echo $$ > {tmp_path}/process; cat >/dev/null; exec sleep 60")

    def failing() -> Iterator[Clip]:
        for _ in range(20):
            yield tone(1.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book(folder / "book.m4b", failing(), ffmpeg)
    assert left_as_it_was(folder)
    assert not _is_group_alive(int((tmp_path / "process").read_text()))


def test_a_failure_of_the_second_pass_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    script = "case \"$*\" in *ffmetadata*) echo 'disk full' >&2; exit 1;; esac; cat >/dev/null"
    with pytest.raises(OutputError, match="disk full"):
        book(folder / "book.m4b", [tone(0.1)], fake(tmp_path, script))
    assert left_as_it_was(folder)


BOXES = b"\0\0\0\x0bftypM4A" + b"\0\0\0\x08moov" + b"\0\0\0\x0amdat12" + b"\0\0\0\x08free"
LONG_BOXES = b"\0\0\0\x08moov" + b"\0\0\0\x01mdat" + (18).to_bytes(8, "big") + b"12"


def writing(folder: Path, file: bytes) -> Ffmpeg:
    """Return a stand-in that writes `file` in both passes and is content."""
    (folder / "made").write_bytes(file)
    return fake(
        folder, f'for last; do :; done; cat >/dev/null; cat {folder}/made > "${{last#file:}}"'
    )


@pytest.mark.parametrize("file", [BOXES, LONG_BOXES], ids=["short", "over 4 GiB"])
def test_what_is_whole_by_its_boxes_is_taken(folder: Path, tmp_path: Path, file: bytes) -> None:
    assert book(folder / "book.m4b", [tone(0.1)], writing(tmp_path, file)) == len(file)
    assert (folder / "book.m4b").read_bytes() == file


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(BOXES[:-1], id="cut in a head"),
        pytest.param(BOXES[:-9], id="cut in the sound"),
        pytest.param(LONG_BOXES[:-1], id="cut in much sound"),
        pytest.param(BOXES[:11], id="no index"),
        pytest.param(BOXES[:19], id="no sound"),
        pytest.param(bytes(100), id="zeros"),
    ],
)
def test_a_file_that_ffmpeg_left_half_written_is_never_published(
    folder: Path, tmp_path: Path, file: bytes
) -> None:
    with pytest.raises(OutputError, match="left out a part; see whether the disk is full"):
        book(folder / "book.m4b", [tone(0.1)], writing(tmp_path, file))
    assert left_as_it_was(folder)


def test_ffmpeg_is_told_no_secret(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_TOKEN", "hunter2")
    ffmpeg = fake(tmp_path, f"env > {tmp_path}/environment; exit 1")
    with pytest.raises(OutputError):
        book(folder / "book.m4b", [tone(0.1)], ffmpeg)

    told = (tmp_path / "environment").read_text()
    assert "PATH=" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("name", ["missing/book.m4b", "a" * 300 + ".m4b"])
def test_a_place_that_takes_no_file_is_an_output_error(
    folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        book(folder / name, [tone(0.1)], fake(tmp_path, "exit 1"))


def test_a_folder_or_a_device_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    ffmpeg = fake(tmp_path, "exit 1")
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(OutputError, match=r"cannot write .*not a plain file"):
            book(path, [tone(0.1)], ffmpeg)


@needs_ffmpeg
@pytest.mark.slow
def test_an_hour_of_speech_is_written_without_holding_it(folder: Path) -> None:
    minute = tone(60.0)
    book(folder / "book.m4b", (minute for _ in range(60)))

    assert float(probed(folder / "book.m4b")["format"]["duration"]) == pytest.approx(3600, abs=0.1)


def _is_group_alive(group: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    return True

"""`ttsctl batch` with everything that it reads, and all that it makes of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import wave
import zipfile
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

TONE = ("-v", "tone:sine", "-j", "1")
FAULTY = ("-v", "tone:faulty", "-j", "1")

BOOK = """# Dawn

The sun rises.

- over hills
- and seas

# Noon

It is hot.
"""

FILM = """1
00:00:01,000 --> 00:00:02,000
First cue

2
00:00:04,500 --> 00:00:06,000
<i>Second</i> cue
"""

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="o.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/><itemref idref="b"/></spine></package>"""
PAGE = "<html><body><h1>{}</h1><p>{}</p></body></html>"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_book(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", CONTAINER)
        book.writestr("o.opf", PACKAGE)
        book.writestr("a.xhtml", PAGE.format("Dawn", "The sun rises."))
        book.writestr("b.xhtml", PAGE.format("Noon", "It is <b>hot</b>."))


def objects(*rows: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, rows))


def made(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in (".wav", ".flac")
    )


def length_s(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


def chapters(path: Path) -> list[str]:
    probe = shutil.which("ffprobe")
    if probe is None:
        pytest.skip("ffprobe is not installed")
    command = [probe, "-v", "error", "-show_chapters", "-of", "json", str(path)]
    told = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [each["tags"]["title"] for each in json.loads(told.stdout)["chapters"]]


def test_a_table_names_voice_speed_and_file_of_each_row(run: Run, tmp_path: Path) -> None:
    write(
        tmp_path / "m.csv",
        "id,text,speed,output_file\n"
        'a,"Hello, you",2,\n'
        "b,The same length,,sub/folder/b\n"
        "c,The same length,0.5,c.flac\n",
    )
    answer = run("batch", "m.csv", *TONE, "--name", "{id}", "--json", "--verbose")
    assert answer.code == 0, answer.stderr
    assert made(tmp_path / "m") == ["a.wav", "c.flac", "sub/folder/b.wav"]
    assert [item["id"] for item in answer.json["items"]] == ["a", "b", "c"]
    slow = soundfile.info(tmp_path / "m" / "c.flac").duration
    assert slow == pytest.approx(2 * length_s(tmp_path / "m/sub/folder/b.wav"), abs=0.01)


def test_tabs_separate_as_commas_do(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "m.tsv", "text\tid\nHello, you\tx\n")
    assert run("batch", "m.tsv", *TONE, "--name", "{id}").code == 0
    assert made(tmp_path / "m") == ["x.wav"]


def test_what_piper_is_given_is_taken(run: Run, tmp_path: Path) -> None:
    rows = [{"text": "one", "output_file": "first.wav"}, {"text": "two", "speaker_id": None}]
    write(tmp_path / "m.jsonl", objects(*rows))
    assert run("batch", "m.jsonl", *TONE).code == 0
    assert made(tmp_path / "m") == ["0002-two.wav", "first.wav"]


def test_a_speaker_is_for_voices_that_have_several(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "m.jsonl", objects({"text": "one", "speaker_id": 2}))
    answer = run("batch", "m.jsonl", *TONE)
    assert answer.code == 2
    assert "m.jsonl line 1: speaker '2' is for a Piper voice" in answer.stderr


def test_a_book_in_markdown_becomes_one_file_with_chapters(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "book.md", BOOK)
    answer = run("batch", "book.md", *TONE, "--join", "book.opus", "--subtitles", "srt", "--json")
    assert answer.code == 0, answer.stderr
    assert (answer.json["total"], answer.json["products"]) == (6, ["book.opus", "book.srt"])
    assert "over hills" in (tmp_path / "book.srt").read_text()
    spoken_s = sum(map(length_s, (tmp_path / "book").glob("*.wav")))
    heard_s = soundfile.info(tmp_path / "book.opus").duration
    assert heard_s == pytest.approx(spoken_s + 5 * 0.6, abs=0.03)
    assert chapters(tmp_path / "book.opus") == ["Dawn", "Noon"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="audio books need ffmpeg")
def test_an_epub_becomes_an_audio_book(run: Run, tmp_path: Path) -> None:
    write_book(tmp_path / "book.epub")
    answer = run("batch", "book.epub", *TONE, "--join", "book.m4b")
    assert answer.code == 0, answer.stderr
    assert len(made(tmp_path / "book")) == 4
    assert chapters(tmp_path / "book.m4b") == ["Dawn", "Noon"]


def test_without_ffmpeg_nothing_starts_and_it_is_named(run: Run, tmp_path: Path) -> None:
    write_book(tmp_path / "book.epub")
    answer = run("batch", "book.epub", *TONE, "--join", "book.m4b", PATH=str(tmp_path))
    assert answer.code == 5
    assert "install ffmpeg" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "book").exists()


def test_a_film_is_spoken_at_its_times(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "film.srt", FILM)
    assert run("batch", "film.srt", *TONE, "--join", "film.wav").code == 0
    second_s = length_s(tmp_path / "film" / "0002-second-cue.wav")
    assert length_s(tmp_path / "film.wav") == pytest.approx(4.5 + second_s, abs=0.001)


def test_the_film_itself_is_not_replaced_by_subtitles(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "film.srt", FILM)
    arguments = ("batch", "film.srt", *TONE, "--join", "film.wav", "--subtitles", "srt", "--force")
    assert run(*arguments).code == 2
    assert (tmp_path / "film.srt").read_text() == FILM


def test_several_inputs_go_to_one_folder_in_order(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one\ntwo\n")
    write(tmp_path / "b.md", "# three\n")
    write(tmp_path / "c.srt", FILM)
    inputs = ("a.txt", "b.md", "c.srt")
    assert run("batch", *inputs, *TONE).code == 2  # which folder?
    answer = run("batch", *inputs, "-", "-d", "out", *TONE, "--json", "--verbose", stdin=b"six\n")
    assert answer.code == 0, answer.stderr
    sources = [item["source"] for item in answer.json["items"]]
    assert sources == ["a.txt", "a.txt", "b.md", "c.srt", "c.srt", "-"]
    assert made(tmp_path / "out")[-1] == "0006-six.wav"


def test_paragraphs_are_blocks_between_blank_lines(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "s.txt", "one\nmore of it\n\n\ntwo\n")
    assert run("batch", "s.txt", *TONE, "--paragraphs").code == 0
    assert made(tmp_path / "s") == ["0001-one-more-of-it.wav", "0002-two.wav"]


BAD = (
    {"text": "good"},
    {"txt": "misspelt"},
    {"text": "fast", "speed": 9},
    {"text": "astray", "output_file": "../up"},
    {"text": "away", "output_file": "/etc/motd"},
    {"text": "nobody", "voice": "tone:nobody"},
)


def test_every_bad_row_is_listed_and_nothing_starts(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "m.jsonl", objects(*BAD) + "\n{broken\n")
    answer = run("batch", "m.jsonl", *TONE)
    assert answer.code == 2
    told = answer.stderr.splitlines()
    assert [line.partition(":")[0] for line in told[:-1]] == [
        f"m.jsonl line {number}" for number in range(2, 8)
    ]
    assert "6 of 7 rows are wrong" in told[-1]
    assert not (tmp_path / "m").exists()


def test_rows_that_would_share_a_file_are_all_listed(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "s.txt", "one\n\ntwo\nthree\n")
    answer = run("batch", "s.txt", *TONE, "--name", "same")
    assert answer.code == 2
    clash = "file 'same.wav' is that of s.txt line 1 already"
    assert answer.stderr.splitlines()[:2] == [f"s.txt line {line}: {clash}" for line in (3, 4)]
    assert not (tmp_path / "s").exists()


def test_bad_rows_are_left_out_when_told_to(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "m.jsonl", objects(*BAD))
    answer = run("batch", "m.jsonl", *TONE, "--skip-bad-rows", "--json")
    assert (answer.code, answer.json["total"], answer.json["done"]) == (0, 1, 1)
    assert answer.stderr.count("m.jsonl line ") == 5
    assert made(tmp_path) == ["m/0001-good.wav"]


@pytest.mark.parametrize(
    "path",
    ["../up", "/up", "a/../../up", ".hidden", "a/.b", "CON", "a\\b", "x\x1b[0m", "a/", "~/x/.."],
)
def test_no_row_leads_out_of_the_folder(run: Run, tmp_path: Path, path: str) -> None:
    write(tmp_path / "m.jsonl", objects({"text": "a", "output_file": path}))
    answer = run("batch", "m.jsonl", *TONE)
    assert answer.code == 2
    assert "\x1b" not in answer.stderr
    assert made(tmp_path) == []


def test_a_check_says_what_is_missing_stale_or_damaged(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "s.txt", "one\ntwo\nthree\n")
    before = run("batch", "s.txt", *TONE, "--check", "--json")
    assert (before.code, len(before.json["findings"])) == (7, 3)
    assert not (tmp_path / "s").exists()
    run("batch", "s.txt", *TONE, "--join", "s.flac")
    after = run("batch", "s.txt", *TONE, "--join", "s.flac", "--check", "--json")
    assert (after.code, after.json) == (0, {"ok": True, "total": 3, "findings": []})
    (tmp_path / "s" / "0001-one.wav").unlink()
    write(tmp_path / "s.txt", "one\ntwo!\nthree\n")
    found = run("batch", "s.txt", *TONE, "--check", "--json")
    assert found.code == 7
    assert found.json["findings"] == [
        {"id": "1", "file": "0001-one.wav", "what": "missing"},
        {"id": "2", "file": "0002-two.wav", "what": "stale"},
    ]


def test_what_failed_is_tried_again_only_when_told_to(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "s.txt", "one\n!raise\n")
    first = run("batch", "s.txt", *FAULTY, "--join", "s.wav", "--json")
    assert (first.code, first.json["failed"]) == (3, 1)
    assert "s.wav was not made" in first.stderr
    journal = tmp_path / "s" / ".ttsctl" / "journal.jsonl"
    tries = journal.read_text().count('"failed"')
    assert run("batch", "s.txt", *FAULTY).code == 3
    assert journal.read_text().count('"failed"') == tries
    assert run("batch", "s.txt", *FAULTY, "--retry-failed").code == 3
    assert journal.read_text().count('"failed"') == tries + 1
    assert not (tmp_path / "s.wav").exists()


def test_a_dry_run_tells_the_plan_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "m.csv", "text,output_file\none,a/b\n...,\n")
    answer = run("batch", "m.csv", *TONE, "--dry-run", "--json")
    assert (answer.code, answer.json["total"], answer.json["empty"]) == (0, 2, 1)
    assert answer.json["items"] == [{"id": "1", "file": "a/b.wav"}]
    assert not (tmp_path / "m").exists()


def test_a_joined_file_is_not_replaced_without_force(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "s.txt", "one\ntwo\n")
    (tmp_path / "s.opus").write_bytes(b"mine")
    answer = run("batch", "s.txt", *TONE, "--join", "s.opus")
    assert (answer.code, "--force" in answer.stderr) == (2, True)
    assert not (tmp_path / "s").exists()
    assert run("batch", "s.txt", *TONE, "--join", "s.opus", "--force").code == 0
    assert (tmp_path / "s.opus").read_bytes()[:4] == b"OggS"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--join", "s/0001-one.wav"), 2, "would replace"),
        (("--join", "no/such/folder.wav"), 5, "folder does not exist"),
        (("--join", "s.wav", "--format", "opus"), 2, "the items are wav"),
        (("--join", "s.doc"), 2, "suffix"),
        (("--subtitles", "ass"), 2, "known: srt, vtt, json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_product_that_cannot_be_is_refused_before_work(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    write(tmp_path / "s.txt", "one\ntwo\n")
    answer = run("batch", "s.txt", *TONE, *arguments)
    assert (answer.code, message in answer.stderr) == (code, True), answer.stderr
    assert not (tmp_path / "s").exists()


def test_a_row_of_another_format_cannot_be_joined(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "m.jsonl", objects({"text": "one"}, {"text": "two", "format": "opus"}))
    answer = run("batch", "m.jsonl", *TONE, "--join", "m.wav")
    assert answer.code == 2
    assert "m.jsonl line 2: with --join the items are wav" in answer.stderr


def test_items_of_one_name_cannot_share_subtitles(run: Run, tmp_path: Path) -> None:
    rows = [{"text": "one", "output_file": f"same.{suffix}"} for suffix in ("wav", "flac")]
    write(tmp_path / "m.jsonl", objects(*rows))
    assert run("batch", "m.jsonl", *TONE, "--subtitles", "srt").code == 2
    assert run("batch", "m.jsonl", *TONE).code == 0

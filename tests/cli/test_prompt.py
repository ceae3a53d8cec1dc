"""Conversations at the prompt: scripts of lines and keys, and what came of them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import InProcessSynthesizer
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.off import NullCache
from ttsctl.cache.tiers import Cache
from ttsctl.cli.prompt import Command, Conversation, converse, parse
from ttsctl.errors import EngineError, InvalidRequestError
from ttsctl.speech import Clip, Voice
from ttsctl.workflows.deliver import SpeechRequest, to_player
from ttsctl.workflows.plan import Manner, plan
from ttsctl.workflows.speak import Speaker

TONE = Voice("tone", "sine", "und", "tone 1")
Line = str | type[BaseException] | BaseException
Play = Callable[[Iterable[Clip]], None]


class Table:
    """Both sides of a conversation: plays the user, and hears what is said."""

    def __init__(self, script: Iterable[Line], cache: Cache | NullCache | None = None) -> None:
        self.synthesizer = InProcessSynthesizer()
        self.speaker = Speaker(self.synthesizer, cache or NullCache())
        self.manner = Manner(TONE, "und")
        self.play: Play = lambda clips: self.heard.append(sum(clip.frames for clip in clips))
        self.heard: list[int] = []
        self.told: list[str] = []
        self.events: list[str] = []
        self.options: list[tuple[tuple[str, str], ...]] = []
        self._script = iter(script)

    def talk(self) -> Table:
        converse(Conversation(self.speaker, self.manner, self.deliver, self.read, self.tell))
        return self

    def read(self, prompt: str) -> str:
        self.events.append(f"prompt after warming {', '.join(self.synthesizer.warmed)}")
        line = next(self._script, EOFError)
        if isinstance(line, str):
            return line
        raise line

    def tell(self, message: str) -> None:
        assert "\n" not in message
        self.told.append(message)

    def deliver(self, text: str, manner: Manner) -> None:
        request = SpeechRequest(manner.voice, list(plan([text], manner)))
        self.options.append(manner.options)
        self.events.append(f"{manner.voice.id} {manner.speed:g} {manner.language}: {text}")
        to_player(self.speaker, request, self.play)

    @property
    def spoken(self) -> list[str]:
        return self.synthesizer.spoken

    @property
    def answers(self) -> list[str]:
        """What was told after the greeting and before the line on which Ctrl-D leaves."""
        return self.told[1:-1]


@pytest.fixture(name="cache")
def _cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache", CacheLimits()) as cache:
        yield cache


def test_each_line_is_spoken_until_the_end_of_the_input() -> None:
    table = Table(["Hello there.", "  And you?  ", "", "   "]).talk()

    assert table.spoken == ["Hello there.", "And you?"]
    assert table.answers == []


def test_the_voice_warms_up_before_the_first_prompt() -> None:
    assert Table([]).talk().events == ["prompt after warming tone:sine"]


def test_what_looks_like_a_file_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("letter.txt").write_text("not this")

    assert Table(["letter.txt", "-"]).talk().spoken == ["letter.txt"]


def test_quit_leaves_and_nothing_after_it_is_read() -> None:
    table = Table([":quit", "too late"]).talk()

    assert (table.spoken, len(table.events)) == ([], 1)


def test_voice_changes_voice_and_language_and_warms_the_new_one_up() -> None:
    table = Table(["One.", ":voice tone:faulty", "Two.", ":voice espeak:fr-fr", ":voice"]).talk()

    assert table.events == [
        "prompt after warming tone:sine",
        "tone:sine 1 und: One.",
        "prompt after warming tone:sine",
        "prompt after warming tone:sine, tone:faulty",
        "tone:faulty 1 und: Two.",
        "prompt after warming tone:sine, tone:faulty",
        *["prompt after warming tone:sine, tone:faulty, espeak:fr-fr"] * 2,
    ]
    assert table.answers == ["tone:faulty", "espeak:fr-fr", "espeak:fr-fr"]


def test_another_voice_speaks_its_own_language() -> None:
    table = Table([":voice fr-fr", "Bonjour."])
    table.play = lambda clips: None

    assert "espeak:fr-fr 1 fr-fr: Bonjour." in table.talk().events


@pytest.mark.parametrize("name", ["espeak:en-uss", "tone:nosuch", "nosuch:voice", "en_US-lesac"])
def test_an_unknown_voice_is_told_and_the_old_one_stays(name: str) -> None:
    table = Table([f":voice {name}", "Still here."]).talk()

    assert len(table.answers) == 1
    assert table.answers[0].startswith("error: ")
    assert "tone:sine 1 und: Still here." in table.events
    assert table.synthesizer.warmed == ["tone:sine"]


def test_an_unknown_voice_comes_with_its_nearest() -> None:
    assert "nearest: en-us" in Table([":voice espeak:en-uss"]).talk().answers[0]


def test_options_stay_with_their_engine() -> None:
    table = Table([":voice tone:faulty", "One.", ":voice espeak:de", "Two."])
    table.manner = replace(table.manner, options=(("noise", "1"),))
    table.play = lambda clips: None
    table.talk()

    assert table.options == [(("noise", "1"),), ()]
    assert table.answers == ["tone:faulty", "the options for tone are left out", "espeak:de"]


def test_speed_is_a_multiplier_and_stays() -> None:
    table = Table([":speed 2", "Fast.", ":speed", ":voice tone:faulty", "Still fast."]).talk()

    assert "tone:sine 2 und: Fast." in table.events
    assert "tone:faulty 2 und: Still fast." in table.events
    assert table.answers == ["speed 2", "speed 2", "tone:faulty"]


@pytest.mark.parametrize("number", ["0", "5", "nan", "fast", "1,5", "-1", "2 3"])
def test_a_speed_that_makes_no_sense_is_told_and_the_old_one_stays(number: str) -> None:
    table = Table([f":speed {number}", "As before."]).talk()

    assert table.answers[0].startswith("error: speed ")
    assert "tone:sine 1 und: As before." in table.events


def test_save_writes_what_was_heard_last_from_the_cache(tmp_path: Path, cache: Cache) -> None:
    file = tmp_path / "two words.wav"
    script = ["One.", "Two two.", ":voice tone:faulty", ":speed 4", f":save {file}"]
    table = Table(script, cache).talk()

    assert table.spoken == ["One.", "Two two."]
    assert soundfile.info(file).frames == table.heard[-1]
    assert table.answers[-1].startswith(f"{file}: ")
    assert "tone:sine" in table.answers[-1]


def test_save_synthesizes_again_without_a_cache_and_replaces_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.flac"
    file.write_bytes(b"old")
    table = Table(["One.", f":save {file}"]).talk()

    assert table.spoken == ["One.", "One."]
    assert soundfile.info(file).format == "FLAC"


def test_save_knows_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    Table(["One.", ":save ~/a.wav"]).talk()

    assert (tmp_path / "home" / "a.wav").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([":save a.wav"], "nothing has been spoken"),
        (["One.", ":save"], "which file"),
        (["One.", ":save a\0.wav"], "which file"),
        (["One.", ":save a.xyz"], "suffix"),
        (["One.", ":save a"], "suffix"),
        (["One.", ":save nowhere/a.wav"], "cannot write"),
        (["...", ":save a.wav"], "nothing to speak"),
    ],
)
def test_what_cannot_be_saved_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table = Table([*script, "Going on."]).talk()

    assert message in table.answers[0]
    assert table.spoken[-1] == "Going on."
    assert list(tmp_path.glob("*.wav")) == []


def test_a_line_that_cannot_be_spoken_is_told_and_the_next_one_is_spoken() -> None:
    table = Table(["...", "😀", "Words."]).talk()

    assert [answer.startswith("error: nothing to speak") for answer in table.answers] == [True] * 2
    assert table.spoken == ["Words."]


def test_an_engine_that_fails_is_told_and_asked_again() -> None:
    table = Table([":voice tone:faulty", "!raise", "Fine."]).talk()

    assert table.answers[1].startswith("error: the tone engine was told to fail")
    assert table.spoken == ["!raise", "Fine."]


def test_a_voice_that_cannot_be_warmed_up_shows_with_the_first_line() -> None:
    class Broken(InProcessSynthesizer):
        def warm_up(self, voice: Voice, *, has_trial: bool = False) -> None:
            raise EngineError("cannot start engine 'tone'")

    table = Table(["Hello.", ":voice tone:faulty", ":voice"])
    table.speaker = Speaker(Broken(), NullCache())

    assert table.talk().answers == ["error: cannot start engine 'tone'", "tone:sine"]
    assert len(table.heard) == 1


def test_help_tells_every_command() -> None:
    answers = Table([":help"]).talk().answers

    assert [answer.split()[0] for answer in answers] == [
        *(":voice", ":speed", ":save", ":help", ":quit")
    ]


def test_a_line_that_is_not_utf8_is_told() -> None:
    strict = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    table = Table(["bad \udcff", strict, "Good."]).talk()

    assert table.answers == ["error: the line is not UTF-8"] * 2
    assert table.spoken == ["Good."]


def test_ctrl_c_at_the_prompt_clears_the_line_and_never_leaves() -> None:
    table = Table([KeyboardInterrupt, KeyboardInterrupt, "Still here.", KeyboardInterrupt]).talk()

    assert table.spoken == ["Still here."]
    assert table.answers == [""] * 3


def test_ctrl_c_in_the_middle_of_a_line_stops_it_and_the_next_one_is_spoken(cache: Cache) -> None:
    long = "A sentence that is long enough to stand on its own. And a second one, just as long."
    table = Table([long, "Next."], cache)
    stopped_after: list[Clip] = []

    def play(clips: Iterable[Clip]) -> None:
        for clip in clips:
            stopped_after.append(clip)
            if len(stopped_after) == 2:
                signal.raise_signal(signal.SIGINT)

    table.play = play
    table.talk()

    assert [text.split()[0] for text in table.spoken] == ["A", "Next."]
    assert table.answers == [""]


def test_a_second_ctrl_c_does_not_break_off_the_clean_up_after_the_first() -> None:
    table = Table(["Hello.", "Again."])
    cleaned: list[bool] = []

    def play(clips: Iterable[Clip]) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            cleaned.append(True)

    table.play = play
    table.talk()

    assert cleaned == [True, True]
    assert table.answers == ["", ""]


def test_what_was_stopped_can_be_saved(tmp_path: Path) -> None:
    def interrupted(clips: Iterable[Clip]) -> None:
        raise KeyboardInterrupt

    table = Table(["Stopped.", f":save {tmp_path / 'a.wav'}"])
    table.play = interrupted
    table.talk()

    assert (tmp_path / "a.wav").exists()


def test_ctrl_c_is_what_it_was_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    Table(["Hello.", KeyboardInterrupt]).talk()

    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("Hello", Command("speak", "Hello")),
        (" :voice a ", Command("speak", ":voice a")),
        ("a :voice b", Command("speak", "a :voice b")),
        (":voice", Command(":voice")),
        (":voice  tone:sine ", Command(":voice", "tone:sine")),
        (":save\tmy file.wav", Command(":save", "my file.wav")),
        (":quit now", Command(":quit", "now")),
        ("", None),
        (" \t ", None),
    ],
)
def test_a_line_is_a_command_or_a_text(line: str, command: Command | None) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (":voise tone:sine", "unknown command ':voise'; nearest: :voice"),
        (":q", "nearest: :quit"),
        (":VOICE x", ":help lists them"),
        (":", "unknown command ':'"),
        (":-)", "unknown command ':-)'"),
    ],
)
def test_an_unknown_command_comes_with_its_nearest(line: str, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(line)
    assert message in caught.value.message


@given(st.text())
def test_any_line_is_a_command_a_text_or_told_to_be_neither(line: str) -> None:
    try:
        command = parse(line)
    except InvalidRequestError:
        assert line.startswith(":")
    else:
        assert (command is None) == (not line.strip())
        assert command is None or command.argument in line

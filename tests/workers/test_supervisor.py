"""Engines crash, hang and lie; who asked them lives, knows why, and is served again."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ttsctl.engines.tone import DIGEST_BYTES, request_digest
from ttsctl.errors import (
    DeadlineError,
    EngineCrashError,
    EngineError,
    InvalidVoiceError,
    NotInstalledError,
)
from ttsctl.speech import Clip, Utterance, Voice, join
from ttsctl.workers.parent import Worker
from ttsctl.workers.supervisor import MIN_DEADLINE_S, Supervisor, deadline_s


def utterance(voice: Voice, text: str) -> Utterance:
    return Utterance((text,), voice, "und")


def speak(supervisor: Supervisor, voice: Voice, text: str) -> Clip:
    return join(list(supervisor.stream(utterance(voice, text))))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("!segv", "SIGSEGV"),
        ("!abort", "SIGABRT"),
        ("!partial", "SIGKILL"),
        ("!exit", "exit code 0"),
    ],
)
def test_a_crash_is_a_typed_error_that_names_cause_and_text(
    supervisor: Supervisor, faulty: Voice, text: str, cause: str
) -> None:
    with pytest.raises(EngineCrashError, match=cause) as caught:
        speak(supervisor, faulty, text)
    assert text in caught.value.message


def test_the_next_utterance_after_a_crash_is_spoken(supervisor: Supervisor, faulty: Voice) -> None:
    with pytest.raises(EngineCrashError):
        speak(supervisor, faulty, "!segv")
    assert speak(supervisor, faulty, "hello").pcm.startswith(
        request_digest(utterance(faulty, "hello"))
    )


def test_restarts_back_off_and_recover(faulty: Voice) -> None:
    waits: list[float] = []
    supervisor = Supervisor(sleep=waits.append)
    for text in ("!exit", "!exit", "!exit", "fine", "!exit"):
        try:
            speak(supervisor, faulty, text)
        except EngineCrashError:
            continue
    speak(supervisor, faulty, "fine")
    supervisor.close()
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.1])


def test_a_hanging_engine_is_killed_at_the_deadline(faulty: Voice) -> None:
    supervisor = Supervisor(deadline_s=lambda _: 0.3)
    with pytest.raises(DeadlineError, match="!hang"):
        speak(supervisor, faulty, "!hang")
    assert speak(supervisor, faulty, "hello").frames > 0
    supervisor.close()


def test_an_engine_that_never_stops_is_stopped(supervisor: Supervisor, faulty: Voice) -> None:
    with pytest.raises(EngineError, match="does not stop"):
        speak(supervisor, faulty, "!endless")
    assert speak(supervisor, faulty, "hello").frames > 0


def test_the_deadline_does_not_run_while_the_listener_is_slow(tone: Voice) -> None:
    supervisor = Supervisor(deadline_s=lambda _: 0.4)
    long = Utterance(("one ", "two ", "three "), tone, "und")
    clips = []
    for clip in supervisor.stream(long):
        time.sleep(0.2)
        clips.append(clip)
    supervisor.close()
    assert len(clips) == 4


def test_the_deadline_grows_with_the_text(tone: Voice) -> None:
    assert deadline_s(utterance(tone, "short")) == MIN_DEADLINE_S
    assert deadline_s(utterance(tone, "x" * 1000)) == pytest.approx(1600)


def test_an_engine_that_refuses_stays_alive(supervisor: Supervisor, faulty: Voice) -> None:
    speak(supervisor, faulty, "hello")
    before = supervisor.worker_process_ids()
    with pytest.raises(EngineError, match="told to fail"):
        speak(supervisor, faulty, "!raise")
    speak(supervisor, faulty, "hello")
    assert supervisor.worker_process_ids() == before


def test_what_an_engine_prints_does_not_disturb_the_protocol(
    supervisor: Supervisor, faulty: Voice
) -> None:
    clip = speak(supervisor, faulty, "!stdout")
    assert clip.pcm[:DIGEST_BYTES] == request_digest(utterance(faulty, "!stdout"))


def test_a_listener_who_leaves_early_costs_nothing(supervisor: Supervisor, tone: Voice) -> None:
    stream = supervisor.stream(Utterance(("one ", "two ", "three "), tone, "und"))
    next(stream)
    before = supervisor.worker_process_ids()
    stream.close()  # type: ignore[attr-defined]
    assert speak(supervisor, tone, "hello").pcm.startswith(request_digest(utterance(tone, "hello")))
    assert supervisor.worker_process_ids() == before


def test_threads_take_turns_and_each_gets_its_own_sound(
    supervisor: Supervisor, tone: Voice
) -> None:
    wrong: list[str] = []

    def ask(number: int) -> None:
        for round_number in range(10):
            text = f"text {number} {round_number}"
            sound = speak(supervisor, tone, text).pcm
            if not sound.startswith(request_digest(utterance(tone, text))):
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_engine_that_is_not_there_is_not_installed(supervisor: Supervisor) -> None:
    with pytest.raises(NotInstalledError, match="acme"):
        speak(supervisor, Voice("acme", "anna", "und", ""), "hello")


def test_an_unknown_voice_is_refused_by_the_worker(supervisor: Supervisor) -> None:
    with pytest.raises(InvalidVoiceError, match="nearest: en-us"):
        speak(supervisor, Voice("espeak", "en-uss", "en", ""), "hello")


def test_a_failed_warm_up_shows_on_first_use_only(supervisor: Supervisor) -> None:
    nobody = Voice("tone", "nobody", "und", "")
    supervisor.warm_up(nobody)
    with pytest.raises(InvalidVoiceError):
        supervisor.load(nobody)


def test_a_module_in_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tone: Voice
) -> None:
    for name in ("json.py", "ttsctl.py", "struct.py"):
        (tmp_path / name).write_text("raise SystemExit('planted')")
    monkeypatch.chdir(tmp_path)
    supervisor = Supervisor()
    assert speak(supervisor, tone, "hello").frames > 0
    supervisor.close()


def test_secrets_do_not_reach_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary")
    worker = Worker("tone")
    environment = psutil.Process(worker.process_id).environ()
    worker.kill()
    assert "HF_TOKEN" not in environment


@pytest.fixture(name="orphan_maker")
def _orphan_maker() -> Iterator[subprocess.Popen[str]]:
    """A process with a busy worker, whose process id it prints."""
    program = (
        "import threading, time\n"
        "from ttsctl.speech import Utterance, Voice\n"
        "from ttsctl.workers.supervisor import Supervisor\n"
        "s = Supervisor(); v = Voice('tone', 'faulty', 'und', '')\n"
        "list(s.stream(Utterance(('ready',), v, 'und')))\n"
        "print(s.worker_process_ids()[0], flush=True)\n"
        "list(s.stream(Utterance(('!hang',), v, 'und')))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_busy_worker_ends_when_its_parent_is_killed(
    orphan_maker: subprocess.Popen[str],
) -> None:
    assert orphan_maker.stdout is not None
    worker = psutil.Process(int(orphan_maker.stdout.readline()))
    os.kill(orphan_maker.pid, signal.SIGKILL)
    gone, _ = psutil.wait_procs([worker], timeout=10)
    assert gone


def test_a_warning_of_an_engine_reaches_the_user_beside_the_sound(
    supervisor: Supervisor, faulty: Voice, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "ttsctl"):
        clip = speak(supervisor, faulty, "hello !warn")
    assert clip.pcm.startswith(request_digest(utterance(faulty, "hello !warn")))
    assert "told to warn" in caplog.text


def test_a_voice_loads_while_nobody_waits(tone: Voice) -> None:
    worker = Worker("tone")
    worker.begin_load(tone)
    worker.load(tone)
    assert join(list(worker.stream(utterance(tone, "hello"), 10.0))).frames
    worker.begin_load(tone)
    assert join(list(worker.stream(utterance(tone, "hello"), 10.0))).frames
    assert worker.voices()
    worker.kill()


def test_a_voice_that_nobody_wants_any_more_may_fail(tone: Voice) -> None:
    worker = Worker("tone")
    worker.begin_load(Voice("tone", "nobody", "und", ""))
    worker.load(tone)
    worker.begin_load(Voice("tone", "nobody", "und", ""))
    with pytest.raises(InvalidVoiceError):
        worker.load(Voice("tone", "nobody", "und", ""))
    worker.kill()


def test_a_worker_that_runs_already_is_used(tone: Voice) -> None:
    worker = Worker("tone")
    supervisor = Supervisor(started=worker)
    speak(supervisor, tone, "hello")
    assert supervisor.worker_process_ids() == [worker.process_id]
    supervisor.close()
    assert not worker.is_alive

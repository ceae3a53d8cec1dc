"""The warm service under load, kills and hostile clients: how soon, how surely, at what cost."""

from __future__ import annotations

import os
import random
import select
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import IO

import psutil

from benchmarks.campaign.promise import Promise
from benchmarks.campaign.service_client import (
    PATIENCE_S,
    Answer,
    Client,
    Home,
    Service,
    answered,
    kill_all,
    settled,
)
from ttsctl.engines.tone import ToneEngine
from ttsctl.metrics import percentile
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.plan import Manner, plan

ESPEAK = "espeak:en-us"
SINE, FAULTY = "tone:sine", "tone:faulty"
_PING_EVERY_S = 0.1

SLOW_MS = 60_000
CROSSED_REQUESTS, CROSSED_CLIENTS = 3_200, 16
PIPELINE_REPEATS = 10
WARM_UP_REPEATS, LLM_S = 9, 1.5
HITS, PHRASES = 1_000, 50
SAY_REPEATS = 30
KILLS, KILL_EVERY_S, KILL_CLIENTS = 24, 5.0, 4
OVERLOAD_S, OVERLOAD_CLIENTS, OVERLOAD_CONNECTIONS = 60.0, 500, 60
SOAK_REQUESTS, SOAK_EVERY_S, SOAK_CLIENTS = 3_600, 0.5, 4
ORPHAN_KILLS, ORPHAN_WAIT_S = 50, 3.0


def ping(scale: float, seed: int) -> list[Promise]:
    """Ping every 100 ms during one long synthesis, from its own connection and from another."""
    slow_ms = int(SLOW_MS * scale)
    # Long enough for its deadline, which is 20 times as long as its speech.
    text = f"!slow={slow_ms} this takes its time and nobody minds as long as they are answered"
    with Home() as home:
        home.daemon("--request-timeout", "90", preload=FAULTY)
        with home.connected() as speaking, home.connected() as other:
            speech = speaking.speak(text, FAULTY)
            pings = list(_pings([speaking, other], speech.done))
            spoken, unspoken = settled([speech])
            answers, lost = settled(pings)
    times_ms = [answer.took_ms for answer in answers]
    return [
        Promise("seconds of synthesis", round(sum(each.took_ms for each in spoken) / 1000, 1)),
        Promise("syntheses that failed", unspoken + _failed(spoken), at_most=0),
        Promise("pings", len(pings)),
        Promise("pings without an answer", lost, at_most=0),
        Promise("ms to answer a ping, p99", round(percentile(times_ms, 99), 1), at_most=200),
        Promise("ms to answer a ping, longest", round(max(times_ms), 1), at_most=200),
    ]


def _pings(clients: list[Client], is_over: Callable[[], bool]) -> Iterator[Future[Answer]]:
    """Ping in turn, every 100 ms whether or not the one before was answered, until `is_over`."""
    next_at, count = time.monotonic(), 0
    while not is_over():
        yield clients[count % len(clients)].ask("ping")
        next_at, count = next_at + _PING_EVERY_S, count + 1
        time.sleep(max(0.0, next_at - time.monotonic()))


def crossed(scale: float, seed: int) -> list[Promise]:
    """Ask for eight texts from 16 connections at once; each reply must be its own text's sound.

    Every sample is compared, and its first 32 bytes are the digest of the request. Each connection
    has two requests on their way, half of all leave the cache alone, and half are wav.
    """
    source = random.Random(seed)
    each = max(2, int(CROSSED_REQUESTS * scale) // CROSSED_CLIENTS)
    sounds = {text: _tone_sound(text) for text in (f"text number {n}" * n for n in range(1, 9))}
    count = each * CROSSED_CLIENTS
    choices = [source.choices(list(sounds), k=each) for _ in range(CROSSED_CLIENTS)]
    asked: list[tuple[str, Future[Answer]]] = []
    with Home() as home, ExitStack() as stack:
        home.daemon("--workers", "2")
        clients = [stack.enter_context(home.connected()) for _ in range(CROSSED_CLIENTS)]

        def work(client: Client, texts: list[str]) -> None:
            before: Future[Answer] | None = None
            for number, text in enumerate(texts):
                fields = {"noCache": number % 2 == 0, "format": ("pcm", "wav")[number // 2 % 2]}
                reply = client.speak(text, SINE, **fields)
                asked.append((text, reply))
                settled([before] if before else [])
                before = reply

        started_at = time.monotonic()
        works = zip(clients, choices, strict=True)
        _side_by_side([partial(work, client, texts) for client, texts in works])
        answers, lost = settled(reply for _, reply in asked)
        elapsed_s = time.monotonic() - started_at
    spoken = [(text, answer) for text, answer in answered(asked) if answer.code is None]
    return [
        Promise("requests", count),
        Promise("requests a second", round(count / elapsed_s, 1)),
        Promise("replies from the cache", sum(a.fields["cache"] != "miss" for _, a in spoken)),
        Promise("requests refused or failed", _failed(answers), at_most=0),
        Promise("replies lost", lost + count - len(asked), at_most=0),
        Promise(
            "replies with another sound than their own",
            sum(answer.sound != sounds[text] for text, answer in spoken),
            at_most=0,
        ),
    ]


def _tone_sound(text: str) -> bytes:
    """Return all samples of the tone engine for a text of one utterance."""
    voice = resolve(SINE)
    (planned,) = plan([text], Manner(voice, voice.language))
    return b"".join(clip.pcm for clip in ToneEngine().synthesize(planned.utterance))


# By two workers three equal sentences take two thirds of what one takes, however good the
# pipeline. The figure that is promised is of a text that two can share: the first sentence takes as
# long as the other two.
_EVEN_SLOW = "".join(
    f"The {name} of three sentences that take their time !slow=300. "
    for name in ("first", "second", "third")
)
_SHARED_SLOW = _EVEN_SLOW.replace("300", "400", 1).replace("300", "200")
_EVEN_SPOKEN = (
    "The last train to the coast leaves at a quarter past nine. "
    "My neighbour has painted her garden gate for the second time. "
    "A quiet street by the harbour is where we would like to live."
)
_SHARED_SPOKEN = (
    "The last train to the coast leaves at a quarter past nine tonight from the gate that is next"
    " to the library on the hill. "
    "My neighbour has painted her garden gate for the second time. "
    "A quiet street by the harbour is where we would like to live."
)


def pipeline(scale: float, seed: int) -> list[Promise]:
    """Three sentences in one request, by two workers and by one, in turn; medians."""
    repeats = max(2, int(PIPELINE_REPEATS * scale))
    promises = [Promise("repeats of each", repeats)]
    with Home() as home:
        piper = home.install_piper()
        preload = ",".join(filter(None, (FAULTY, piper)))
        kinds = [("slow tone", FAULTY, _SHARED_SLOW, _EVEN_SLOW)]
        kinds += [("Piper", piper, _SHARED_SPOKEN, _EVEN_SPOKEN)] if piper else []
        paths = [home.folder / name for name in ("one.sock", "two.sock")]
        for workers, path in enumerate(paths, 1):
            home.daemon("--workers", str(workers), "--socket", str(path), preload=preload)
        with home.connected(paths[0]) as one, home.connected(paths[1]) as two:
            for name, voice, shared, even in kinds:
                promises += [
                    *_shortened(f"{name}, even sentences", one, two, (even, voice), repeats, None),
                    *_shortened(f"{name}, shareable", one, two, (shared, voice), repeats, 0.6),
                ]
    return promises


def _shortened(
    name: str, one: Client, two: Client, what: tuple[str, str], repeats: int, at_most: float | None
) -> list[Promise]:
    """Compare the time of two workers with that of one."""
    times_ms: dict[Client, list[float]] = {one: [], two: []}
    for repeat in range(repeats + 1):
        for client in (one, two) if repeat % 2 else (two, one):
            answer = _reply(client.speak(*what))
            if repeat:  # the first starts the workers
                times_ms[client].append(answer.took_ms)
    alone, shared = (statistics.median(times_ms[client]) for client in (one, two))
    return [
        Promise(f"{name}: ms, one worker", round(alone, 1)),
        Promise(f"{name}: share of that with two", round(shared / alone, 3), at_most=at_most),
    ]


_OPENING = "This sentence is here to wake the voice, and it is long enough.\n"
_SENTENCE = "The last train to the coast leaves at a quarter past nine from gate 4."


def warm_up(scale: float, seed: int) -> list[Promise]:
    """Time from a text to its first sound in a process that had only 1.5 s to get ready.

    A language model thinks for so long before its first sentence, and in that time the voice loads.
    Two ways in, each against the same process when it has spoken before:

    - `say - --stream -o - --format pcm`: started, left alone for 1.5 s, then given the text and the
      end of its input. Against one that has also spoken a sentence before the text.
    - `serve --stdio`: started, asked after 1.5 s whether or not it has said that it is ready.
      Against the same request again.
    """
    repeats = max(2, int(WARM_UP_REPEATS * scale))
    ways: dict[str, tuple[list[float], list[float]]] = {"say": ([], []), "serve": ([], [])}
    with Home() as home:
        piper = home.install_piper()
        voice = piper or ESPEAK
        for repeat in range(repeats + 1):
            said = _said_ms(home, voice, ""), _said_ms(home, voice, _OPENING)
            for way, pair in (("say", said), ("serve", _served_ms(home, voice))):
                for times_ms, time_ms in zip(ways[way], pair, strict=True):
                    if repeat:  # the first brings the files into memory
                        times_ms.append(time_ms)
    promises = [Promise(f"repeats of each, {'Piper' if piper else 'espeak'}", repeats)]
    for way, (cold_ms, warm_ms) in ways.items():
        cold, warm = statistics.median(cold_ms), statistics.median(warm_ms)
        promises += [
            Promise(f"{way}: ms to the first sound when warm", round(warm, 1)),
            Promise(f"{way}: factor after a cold start", round(cold / warm, 3), at_most=1.15),
        ]
    return promises


def _said_ms(home: Home, voice: str, opening: str) -> float:
    """Return the ms from the text to the first sound of a `say` that reads its stdin."""
    options = ("--stream", "-o", "-", "--format", "pcm", "--no-cache", "--no-daemon", "-v", voice)
    process = home.start(
        home.command("say", "-", *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    time.sleep(LLM_S)
    if opening:
        process.stdin.write(opening.encode())
        _read_to_a_silence(process.stdout)
    started_at = time.perf_counter()
    process.stdin.write(_SENTENCE.encode())
    process.stdin.close()
    first = process.stdout.read(2)
    took_ms = (time.perf_counter() - started_at) * 1000
    while process.stdout.read(1 << 16):
        pass
    if process.wait(PATIENCE_S) or not first:
        raise RuntimeError(f"say ended with {process.returncode} and made no sound")
    return took_ms


def _read_to_a_silence(stream: IO[bytes], silence_s: float = 0.7) -> None:
    """Read the sound of a sentence, which is over when nothing more comes."""
    ready, _, _ = select.select([stream], [], [], PATIENCE_S)
    while ready:
        if not os.read(stream.fileno(), 1 << 16):
            raise RuntimeError("the sound ended before its time")
        ready, _, _ = select.select([stream], [], [], silence_s)


def _served_ms(home: Home, voice: str) -> tuple[float, float]:
    """Return the ms to the first sound of the first and of the second request."""
    service, client = home.stdio(preload=voice)
    time.sleep(LLM_S)
    times_ms = []
    for _ in range(2):
        answer = _reply(client.speak(_SENTENCE, voice, stream=True, format="pcm"))
        assert answer.first_audio_at is not None
        times_ms.append((answer.first_audio_at - answer.sent_at) * 1000)
    _reply(client.ask("shutdown"))
    service.process.wait(PATIENCE_S)
    return times_ms[0], times_ms[1]


def hits(scale: float, seed: int) -> list[Promise]:
    """How long the service works on what it remembers, by its own account (`timings_ms.total`)."""
    count = max(PHRASES, int(HITS * scale))
    phrases = [f"Phrase {number} of {seed}." for number in range(count)]
    known = phrases[:PHRASES]
    with Home() as home:
        service = home.daemon(preload=ESPEAK)
        _ask_for(home, known)
        in_memory = _ask_for(home, [known[number % PHRASES] for number in range(count)])
        _end(home, service)
    with Home() as home:
        before = ("--cache-memory-mb", "0")
        service = home.daemon(preload=ESPEAK, before=before)
        _ask_for(home, phrases)
        _end(home, service)  # all is written by then
        service = home.daemon(preload=ESPEAK, before=before)
        on_disk = _ask_for(home, phrases)
        _end(home, service)
    promises = [Promise("requests of each", count)]
    for tier, answers, at_most in (("memory", in_memory, 1), ("disk", on_disk, 3)):
        inside_ms = [answer.fields["timings_ms"]["total"] for answer in answers]
        outside_ms = [answer.took_ms for answer in answers]
        misses = sum(answer.fields["cache"] != tier for answer in answers)
        promises += [
            Promise(f"{tier}: replies from elsewhere", misses, at_most=0),
            Promise(f"{tier}: ms, p95", round(percentile(inside_ms, 95), 2), at_most=at_most),
            Promise(f"{tier}: ms for the client, p95", round(percentile(outside_ms, 95), 2)),
        ]
    return promises


def _ask_for(home: Home, phrases: list[str]) -> list[Answer]:
    """Ask for one phrase after the other, with the cache."""
    with home.connected() as client:
        return [_reply(client.speak(phrase, ESPEAK, noCache=False)) for phrase in phrases]


def _end(home: Home, service: Service) -> None:
    with home.connected() as client:
        _reply(client.ask("shutdown"))
        service.process.wait(PATIENCE_S)


def say(scale: float, seed: int) -> list[Promise]:
    """A short new phrase to a file by whole processes: through the daemon, without, and nothing.

    What the daemon adds to the start of an interpreter is its share; texts are new each time.
    """
    repeats = max(3, int(SAY_REPEATS * scale))
    times_ms: dict[str, list[float]] = {"daemon": [], "alone": [], "python": []}
    with Home() as home:
        service = home.daemon(preload=ESPEAK)
        for repeat in range(repeats + 1):
            for way in times_ms:
                text = f"Phrase {repeat} of {seed}, {way}."
                phrase = home.command("say", text, "-v", ESPEAK, "-o", f"{way}-{repeat}.wav")
                command = {
                    "daemon": phrase,
                    "alone": [*phrase, "--no-daemon"],
                    "python": [sys.executable, "-c", "pass"],
                }[way]
                started_at = time.perf_counter()
                home.run(command)
                if repeat:  # the first compiles the modules
                    times_ms[way].append((time.perf_counter() - started_at) * 1000)
        with home.connected() as client:
            counts = _reply(client.ask("metrics")).fields["metrics"]["requests"]
        written = len(list(home.work.glob("*.wav")))
        _end(home, service)
    medians = {way: round(statistics.median(values), 1) for way, values in times_ms.items()}
    return [
        Promise("repeats of each", repeats),
        Promise("files missing", 2 * (repeats + 1) - written, at_most=0),
        Promise("phrases that the daemon did not speak", repeats + 1 - counts["ok"], at_most=0),
        Promise("ms of an interpreter that does nothing", medians["python"]),
        Promise("ms of say without the daemon", medians["alone"]),
        Promise("ms of say through the daemon", medians["daemon"], at_most=150),
    ]


@dataclass(frozen=True)
class _Try:
    """A request, and how it went."""

    engine: str
    answer: Answer | None

    @property
    def is_ok(self) -> bool:
        return self.answer is not None and self.answer.code is None


def kills(scale: float, seed: int) -> list[Promise]:
    """SIGKILL a worker every five seconds while four clients ask without a pause.

    Recovered is an engine when a request that was sent to it after the kill is answered.
    """
    source = random.Random(seed)
    count = max(2, int(KILLS * scale))
    tries: list[_Try] = []
    killed: list[tuple[float, str]] = []
    is_over = threading.Event()
    with Home() as home, ExitStack() as stack:
        service = home.daemon("--workers", "2", preload=f"{FAULTY},{ESPEAK}")
        clients = [stack.enter_context(home.connected()) for _ in range(KILL_CLIENTS)]

        def work(client: Client) -> None:
            while not is_over.is_set():
                number = source.randrange(10**6)
                tone = f"!slow=60 tone number {number}", FAULTY
                speech = f"Sentence number {number} of a long day of talking.", ESPEAK
                text, voice = source.choice((tone, speech))
                answers, _ = settled([client.speak(text, voice)])
                tries.append(_Try(voice.partition(":")[0], answers[0] if answers else None))
                if not answers:
                    return  # the daemon is gone, or as good as gone

        def kill() -> None:
            try:
                for _ in range(count):
                    is_over.wait(KILL_EVERY_S)
                    killed.extend(_kill_one(service, source))
                is_over.wait(KILL_EVERY_S)
            finally:
                is_over.set()

        _side_by_side([kill, *(partial(work, client) for client in clients)])
        ended = int(service.process.poll() is not None)
        ended_at = time.perf_counter()
        retried = service.log.count("trying again")
    recovered_s = [_recovered_s(kill, tries, ended_at) for kill in killed]
    bad = [each for each in tries if not each.is_ok]
    failed_at = [each.answer.arrived_at for each in bad if each.answer]
    bounds = [*(at for at, _ in killed), ended_at]
    per_kill = [sum(start <= at < end for at in failed_at) for start, end in pairwise(bounds)]
    return [
        Promise("kills", len(killed)),
        Promise("requests", len(tries)),
        Promise("requests that another worker took over", retried),
        Promise("requests lost", sum(each.answer is None for each in tries), at_most=0),
        Promise("requests failed after one kill, most", max(per_kill), at_most=1),
        Promise("share of requests failed", round(len(bad) / len(tries), 4), at_most=0.01),
        Promise("s until the engine answers again, median", _median(recovered_s)),
        Promise("s until the engine answers again, most", _most(recovered_s), at_most=3),
        Promise("deaths of the daemon", ended, at_most=0),
    ]


def _kill_one(service: Service, source: random.Random) -> list[tuple[float, str]]:
    """Kill a worker; return when, and of which engine. Nothing where none runs."""
    workers = service.workers()
    if not workers:
        return []
    victim = source.choice(workers)
    try:
        engine = victim.cmdline()[-1]
        victim.kill()
    except (psutil.NoSuchProcess, IndexError):
        return []
    return [(time.perf_counter(), engine)]


def _recovered_s(kill: tuple[float, str], tries: list[_Try], ended_at: float) -> float:
    """Return how long after `kill` its engine answered a request that was sent later."""
    killed_at, engine = kill
    arrived = (
        each.answer.arrived_at
        for each in tries
        if each.is_ok and each.answer and each.engine == engine and each.answer.sent_at > killed_at
    )
    return min(arrived, default=ended_at) - killed_at


def overload(scale: float, seed: int) -> list[Promise]:
    """500 who all ask at once, and ask again a second after each answer, on 60 connections.

    Two workers take 200 ms each time, and 64 requests may wait: most are refused. Meanwhile
    another client pings.
    """
    seconds = max(2, int(OVERLOAD_S * scale))
    asked: list[Future[Answer]] = []
    pings: list[Future[Answer]] = []
    is_over = threading.Event()
    with Home() as home, ExitStack() as stack:
        service = home.daemon("--workers", "2", preload=FAULTY)
        clients = [stack.enter_context(home.connected()) for _ in range(OVERLOAD_CONNECTIONS)]
        pinging = stack.enter_context(home.connected())

        def ask() -> None:
            try:
                asked.extend(_insist(clients, seconds))
                settled(asked)
            finally:
                is_over.set()

        _side_by_side([ask, lambda: pings.extend(_pings([pinging], is_over.is_set))])
        answers, lost = settled(asked)
        pinged, silent = settled(pings)
        resets = sum(client.is_cut_off for client in (*clients, pinging))
        ended = int(service.process.poll() is not None)
    refused_ms = [answer.took_ms for answer in answers if answer.code == "TTS_BUSY"]
    spoken_ms = [answer.took_ms for answer in answers if answer.code is None]
    pinged_ms = [answer.took_ms for answer in pinged]
    return [
        Promise("requests", len(asked)),
        Promise("requests spoken", len(spoken_ms)),
        Promise("requests refused", len(refused_ms)),
        Promise("requests failed", len(answers) - len(spoken_ms) - len(refused_ms), at_most=0),
        Promise("requests without an answer", lost, at_most=0),
        Promise("connections cut off", resets, at_most=0),
        Promise("ms to a refusal, p99", round(percentile(refused_ms or [0.0], 99), 1)),
        Promise("ms to a refusal, longest", round(max(refused_ms, default=0.0), 1), at_most=1000),
        Promise("ms to speech, longest", round(max(spoken_ms, default=0.0), 1)),
        Promise("pings without an answer", silent, at_most=0),
        Promise("ms to answer a ping, p99", round(percentile(pinged_ms, 99), 1), at_most=200),
        Promise("ms to answer a ping, longest", round(max(pinged_ms), 1)),
        Promise("deaths of the daemon", ended, at_most=0),
    ]


def _insist(clients: list[Client], seconds: int) -> list[Future[Answer]]:
    """Have each of 500 ask again, every second that it is not waiting for an answer."""
    asked: list[Future[Answer]] = []
    latest: list[Future[Answer] | None] = [None] * OVERLOAD_CLIENTS
    started_at = time.monotonic()
    for second in range(seconds):
        time.sleep(max(0.0, started_at + second - time.monotonic()))
        for number, before in enumerate(latest):
            if before is None or before.done():
                text = f"!slow=200 number {number} in second {second}"
                latest[number] = reply = clients[number % len(clients)].speak(text, FAULTY)
                asked.append(reply)
    return asked


@dataclass(frozen=True)
class _Wanted:
    """A request of the soak, and what is to come of it."""

    fields: dict[str, object]
    code: str | None = None
    """How it is to fail; None where it is to go well."""

    sound: bytes | None = None
    """Every sample, where they are known."""


_HOSTILE = [
    _Wanted({"text": "!segv at once", "voice": FAULTY}, "TTS_ENGINE_CRASHED"),
    _Wanted({"text": "", "voice": ESPEAK}, "TTS_INVALID_REQUEST"),
    _Wanted({"text": "Who is there?", "voice": "espeak:nobody-knows"}, "TTS_INVALID_VOICE"),
]
_HOSTILE_EVERY = 100
_FORMATS: list[dict[str, object]] = [
    {"format": "wav"},
    {"format": "opus"},
    {"stream": True, "format": "pcm"},
]


def soak(scale: float, seed: int) -> list[Promise]:
    """Two requests a second on four connections, one in a hundred hostile, for half an hour.

    The slope is of the daemon's resident memory, by least squares, after the first third: by then
    the caches, which are kept small, are full. It is promised for the whole half hour only.
    """
    source = random.Random(seed)
    count = max(60, int(SOAK_REQUESTS * scale))
    asked: list[tuple[_Wanted, Future[Answer]]] = []
    sizes: list[tuple[float, float, int]] = []
    with Home() as home, ExitStack() as stack:
        small = ("--cache-memory-mb", "4", "--cache-mb", "20")
        service = home.daemon("--workers", "2", preload=f"{SINE},{ESPEAK}", before=small)
        clients = [stack.enter_context(home.connected()) for _ in range(SOAK_CLIENTS)]
        started_at = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, started_at + number * SOAK_EVERY_S - time.monotonic()))
            if service.process.poll() is not None:
                break
            sizes.append(_size(service, started_at))
            wanted = _wanted(source, number)
            asked.append(
                (wanted, clients[number % SOAK_CLIENTS].ask("synthesize", **wanted.fields))
            )
        _, lost = settled(reply for _, reply in asked)
        ended = int(service.process.poll() is not None)
    settled_sizes = sizes[len(sizes) // 3 :]
    hours, mbs, _ = zip(*settled_sizes, strict=True)
    slope = statistics.linear_regression(hours, mbs).slope
    early, late = _ends(settled_sizes)
    wrong = sum(not _is_right(wanted, answer) for wanted, answer in answered(asked))
    return [
        Promise("minutes", round((hours[-1] - sizes[0][0]) * 60, 1)),
        Promise("requests", count),
        Promise("hostile ones", sum(wanted.code is not None for wanted, _ in asked)),
        Promise("replies lost", lost + count - len(asked), at_most=0),
        Promise("replies that are not what was asked for", wrong, at_most=0),
        Promise("deaths of the daemon", ended, at_most=0),
        Promise("MB of the daemon at the end", round(late[0], 1)),
        Promise("MB grown since the first third", round(late[0] - early[0], 2)),
        Promise("MB an hour, slope", round(slope, 2), at_most=1 if scale >= 1 else None),
        Promise("file descriptors grown", late[1] - early[1], at_most=0),
    ]


def _wanted(source: random.Random, number: int) -> _Wanted:
    if number % _HOSTILE_EVERY == _HOSTILE_EVERY // 2:
        return _HOSTILE[number // _HOSTILE_EVERY % len(_HOSTILE)]
    drawn = source.randrange(3_000)
    if source.random() < 0.5:
        text = f"text number {drawn}"
        return _Wanted(
            {"text": text, "voice": SINE, "format": "pcm", "noCache": source.random() < 0.5},
            sound=_tone_sound(text),
        )
    text = f"Sentence number {drawn} of a long day of talking."
    if source.random() < 0.3:
        text += " There is another one, so that two workers have something to do."
    return _Wanted({"text": text, "voice": ESPEAK, **source.choice(_FORMATS)})


def _is_right(wanted: _Wanted, answer: Answer) -> bool:
    if answer.code is not None or wanted.code is not None:
        return answer.code == wanted.code
    return wanted.sound is None or answer.sound == wanted.sound


def _size(service: Service, started_at: float) -> tuple[float, float, int]:
    """Return hours since the start, resident MB of the daemon, and its open descriptors."""
    seen = service.seen
    hours = (time.monotonic() - started_at) / 3600
    return hours, seen.memory_info().rss / 1e6, seen.num_fds()


def _ends(sizes: list[tuple[float, float, int]]) -> tuple[tuple[float, int], tuple[float, int]]:
    """Return the median MB and descriptors of the first tenth, and of the last."""
    tenth = max(1, len(sizes) // 10)
    first, last = (
        (
            statistics.median(mb for _, mb, _ in part),
            int(statistics.median_high(descriptors for _, _, descriptors in part)),
        )
        for part in (sizes[:tenth], sizes[-tenth:])
    )
    return first, last


def orphans(scale: float, seed: int) -> list[Promise]:
    """SIGKILL services in the middle of work, daemons and those on pipes in turn."""
    source = random.Random(seed)
    count = max(2, int(ORPHAN_KILLS * scale))
    left = workers = in_hand = 0
    waited_s = [0.0]
    with Home() as home:
        for number in range(count):
            with ExitStack() as stack:
                if number % 2:
                    service, client = home.stdio("--workers", "3", preload=FAULTY)
                    service.wait_ready()
                else:
                    service = home.daemon("--workers", "3", preload=FAULTY)
                    client = stack.enter_context(home.connected())
                asked = _work_to_do(client)
                time.sleep(source.uniform(0.2, 1.5))
                workers += len(service.workers())
                in_hand += sum(not reply.done() for reply in asked)
                service.process.kill()
                killed_at = time.monotonic()
                service.process.wait()
                while home.processes() and time.monotonic() < killed_at + ORPHAN_WAIT_S:
                    time.sleep(0.02)
                waited_s.append(time.monotonic() - killed_at)
                survivors = home.processes()
                left += len(survivors)
                kill_all(survivors)
    return [
        Promise("services killed", count),
        Promise("workers that they had", workers),
        Promise("requests that they had in hand", in_hand),
        Promise("s until the last of them was gone, longest", _most(waited_s)),
        Promise("processes left after 3 s", left, at_most=0),
    ]


def _work_to_do(client: Client) -> list[Future[Answer]]:
    """Ask for what takes longer than the service will live."""
    book = " ".join(f"Sentence number {number} of a long book." for number in range(100))
    return [
        client.speak("!slow=20000 and so it goes on for a while", FAULTY),
        client.speak("!hang for ever", FAULTY),
        client.speak(book, ESPEAK, stream=True),
    ]


def _reply(asked: Future[Answer]) -> Answer:
    """Wait for a reply that tells of success.

    Raises:
        RuntimeError: It tells of something else.
    """
    answer = asked.result(PATIENCE_S)
    if answer.code is not None:
        raise RuntimeError(f"the service answered: {answer.fields['error']}")
    return answer


def _side_by_side(works: list[Callable[[], None]]) -> None:
    """Do all at the same time, and wait for all; what one raises is raised here."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _failed(answers: list[Answer]) -> int:
    return sum(answer.code is not None for answer in answers)


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


def _most(values: list[float]) -> float:
    return round(max(values), 2)

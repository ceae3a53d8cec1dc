"""Where sound goes: a file, bytes, or the loudspeaker; and the report of how it went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ttsctl.audio.encode import encode, encode_live, encode_whole, head_of_file
from ttsctl.audio.formats import Encoding
from ttsctl.cache.key import derived_key, utterance_key
from ttsctl.files import Head, write_whole
from ttsctl.metrics import timed
from ttsctl.speech import Clip, Voice, join
from ttsctl.text.safe import NORMALISER_VERSION
from ttsctl.workflows.plan import PlannedUtterance
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import SoundFacts, Speaker, remembered
from ttsctl.workflows.speech_log import SpeechLog

_logger = logging.getLogger(__name__)

Player = Callable[[Iterable[Clip]], None]
Encoder = Callable[[Iterable[Clip], Encoding], Iterator[bytes]]


class FileWriter(Protocol):
    """Writes a file, as `ttsctl.files.write_whole` does."""

    def __call__(
        self, path: Path, blocks: Iterable[bytes], *, replace: bool, head: Head | None
    ) -> int:
        """Write `blocks` to `path`, and return how many bytes they are."""
        ...


@dataclass(frozen=True)
class SpeechRequest:
    """What is to be spoken."""

    voice: Voice

    utterances: Iterable[PlannedUtterance]
    """A sequence where the text is known to its end, an iterator where it still arrives."""

    has_units: bool = False
    """Whether the log must have the units, which a finished file from the cache does not tell."""


def to_file(
    speaker: Speaker,
    request: SpeechRequest,
    path: Path,
    encoding: Encoding,
    *,
    replace: bool,
    write: FileWriter = write_whole,
) -> SpeechReport:
    """Write the speech to `path`, whole or not at all; see `write_whole` for the errors."""
    log = speaker.start_log()
    with closing(encoded(speaker, request, encoding, log)) as blocks:
        size_bytes = write(path, blocks, replace=replace, head=head_of_file(encoding))
    return _report(request, log, str(path), encoding, size_bytes)


def to_bytes(
    speaker: Speaker, request: SpeechRequest, encoding: Encoding, write: Callable[[bytes], None]
) -> SpeechReport:
    """Hand the finished file to `write`, with the true length in its header."""
    log = speaker.start_log()
    if encoding.format == "wav":
        data = encode_whole(join(list(speaker.clips(request.utterances, log))), encoding)
    else:
        data = b"".join(encoded(speaker, request, encoding, log))
    write(data)
    return _report(request, log, "-", encoding, len(data))


def to_stream(
    speaker: Speaker,
    request: SpeechRequest,
    encoding: Encoding,
    write: Callable[[bytes, int], None],
) -> SpeechReport:
    """Hand the speech to `write` in frames of 20 ms, each as soon as it exists, with its rate.

    A header cannot tell the length then; a WAV file claims to be as long as one can be.
    """
    log = speaker.start_log()
    size_bytes = 0
    for block in _encode(speaker, request.utterances, encoding, log, encode_live):
        write(block, encoding.output_rate(log.sample_rate))
        size_bytes += len(block)
    return _report(request, log, "-", encoding, size_bytes)


def to_player(speaker: Speaker, request: SpeechRequest, play: Player) -> SpeechReport:
    """Play the speech while it comes into being."""
    log = speaker.start_log()
    with closing(speaker.clips(request.utterances, log)) as clips:
        play(clips)
    return _report(request, log, None, None, 0)


def utterance_key_of(planned: PlannedUtterance) -> str:
    """Return the cache key of the sound of an utterance."""
    return utterance_key(planned.utterance, NORMALISER_VERSION)


def request_key(utterances: Sequence[PlannedUtterance], encoding: Encoding) -> str:
    """Return the digest of all that decides the bytes that the utterances become."""
    parts = [encoding.identity]
    for planned in utterances:
        parts += [utterance_key_of(planned), f"{planned.pause_s:.6f}"]
    return derived_key(*parts)


def cache_keys(utterances: Sequence[PlannedUtterance], encoding: Encoding) -> list[str]:
    """Return the keys of all that the cache keeps of a request: its utterances, and its file."""
    keys = [utterance_key_of(planned) for planned in utterances]
    return keys if encoding.format == "wav" else [*keys, request_key(utterances, encoding)]


def encoded(
    speaker: Speaker, request: SpeechRequest, encoding: Encoding, log: SpeechLog
) -> Generator[bytes, None, None]:
    """Yield the speech as `encoding` has it, from the cache where it is known in that form.

    Nothing is kept as WAV here: that is how its utterances are kept already.
    """
    utterances = request.utterances
    if encoding.format == "wav" or request.has_units or not isinstance(utterances, Sequence):
        yield from _encode(speaker, utterances, encoding, log)
        return
    key = request_key(utterances, encoding)
    if hit := speaker.look_up(key):
        log.answer(hit, utterances)
        yield hit.record.payload
        return
    text = "".join(planned.utterance.text for planned in utterances)
    if len(text) > speaker.cacheable_chars:
        yield from _encode(speaker, utterances, encoding, log)
        return
    blocks = []
    for block in _encode(speaker, utterances, encoding, log):
        blocks.append(block)
        yield block
    if log.chain.fallback:
        return  # what another voice said must not be kept under this one's key
    payload = b"".join(blocks)
    dropped = log.dropped - sum(planned.dropped for planned in utterances)  # by the voice alone
    facts = SoundFacts(encoding.format, log.sample_rate, log.duration_s, tuple(log.words), dropped)
    speaker.cache.put(key, remembered("encoded", request.voice, text, facts, payload))


def _encode(
    speaker: Speaker,
    utterances: Iterable[PlannedUtterance],
    encoding: Encoding,
    log: SpeechLog,
    encoder: Encoder = encode,
) -> Iterator[bytes]:
    def clips_took(seconds: float) -> None:
        log.encode_s -= seconds

    def blocks_took(seconds: float) -> None:
        log.encode_s += seconds

    clips = timed(speaker.clips(utterances, log), clips_took)
    yield from timed(encoder(clips, encoding), blocks_took)


def _report(
    request: SpeechRequest,
    log: SpeechLog,
    output: str | None,
    encoding: Encoding | None,
    size_bytes: int,
) -> SpeechReport:
    report = SpeechReport(request.voice, log, output, encoding, size_bytes, log.elapsed_s())
    _logger.debug(
        "%s, %s, %d characters, ms: %s, time line: %s",
        report.voice_used.id,
        log.cache,
        log.chars,
        report.timings_ms(),
        report.timeline_ms(),
    )
    return report

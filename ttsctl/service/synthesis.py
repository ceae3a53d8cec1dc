"""One request for speech: from its fields to a file, a stream of events, or one reply."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ttsctl.audio.formats import STREAMABLE, Encoding, format_named, format_of
from ttsctl.errors import InvalidRequestError, TextTooLongError, TtsctlError
from ttsctl.patience import Patience
from ttsctl.service import protocol
from ttsctl.service.protocol import Synthesize
from ttsctl.service.service import Service
from ttsctl.voices.catalogue import resolve
from ttsctl.workflows.deliver import SpeechRequest, to_bytes, to_file, to_stream
from ttsctl.workflows.plan import Manner, PlannedUtterance, check_manner, plan
from ttsctl.workflows.report import SpeechReport
from ttsctl.workflows.speak import Speaker

Reply = Callable[[dict[str, Any]], None]


def synthesize(service: Service, request: Synthesize, patience: Patience, reply: Reply) -> None:
    """Carry out `request`, and reply: events where it is streamed, and the report at the end.

    Raises:
        InvalidRequestError: It makes no sense, or its file is outside of the output root.
        TextTooLongError: Its text is over the limit of the service.
        TtsctlError: See `ttsctl.workflows.say.speak`, and `Service.turn`.
    """
    try:
        path = _path(service, request)
        encoding = _encoding(request, path)
        manner = _manner(request)
        utterances = _plan(service, request, manner)
    except TtsctlError as error:
        service.refused(error)
        raise
    speaker = service.speaker(
        patience,
        is_cached=request.is_cached,
        is_refreshing=request.is_refreshing,
        has_fallback=request.has_fallback,
    )
    delivery = _Delivery(speaker, SpeechRequest(manner.voice, utterances), encoding, path)

    def work() -> SpeechReport:
        with service.turn(speaker, utterances, patience):
            return delivery.stream(request, reply) if request.is_streamed else delivery.whole()

    report = service.report(manner.voice, work)
    reply(protocol.success(request.id, **_fields(report), **delivery.fields))


class _Delivery:
    """Where the sound of one request goes."""

    def __init__(
        self, speaker: Speaker, request: SpeechRequest, encoding: Encoding, path: Path | None
    ) -> None:
        self._speaker = speaker
        self._request = request
        self._encoding = encoding
        self._path = path
        self.fields: dict[str, Any] = {}
        """What the reply says of it."""

    def whole(self) -> SpeechReport:
        """Write the file, or put it into the reply where there is none to write."""
        speaker, request, encoding = self._speaker, self._request, self._encoding
        if self._path is not None:
            report = to_file(speaker, request, self._path, encoding, replace=True)
            self.fields = {"filePath": report.output, "fileSize": report.size_bytes}
            return report

        def keep(data: bytes) -> None:
            self.fields = {"data": base64.b64encode(data).decode(), "fileSize": len(data)}

        return to_bytes(speaker, request, encoding, keep)

    def stream(self, request: Synthesize, reply: Reply) -> SpeechReport:
        """Reply with an event for each piece of sound."""
        sent = 0

        def send(data: bytes, sample_rate: int) -> None:
            nonlocal sent
            reply(protocol.audio_event(request.id, sent, sample_rate, data))
            sent += 1

        report = to_stream(self._speaker, self._request, self._encoding, send)
        self.fields = {"events": sent}
        return report


def _path(service: Service, request: Synthesize) -> Path | None:
    """Return the file to write, which is below the output root wherever links lead to."""
    if request.output_path is None:
        return None
    root = service.limits.output_root
    if root is None:
        raise InvalidRequestError(
            "this service writes no files; start it with --output-root DIR, or leave outputPath out"
        )
    real_root = os.path.realpath(root)
    path = os.path.realpath(os.path.join(real_root, request.output_path))
    if os.path.commonpath([real_root, path]) != real_root or path == real_root:
        raise InvalidRequestError(
            f"'{request.output_path}' is outside of the output folder {root}; name a file in it"
        )
    return Path(path)


def _encoding(request: Synthesize, path: Path | None) -> Encoding:
    if path is not None:
        name = format_of(path, request.format)
    else:
        name = request.format or ("pcm" if request.is_streamed else "wav")
    encoding = Encoding(name, request.sample_rate, request.bitrate_bps)
    if request.is_streamed and not format_named(name).is_streamable:
        raise InvalidRequestError(f"'{name}' cannot be streamed; formats that can: {STREAMABLE}")
    return encoding


def _manner(request: Synthesize) -> Manner:
    voice = resolve(request.voice, request.language)
    return check_manner(
        Manner(
            voice,
            request.language or voice.language,
            request.speed,
            request.sentence_silence_s,
            options=request.options,
        )
    )


def _plan(service: Service, request: Synthesize, manner: Manner) -> Sequence[PlannedUtterance]:
    limit = service.limits.max_chars
    if len(request.text) > limit:
        raise TextTooLongError(
            f"the text has {len(request.text):,} characters, over the service's limit of"
            f" {limit:,}; send it in parts, or start the service with --max-chars"
        )
    return list(plan([request.text], manner, max_chars=limit))


def _fields(report: SpeechReport) -> dict[str, Any]:
    """Return what the protocol has of a report, by its names."""
    fields = report.fields()
    same = ("engine", "voice", "fallback", "cache", "chars", "dropped", "timings_ms", "words")
    return {
        "duration": fields["duration_s"],
        "format": fields["format"],
        "sampleRate": fields["sample_rate"],
        **{name: fields[name] for name in same},
    }

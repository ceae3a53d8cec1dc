"""The embedded voice: espeak-ng 1.52 through ctypes, library and data from `espeakng_loader`.

espeak-ng is one global state machine that is not thread-safe and that can die on ordinary text;
a worker process, used by one request at a time, answers both.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import closing

import espeakng_loader

from ttsctl.engines.options import read_options
from ttsctl.errors import EngineError, InvalidVoiceError, NotInstalledError, nearest
from ttsctl.speech import Clip, Utterance, Voice, silence

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1
_PARAMETER_RATE = 1
_CHUNK_MS = 50

_NORMAL_RATE_WPM = 175
# Between these the library's own rate is true to 3 %; below 0.46 it is clamped, above 1.5 it
# shortens short phrases by up to 15 %. What is asked for beyond them is done by the
# time-stretcher that the library contains.
_NATIVE_SPEEDS = (0.5, 1.3)

# How long the library itself pauses inside a text, measured; a cut there must not swallow it.
_PAUSES_S = {",": 0.145, ";": 0.22, ":": 0.22, ".": 0.3, "!": 0.3, "?": 0.3}

_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _VoiceRecord(ctypes.Structure):
    """`espeak_VOICE` of speak_lib.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # priority byte, tag, NUL; repeated; ends with a 0 byte
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


class EspeakEngine:
    """espeak-ng, initialised once for the life of the process."""

    def __init__(self) -> None:
        self._library = _load_library()
        self._sample_rate = _initialize(self._library)
        self._heard: list[bytes] = []
        # The library keeps the pointer: the callback object must live as long as the engine.
        self._callback = _SynthCallback(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice_name = ""

    def voices(self) -> list[Voice]:
        """Return one voice a language; variants ("en-us+f3") are the same voices, coloured."""
        return [Voice("espeak", tag, tag, "") for tag in sorted(self._languages())]

    def load(self, voice: Voice) -> None:
        """Select the language and the variant."""
        if voice.name == self._voice_name:
            return
        tag, plus, variant = voice.name.partition("+")
        languages, variants = self._languages(), self._variants()
        if tag not in languages:
            raise InvalidVoiceError(f"voice '{voice.id}' not found{nearest(tag, languages)}")
        # The library would speak without a variant that it does not know.
        if plus and variant not in variants:
            raise InvalidVoiceError(
                f"variant '{variant}' of voice '{voice.id}' not found{nearest(variant, variants)}"
            )
        status = self._library.espeak_SetVoiceByName(f"{languages[tag]}{plus}{variant}".encode())
        if status != 0:
            raise InvalidVoiceError(f"espeak-ng cannot load voice '{voice.id}' (status {status})")
        self._voice_name = voice.name

    def synthesize(self, utterance: Utterance) -> Iterator[Clip]:
        """Yield one clip a clause: 16-bit samples at 22,050 Hz."""
        read_options("espeak", utterance.options, {})
        self.load(utterance.voice)
        low, high = _NATIVE_SPEEDS
        native_speed = min(max(utterance.speed, low), high)
        self._library.espeak_SetParameter(
            _PARAMETER_RATE, round(_NORMAL_RATE_WPM * native_speed), 0
        )
        clips = self._speak_all(utterance.clauses, native_speed)
        if native_speed == utterance.speed:
            yield from clips
            return
        with closing(_Stretcher(self._library, self._sample_rate)) as stretcher:
            stretcher.set_speed(utterance.speed / native_speed)
            yield from stretcher.stretch(clips)

    def _speak_all(self, clauses: tuple[str, ...], speed: float) -> Iterator[Clip]:
        for clause in clauses[:-1]:
            yield self._speak(clause)
            yield silence(_PAUSES_S.get(clause.rstrip()[-1:], 0.0) / speed, self._sample_rate)
        yield self._speak(clauses[-1])

    def _speak(self, clause: str) -> Clip:
        self._heard.clear()
        text = clause.encode()
        status = self._library.espeak_Synth(
            text, len(text) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != 0:
            raise EngineError(f"espeak-ng refused the text (status {status})")
        return Clip(b"".join(self._heard), self._sample_rate)

    def _hear(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if count > 0:
            self._heard.append(ctypes.string_at(samples, count * 2))
        return 0

    @functools.lru_cache(maxsize=1)  # noqa: B019 - the engine lives as long as its process
    def _languages(self) -> dict[str, str]:
        """Return language tag to the voice file that speaks it: {"fr-fr": "roa/fr"}."""
        files = [
            (_first_language(record), record.identifier.decode())
            for record in self._list_voices(None)
        ]
        # A shorter name first: "sit/yue" speaks yue, "sit/yue-Latn-jyutping" its transliteration.
        return dict(sorted(files, key=lambda entry: -len(entry[1])))

    @functools.lru_cache(maxsize=1)  # noqa: B019
    def _variants(self) -> list[str]:
        kind = ctypes.create_string_buffer(b"variant")
        wanted = _VoiceRecord(languages=ctypes.addressof(kind))
        found = self._list_voices(ctypes.byref(wanted))
        return [record.identifier.decode().rpartition("/")[2] for record in found]

    def _list_voices(self, wanted: object) -> list[_VoiceRecord]:
        records = self._library.espeak_ListVoices(wanted)
        found: list[_VoiceRecord] = []
        while pointer := records[len(found)]:
            found.append(pointer.contents)
        return found


class _Stretcher:
    """Changes the speed without the pitch: the sonic library, which espeak-ng carries in itself."""

    def __init__(self, library: ctypes.CDLL, sample_rate: int) -> None:
        self._library = library
        self._sample_rate = sample_rate
        self._stream = library.sonicCreateStream(sample_rate, 1)

    def set_speed(self, factor: float) -> None:
        self._library.sonicSetSpeed(self._stream, factor)

    def stretch(self, clips: Iterator[Clip]) -> Iterator[Clip]:
        for clip in clips:
            self._library.sonicWriteShortToStream(self._stream, clip.pcm, clip.frames)
            yield self._read()
        self._library.sonicFlushStream(self._stream)
        yield self._read()

    def _read(self) -> Clip:
        frames = self._library.sonicSamplesAvailable(self._stream)
        buffer = (ctypes.c_short * frames)()
        self._library.sonicReadShortFromStream(self._stream, buffer, frames)
        return Clip(bytes(buffer), self._sample_rate)

    def close(self) -> None:
        self._library.sonicDestroyStream(self._stream)


def _load_library() -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceRecord))
    library.sonicCreateStream.restype = ctypes.c_void_p
    stream = ctypes.c_void_p
    library.sonicSetSpeed.argtypes = [stream, ctypes.c_float]
    library.sonicWriteShortToStream.argtypes = [stream, ctypes.c_char_p, ctypes.c_int]
    library.sonicFlushStream.argtypes = [stream]
    library.sonicSamplesAvailable.argtypes = [stream]
    library.sonicReadShortFromStream.argtypes = [stream, ctypes.c_void_p, ctypes.c_int]
    library.sonicDestroyStream.argtypes = [stream]
    return library


def _initialize(library: ctypes.CDLL) -> int:
    data_folder = espeakng_loader.get_data_path().encode()
    sample_rate = library.espeak_Initialize(
        _AUDIO_OUTPUT_SYNCHRONOUS, _CHUNK_MS, data_folder, _INITIALIZE_DONT_EXIT
    )
    if sample_rate <= 0:
        raise NotInstalledError(
            f"espeak-ng cannot read its data in {data_folder.decode()};"
            " reinstall it: pip install --force-reinstall espeakng-loader"
        )
    return int(sample_rate)


def _first_language(record: _VoiceRecord) -> str:
    return ctypes.string_at(record.languages + 1).decode()

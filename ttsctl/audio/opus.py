"""Ogg Opus (RFC 6716, RFC 7845) by libopusenc, which PyOgg finds and loads.

libopusenc resamples, so sound of any rate goes in. Where the library is missing libsndfile takes
its place: slower and with longer pages, but a file of the same duration.

The functions are declared here rather than taken from PyOgg, which declares them only where
libopusfile is installed too: a decoder, which nothing here needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from types import ModuleType

from ttsctl.audio.formats import Encoding
from ttsctl.audio.stream import Stream
from ttsctl.errors import OutputError
from ttsctl.speech import SAMPLE_BYTES

Comments = Sequence[tuple[str, str]]  # Vorbis comments: names in capitals, and values

_MONO = 1
_MAPPING_FAMILY = 0  # RFC 7845, section 5.1.1: mono or stereo

# Requests of opus_defines.h and opusenc.h.
_SET_BITRATE = 4002
_SET_COMPLEXITY = 4010
_SET_DECISION_DELAY = 14000
_SET_MUXING_DELAY = 14002
_SET_COMMENT_PADDING = 14004

# The kind of signal is left for the codec to judge: to be told "voice" makes it use its linear
# predictor at these bit rates, in which it takes twice as long.
_SETTINGS = {
    _SET_COMPLEXITY: 5,  # of 10, which takes three times as long, most of it to look for music
    _SET_DECISION_DELAY: 0,  # unused at this complexity, but 2 s of sound would wait for it
    _SET_COMMENT_PADDING: 0,  # bytes for later editing, 512 of them by default
}

# The length of a page, at 48 kHz. A page has a header of 28 bytes or more; ten minutes of speech at
# 32 kbit/s come to 32.5 kbit/s in the longest pages, 34.6 in those of a file, 43.3 in live ones.
_PAGE_FRAMES = 4_800  # 100 ms
_LIVE_PAGE_FRAMES = 960  # 20 ms: one packet, which leaves as soon as it is encoded


def load_library() -> ctypes.CDLL | None:
    """Return libopusenc, ready for use, or None where it or PyOgg is missing."""
    with _path_kept():
        try:
            bindings = importlib.import_module("pyogg.opus")
        except ImportError:
            return None
    library: ctypes.CDLL | None = bindings.libopusenc
    if library:
        _declare(library)
    return library


def encode(
    stream: Stream,
    encoding: Encoding,
    load: Callable[[], ctypes.CDLL | None] = load_library,
    comments: Comments = (),
) -> Generator[bytes, None, None]:
    """Yield the pages of an Ogg Opus stream, each as soon as it is full.

    The sound may have any sample rate. Closing the generator early frees the encoder.

    Args:
        stream: The sound.
        encoding: Its bit rate is the only choice there is.
        load: Finds libopusenc; None from it leaves the work to libsndfile.
        comments: Names and values for the OpusTags header, in this order: RFC 7845, section 5.2.
            Values without NUL. Of them libsndfile writes TITLE and leaves out the rest.

    Raises:
        OutputError: The encoder failed.
    """
    library = load()
    if library is None:
        title = dict(comments).get("TITLE", "")
        yield from _load_fallback().encode_opus(stream, encoding, title)
    else:
        yield from _encode(library, stream, encoding, _PAGE_FRAMES, comments)


def encode_live(
    stream: Stream,
    encoding: Encoding,
    load: Callable[[], ctypes.CDLL | None] = load_library,
) -> Generator[bytes, None, None]:
    """Yield pages of 20 ms, which `encode` makes longer, so that its files are a fifth smaller.

    The codec looks 6.5 ms ahead and the change of sample rate some more: a page leaves with the
    sound of the next one. libsndfile makes no pages below 60 ms. All else is as in `encode`.
    """
    library = load()
    if library is None:
        yield from _load_fallback().encode_opus_live(stream, encoding)
    else:
        yield from _encode(library, stream, encoding, _LIVE_PAGE_FRAMES)


def _encode(
    library: ctypes.CDLL,
    stream: Stream,
    encoding: Encoding,
    page_frames: int,
    comments: Comments = (),
) -> Generator[bytes, None, None]:
    settings = {
        **_SETTINGS,
        _SET_MUXING_DELAY: page_frames,
        _SET_BITRATE: encoding.effective_bitrate_bps,
    }
    with _encoder(library, stream.sample_rate, settings, comments) as encoder:
        for block in stream.blocks:
            frames = len(block) // SAMPLE_BYTES
            _check(library, library.ope_encoder_write(encoder, block, frames))
            yield from _pages(library, encoder)
        _check(library, library.ope_encoder_drain(encoder))
        yield from _pages(library, encoder)


def _load_fallback() -> ModuleType:
    return importlib.import_module("ttsctl.audio.sndfile")


@contextlib.contextmanager
def _path_kept() -> Iterator[None]:
    """Undo what PyOgg does to PATH: it appends ";folder;folder" to it, and fails without one."""
    path = os.environ.get("PATH")
    os.environ.setdefault("PATH", os.defpath)
    try:
        yield
    finally:
        if path is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = path


def _declare(library: ctypes.CDLL) -> None:
    """Give the functions their types, from opusenc.h; undeclared ones cut pointers to 32 bits."""
    pointer, number, integer = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int
    declarations: dict[str, tuple[object, list[object]]] = {
        "ope_comments_create": (pointer, []),
        "ope_comments_add": (integer, [pointer, ctypes.c_char_p, ctypes.c_char_p]),
        "ope_comments_destroy": (None, [pointer]),
        "ope_encoder_create_pull": (pointer, [pointer, number, integer, integer, pointer]),
        "ope_encoder_ctl": (integer, [pointer, integer]),  # and one argument more, variadic
        "ope_encoder_write": (integer, [pointer, ctypes.c_char_p, integer]),
        "ope_encoder_get_page": (integer, [pointer, pointer, pointer, integer]),
        "ope_encoder_drain": (integer, [pointer]),
        "ope_encoder_destroy": (None, [pointer]),
        "ope_strerror": (ctypes.c_char_p, [integer]),
    }
    for name, (result, arguments) in declarations.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


@contextlib.contextmanager
def _encoder(
    library: ctypes.CDLL,
    sample_rate: int,
    settings: Mapping[int, int | None],
    comments: Comments,
) -> Iterator[int]:
    """Make an encoder of libopusenc with these settings, and free it at the end."""
    error = ctypes.c_int()
    with _comments(library, comments) as tags:  # the encoder makes a copy
        encoder = library.ope_encoder_create_pull(
            tags, sample_rate, _MONO, _MAPPING_FAMILY, ctypes.byref(error)
        )
    _check(library, error.value)
    try:
        for request, value in settings.items():
            _check(library, library.ope_encoder_ctl(encoder, request, value))
        yield encoder
    finally:
        library.ope_encoder_destroy(encoder)


@contextlib.contextmanager
def _comments(library: ctypes.CDLL, comments: Comments) -> Iterator[int]:
    tags = library.ope_comments_create()
    try:
        for name, value in comments:
            _check(library, library.ope_comments_add(tags, name.encode(), value.encode()))
        yield tags
    finally:
        library.ope_comments_destroy(tags)


def _pages(library: ctypes.CDLL, encoder: int) -> Iterator[bytes]:
    """Yield the pages that are full, by a pull: callbacks would have to be kept alive."""
    page, size = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_int32()
    while library.ope_encoder_get_page(encoder, ctypes.byref(page), ctypes.byref(size), 0):
        yield ctypes.string_at(page, size.value)


def _check(library: ctypes.CDLL, status: int) -> None:
    if status:
        reason = library.ope_strerror(status).decode()
        raise OutputError(f"cannot encode Opus: {reason.lower()}")

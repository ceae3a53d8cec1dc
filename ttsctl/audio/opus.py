"""Ogg Opus (RFC 6716, RFC 7845) by libopusenc, which PyOgg finds and loads.

libopusenc resamples, so that sound of any rate goes in. Where the library is missing, libsndfile
takes its place: slower, with longer pages, and with the same samples to within the codec's error.

Three of its functions are declared here rather than taken from PyOgg, which declares them only
on machines that also have libopusfile, a decoder that nothing here needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ttsctl.audio.formats import Encoding
from ttsctl.audio.stream import Stream
from ttsctl.errors import OutputError
from ttsctl.speech import SAMPLE_BYTES

_MONO = 1
_MAPPING_FAMILY = 0  # RFC 7845, section 5.1.1: mono or stereo

# Requests of opus_defines.h and opusenc.h.
_SET_BITRATE = 4002
_SET_COMPLEXITY = 4010
_SET_DECISION_DELAY = 14000
_SET_MUXING_DELAY = 14002
_SET_COMMENT_PADDING = 14004

# Of 10. The default, 10, takes three times as long, most of it to tell speech from music.
_COMPLEXITY = 5

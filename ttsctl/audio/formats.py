"""The audio formats that ttsctl writes, and what may be asked of each.

Nothing here imports numpy or a codec: the command line reads this table each time it starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ttsctl.errors import InvalidRequestError, nearest

# Part of every cache key of encoded audio: raise it when the same request gives other bytes.
ENCODER_VERSION = 1

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000  # Hz


@dataclass(frozen=True)
class Format:
    """A kind of audio file."""

    name: str
    """As the user writes it: "opus"."""

    suffixes: tuple[str, ...]
    """Endings of its files in lower case, the usual one first: (".opus", ".ogg")."""

    is_streamable: bool = False
    """Whether its bytes can leave before the end of the sound is known."""

    default_sample_rate: int | None = None
    """Rate of its files unless the user asks for another; None is the voice's own."""

    sample_rates: tuple[int, ...] = ()
    """The only rates that its files can have; empty where any in the general range will do."""

    default_bitrate_bps: int | None = None
    """None where the bit rate follows from the sample rate or from the sound."""

    bitrates_bps: tuple[int, int] | None = None
    """Least and greatest bit rate."""

    is_resampling: bool = False
    """Whether its encoder takes sound of any rate, so that nothing need be resampled first."""


FORMATS = {
    entry.name: entry
    for entry in (
        Format("wav", (".wav",), is_streamable=True),
        # RFC 7845, section 4: the clock of Ogg Opus is 48 kHz whatever the rate of the source.
        Format(
            "opus",
            (".opus", ".ogg", ".oga"),
            is_streamable=True,
            default_sample_rate=48_000,
            sample_rates=(48_000,),
            default_bitrate_bps=32_000,
            bitrates_bps=(6_000, 256_000),
            is_resampling=True,
        ),
        # MPEG-1 only: MPEG-2 has other bit rates. Below 64 kbit/s a frame has no room for the tag
        # that tells a decoder where the sound begins and ends, and the file plays 70 ms too long.
        Format(
            "mp3",
            (".mp3",),
            default_sample_rate=44_100,
            sample_rates=(32_000, 44_100, 48_000),
            default_bitrate_bps=128_000,
            bitrates_bps=(64_000, 320_000),
        ),
        Format("flac", (".flac",)),
        Format("pcm", (".pcm", ".raw", ".s16"), is_streamable=True),
        # ITU-T G.711 is telephony at 8 kHz; other rates are allowed when asked for.
        Format("ulaw", (".ulaw", ".ul"), is_streamable=True, default_sample_rate=8_000),
        Format("alaw", (".alaw", ".al"), is_streamable=True, default_sample_rate=8_000),
    )
}

STREAMABLE = ", ".join(entry.name for entry in FORMATS.values() if entry.is_streamable)

_NAME_OF_SUFFIX = {suffix: entry.name for entry in FORMATS.values() for suffix in entry.suffixes}


@dataclass(frozen=True)
class Encoding:
    """How sound is to be written: always valid, because making a wrong one raises.

    Raises:
        InvalidRequestError: No such format, or it cannot have that sample rate or bit rate.
    """

    format: str
    """Name of a format in `FORMATS`."""

    sample_rate: int | None = None
    """Rate of the result; None leaves it to the format."""

    bitrate_bps: int | None = None
    """Bit rate of the result, nominal or exact as the format has it; None is the format's own."""

    def __post_init__(self) -> None:
        format_named(self.format)
        _check_sample_rate(self)
        _check_bitrate(self)

    @property
    def suffix(self) -> str:
        """The usual ending of the format's files: ".opus"."""
        return FORMATS[self.format].suffixes[0]

    @property
    def is_streamable(self) -> bool:
        """Whether `encode` gives bytes before the sound has ended."""
        return FORMATS[self.format].is_streamable

    @property
    def effective_bitrate_bps(self) -> int | None:
        """The bit rate asked for or else the format's own; None where the format has no choice."""
        return self.bitrate_bps or FORMATS[self.format].default_bitrate_bps

    @property
    def identity(self) -> str:
        """All that decides the bytes that come of a sound; equal for equal results."""
        sample_rate = self.sample_rate or FORMATS[self.format].default_sample_rate
        return f"{self.format}:{sample_rate}:{self.effective_bitrate_bps}:v{ENCODER_VERSION}"

    def output_rate(self, clip_rate: int) -> int:
        """Return the sample rate of the result for sound of `clip_rate`."""
        return self.sample_rate or FORMATS[self.format].default_sample_rate or clip_rate


def format_named(name: str) -> Format:
    """Return the format called `name`.

    Raises:
        InvalidRequestError: There is none; the message names the nearest, or that of the suffix.
    """
    if name in FORMATS:
        return FORMATS[name]
    by_suffix = _NAME_OF_SUFFIX.get(f".{name.lower().lstrip('.')}")
    hint = f"; did you mean '{by_suffix}'?" if by_suffix else nearest(name, FORMATS)
    raise InvalidRequestError(f"unknown format '{name}'{hint} (known: {', '.join(FORMATS)})")


def format_of(path: Path, explicit: str | None = None) -> str:
    """Return the name of the format for the file `path`: its suffix decides.

    Args:
        path: The file to write; it need not exist.
        explicit: The format that the user named. It serves where the suffix is missing or says
            nothing to us, and must agree where it does.

    Raises:
        InvalidRequestError: Suffix and name disagree, or neither tells the format.
    """
    by_suffix = _NAME_OF_SUFFIX.get(path.suffix.lower())
    if explicit is None:
        return by_suffix or _refuse_suffix(path)
    name = format_named(explicit).name
    if by_suffix not in (None, name):
        raise InvalidRequestError(
            f"'{path.name}' is the name of a {by_suffix} file, but the format asked for is {name}; "
            f"leave --format out or name the file '{path.stem}{FORMATS[name].suffixes[0]}'"
        )
    return name


def _refuse_suffix(path: Path) -> str:
    known = ", ".join(_NAME_OF_SUFFIX)
    if not path.suffix:
        raise InvalidRequestError(
            f"'{path.name}' has no suffix to tell the format; add one ({known}) or use --format"
        )
    raise InvalidRequestError(
        f"'{path.name}' has the unknown suffix '{path.suffix}'; known are {known}"
    )


def _check_sample_rate(encoding: Encoding) -> None:
    sample_rate, rates = encoding.sample_rate, FORMATS[encoding.format].sample_rates
    if sample_rate is None or sample_rate in rates:
        return
    if rates:
        raise InvalidRequestError(
            f"{encoding.format} cannot have a sample rate of {sample_rate} Hz; "
            f"possible: {', '.join(map(str, rates))}"
        )
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise InvalidRequestError(
            f"sample rate {sample_rate} Hz is out of range; "
            f"possible: {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )


def _check_bitrate(encoding: Encoding) -> None:
    bitrate_bps, limits = encoding.bitrate_bps, FORMATS[encoding.format].bitrates_bps
    if bitrate_bps is None:
        return
    if limits is None:
        with_bitrate = ", ".join(entry.name for entry in FORMATS.values() if entry.bitrates_bps)
        raise InvalidRequestError(
            f"{encoding.format} has no bit rate to choose; formats that have: {with_bitrate}"
        )
    least, greatest = limits
    if not least <= bitrate_bps <= greatest:
        raise InvalidRequestError(
            f"bit rate {bitrate_bps} bit/s is out of range for {encoding.format}; "
            f"possible: {least} to {greatest}"
        )

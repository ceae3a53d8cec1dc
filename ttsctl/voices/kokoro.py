"""Kokoro voices: which are installed, and what a blend such as "af_sky*0.4+af_nicole*0.6" means."""

from __future__ import annotations

import functools
import importlib.util
import math
from pathlib import Path

from ttsctl.errors import InvalidVoiceError, ModelNotFoundError, nearest
from ttsctl.speech import Voice
from ttsctl.voices import known, piper, store
from ttsctl.voices.store import Item

KOKORO_SETTINGS = 1  # counts changes to how our engine drives the model, for the cache key
MAX_PARTS = 16
# What misaki imports for a language; where one is missing, espeak-ng phonemises all of it.
_DICTIONARIES = {
    "en": ("num2words",),
    "ja": ("num2words", "pyopenjtalk", "fugashi", "jaconv", "mojimoji", "unidic"),
    "zh": ("num2words", "pypinyin", "cn2an", "jieba"),
}
_UNITS = 10_000  # a weight is a whole number of these, so that equal blends have one spelling

Blend = dict[str, float]


def model(root: Path) -> Item | None:
    """Return the installed model, or None."""
    return store.read(root / known.KOKORO / known.MODEL)


def find(root: Path, name: str) -> Item | None:
    """Return the installed voice called `name`, or None."""
    return store.find(root / known.KOKORO, name) if name != known.MODEL else None


def installed(root: Path) -> list[Item]:
    """Return the installed voices, the best first; none where the model is missing."""
    if model(root) is None:
        return []
    order = {name: place for place, name in enumerate(known.kokoro_voices())}
    found = (item for item in store.items(root / known.KOKORO) if item.name != known.MODEL)
    return sorted(found, key=lambda item: (order.get(item.name, len(order)), item.name))


def voice(root: Path, name: str) -> Voice:
    """Return the voice called `name`: one voice, or a blend of several.

    Raises:
        InvalidVoiceError: There is no such voice, or it is no blend.
        ModelNotFoundError: A voice or the model is not installed, or was altered since.
    """
    blend = parse(name)
    parts = {part: _part(root, part) for part in sorted(blend)}
    shared = model(root)
    if shared is None:
        raise ModelNotFoundError(
            f"voice 'kokoro:{name}' needs the Kokoro model, which is not installed;"
            f" run: ttsctl voices get kokoro:{min(parts)}"
        )
    for item in (shared, *parts.values()):
        store.check(item)
    return _described(blend, parts, shared)


def single(item: Item, shared: Item) -> Voice:
    """Return the voice that an installed item holds."""
    return _described({item.name: 1.0}, {item.name: item}, shared)


def _described(blend: Blend, parts: dict[str, Item], shared: Item) -> Voice:
    """Return the voice that a blend of installed voices makes; its language is the heaviest's."""
    digests = " ".join(store.short_digests(parts[name]) for name in sorted(parts))
    language = parts[min(blend, key=lambda name: (-blend[name], name))].language
    phonemisers = _phonemisers(language.partition("-")[0])
    fingerprint = f"kokoro {KOKORO_SETTINGS} {phonemisers} {store.short_digests(shared)} {digests}"
    return Voice(
        known.KOKORO,
        spelled(blend),
        language,
        fingerprint,
        str(shared.folder.parent),
    )


def parse(name: str) -> Blend:
    """Return the voices of a blend with their weights, which add up to 1.

    A part without a weight weighs 1; a voice that is named twice has both weights.

    Raises:
        InvalidVoiceError: A weight is not a positive number, or a name is missing.
    """
    weights: Blend = {}
    parts = name.split("+")
    if len(parts) > MAX_PARTS:
        raise InvalidVoiceError(f"a blend of {len(parts)} voices; {MAX_PARTS} are the most")
    for part in parts:
        voice_name, star, weight = (text.strip() for text in part.partition("*"))
        if not voice_name:
            raise InvalidVoiceError(f"'{name}' is no blend; write af_sky*0.4+af_nicole*0.6")
        weights[voice_name] = weights.get(voice_name, 0) + (_weight(weight, name) if star else 1.0)
    return _rounded(weights)


def spelled(blend: Blend) -> str:
    """Return the one spelling of a blend: sorted by name, weights of at most four decimals."""
    if len(blend) == 1:
        return next(iter(blend))
    return "+".join(f"{name}*{weight:g}" for name, weight in sorted(blend.items()))


def _weight(text: str, name: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and 0 < weight <= 1e6):
        raise InvalidVoiceError(
            f"weight '{text}' in '{name}' is no positive number; write af_sky*0.4+af_nicole*0.6"
        )
    return weight


def _rounded(weights: Blend) -> Blend:
    """Share out the units by largest remainder; a voice that gets none drops out."""
    total = math.fsum(weights.values())
    exact = {name: weight / total * _UNITS for name, weight in weights.items()}
    units = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (units[name] - exact[name], name))
    for name in by_remainder[: _UNITS - sum(units.values())]:
        units[name] += 1
    return {name: count / _UNITS for name, count in units.items() if count}


def _part(root: Path, name: str) -> Item:
    if (item := find(root, name)) is not None:
        return item
    if known.kokoro_named(name):
        raise ModelNotFoundError(
            f"voice 'kokoro:{name}' is not installed; run: ttsctl voices get kokoro:{name}"
        )
    names = {item.name for item in installed(root)} | set(known.kokoro_voices())
    raise InvalidVoiceError(
        f"voice 'kokoro:{name}' not found{nearest(name, names)};"
        " see `ttsctl voices list --all --engine kokoro`"
    )


@functools.cache
def _phonemisers(language: str) -> str:
    """Return names and releases of what turns text of a language into phonemes.

    espeak-ng, which is in piper-tts, phonemises what misaki does not know, and most languages.
    """
    spec = importlib.util.find_spec("misaki")
    if spec is None or spec.origin is None:
        return piper.package()
    folder = Path(spec.origin).parent.parent
    misaki = next((path.stem for path in folder.glob("misaki-*.dist-info")), "misaki")
    modules = _DICTIONARIES.get(language, ())
    present = [name for name in modules if importlib.util.find_spec(name) is not None]
    return " ".join([piper.package(), misaki, *present])

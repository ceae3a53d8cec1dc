"""What the user asks `ttsctl voices get` for, and what has to be fetched for it."""

from __future__ import annotations

from collections.abc import Iterable

from ttsctl.errors import InvalidRequestError, InvalidVoiceError, nearest
from ttsctl.voices import known, kokoro
from ttsctl.voices.known import KnownItem


def items_for(names: Iterable[str]) -> list[KnownItem]:
    """Return what to fetch, each item once; the model of Kokoro comes before its voices.

    Args:
        names: Piper voices, Kokoro voices, blends, or "kokoro" for its model and best voice; with
            the engine in front or without.

    Raises:
        InvalidVoiceError: The catalogue does not have it; the message has the nearest names.
        InvalidRequestError: It is of an engine that has nothing to fetch.
    """
    found = {item.id: item for name in names for item in _items(name)}
    return list(found.values())


def _items(name: str) -> list[KnownItem]:
    engine, colon, rest = name.partition(":")
    if name == known.KOKORO:
        return [known.kokoro_model(), known.kokoro_voices()[known.DEFAULT_KOKORO]]
    if colon and engine not in (known.KOKORO, known.PIPER):
        raise InvalidRequestError(
            f"'{name}' is not to be fetched; only Piper and Kokoro voices are,"
            " see `ttsctl voices list --all`"
        )
    wanted = rest if colon else name
    if engine != known.KOKORO and (voice := known.piper_named(wanted.partition("#")[0])):
        return [voice]
    if engine == known.KOKORO or (not colon and _is_kokoro(wanted)):
        return _blend_items(wanted)
    names = [*known.piper_voices(), *known.kokoro_voices(), known.KOKORO]
    raise InvalidVoiceError(
        f"voice '{name}' is not in the catalogue{nearest(wanted, names)};"
        " see `ttsctl voices list --all`"
    )


def _blend_items(blend: str) -> list[KnownItem]:
    voices = known.kokoro_voices()
    parts = sorted(kokoro.parse(blend))
    for part in parts:
        if part not in voices:
            raise InvalidVoiceError(
                f"voice 'kokoro:{part}' is not in the catalogue{nearest(part, voices)};"
                " see `ttsctl voices list --all --engine kokoro`"
            )
    return [known.kokoro_model(), *(voices[part] for part in parts)]


def _is_kokoro(name: str) -> bool:
    return known.kokoro_named(name.partition("+")[0].partition("*")[0].strip()) is not None

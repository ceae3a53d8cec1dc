"""Names for what is cached: one key for one sound, and another for any other.

A key is the SHA-256 of everything that decides the sound. The fields are framed by their lengths,
so that no text, however it is chosen, can move a boundary and stand for another request.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from ttsctl.speech import Utterance

KEY_SCHEMA = "1"  # raise it when the fields below change

_KEY = re.compile(r"[0-9a-f]{64}")


def utterance_key(utterance: Utterance, normaliser_version: str) -> str:
    """Return the key of an utterance's PCM master: 64 hexadecimal digits.

    The same for texts that Unicode holds to be equal (NFC), for options in any order, and for
    speeds that agree to six decimals. The cutting into clauses counts, because it is heard.

    Args:
        utterance: What is to be spoken.
        normaliser_version: Version of the rules that made the text safe; new rules, new audio.
    """
    voice = utterance.voice
    return _digest(
        [
            "utterance",
            KEY_SCHEMA,
            [voice.engine, voice.name, voice.language, voice.fingerprint],
            utterance.language,
            f"{utterance.speed:.6f}",
            sorted(utterance.options),
            normaliser_version,
            [unicodedata.normalize("NFC", clause) for clause in utterance.clauses],
        ]
    )


def derived_key(*parts: str) -> str:
    """Return the key of something made from masters, an encoded file say.

    Args:
        parts: All that decides its bytes, in order: the masters' keys, pauses, codec and settings.
    """
    return _digest(["derived", KEY_SCHEMA, parts])


def is_key(name: str) -> bool:
    """Tell whether `name` has the form of a key, and so is safe as a file name."""
    return _KEY.fullmatch(name) is not None


def require_key(name: str) -> None:
    """Refuse, as a bug of the caller, what is not a key.

    Raises:
        ValueError: It does not have the form of one.
    """
    if not is_key(name):
        raise ValueError(f"no cache key: {name!r}")


_Fields = Sequence["str | _Fields"]


def _digest(fields: _Fields) -> str:
    return hashlib.sha256(_framed(fields)).hexdigest()


def _framed(value: str | _Fields) -> bytes:
    """Return an encoding from which the value could be read back, after bencode."""
    if isinstance(value, str):
        # A lone surrogate is no valid text, but is no reason to fail here either.
        data = value.encode("utf-8", "surrogatepass")
        return b"s%d:%s" % (len(data), data)
    return b"l%d:%s" % (len(value), b"".join(map(_framed, value)))

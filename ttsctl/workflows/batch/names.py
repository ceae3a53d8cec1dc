"""Names of output files: from a template, inside the output folder, each one once."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable

from ttsctl.errors import InvalidRequestError, nearest

DEFAULT_TEMPLATE = "{index:04d}-{slug}"
FIELDS = ("index", "id", "slug", "hash")
SLUG_CHARS = 40
MAX_NAME_BYTES = 200  # file systems allow 255; a temporary file adds some of its own
_HASH_CHARS = 12


def check_template(template: str) -> str:
    """Return `template`, or raise `InvalidRequestError` where it cannot make safe names."""
    if re.search(r"\d{4}", template):
        raise InvalidRequestError(f"name template '{template}' asks for a width of four digits")
    try:
        parts = list(string.Formatter().parse(template))
        used = [field for _, field, _, _ in parts if field is not None]
        unknown = [field for field in used if field not in FIELDS]
        if not unknown:
            sample = file_name(template, index=1, slug="a", key="0" * 64, suffix=".wav")
    except (ValueError, KeyError, IndexError) as error:
        raise InvalidRequestError(f"name template '{template}' is malformed: {error}") from error
    if unknown:
        hint = nearest(unknown[0], FIELDS) or f"; there are {', '.join(FIELDS)}"
        raise InvalidRequestError(f"name template has an unknown field '{unknown[0]}'{hint}")
    if "/" in sample or "\0" in sample or sample.startswith("."):
        raise InvalidRequestError(
            f"name template '{template}' leaves the output folder or makes hidden files"
        )
    return template


def file_name(template: str, *, index: int, slug: str, key: str, suffix: str) -> str:
    """Return the name that `template` gives to an item."""
    stem = template.format(index=index, id=str(index), slug=slug, hash=key[:_HASH_CHARS])
    stem = stem.rstrip("-. ") or str(index)
    return stem.encode()[:MAX_NAME_BYTES].decode(errors="ignore") + suffix


def slug(text: str) -> str:
    """Return the letters and digits of `text`, any script, in lower case and joined by dashes.

    At most 40 characters, cut between words where there is one to cut at.
    """
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text.lower())
    words = kept.split()
    while len(words) > 1 and len("-".join(words)) > SLUG_CHARS:
        words.pop()
    return "-".join(words)[:SLUG_CHARS]


def check_unique(names: Iterable[tuple[int, str]]) -> None:
    """Raise `InvalidRequestError` where two lines would become one file.

    Names that differ only in case or in Unicode form count as one: on some file systems they are.
    """
    first: dict[str, int] = {}
    for line, name in names:
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in first:
            raise InvalidRequestError(
                f"lines {first[folded]} and {line} would both become '{name}';"
                " add {index} to --name"
            )
        first[folded] = line

"""Names of output files: from a template, inside the output folder, each one once."""

from __future__ import annotations

import re
import string
import unicodedata

from ttsctl.errors import InvalidRequestError, nearest

DEFAULT_TEMPLATE = "{index:04d}-{slug}"
FIELDS = ("index", "id", "slug", "hash")
SLUG_CHARS = 40
MAX_NAME_BYTES = 200  # file systems allow 255; a temporary file adds some of its own
_HASH_CHARS = 12
_UNSAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]'
)
_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}


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


def file_name(
    template: str, *, index: int, slug: str, key: str, suffix: str, id: str | None = None
) -> str:
    """Return the name that `template` gives to an item; an id is made safe to be part of one."""
    name = _UNSAFE.sub("-", id or str(index)).replace("/", "-").lstrip(".")
    stem = template.format(index=index, id=name, slug=slug, hash=key[:_HASH_CHARS])
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


def check_path(path: str) -> str:
    """Return `path`, which a row asks for, or raise `InvalidRequestError` where it leads astray.

    It may name folders below the output folder. It may not leave it, hide, or be a name that some
    file system keeps for itself.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts):
        raise InvalidRequestError(f"output file '{path}' is hidden, or outside the output folder")
    for part in parts:
        if _UNSAFE.search(part) or part != part.rstrip(". "):
            raise InvalidRequestError(f"output file '{path}' holds a character that is not safe")
        if part.partition(".")[0].casefold() in _RESERVED:
            raise InvalidRequestError(f"output file '{path}' has a name that Windows keeps")
        if len(part.encode(errors="replace")) > MAX_NAME_BYTES:
            raise InvalidRequestError(f"output file '{part[:40]}…' has too long a name")
    return path


def twin(name: str) -> str:
    """Return what is equal for names that some file system takes for one: case, Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()

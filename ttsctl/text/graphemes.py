"""Where text may be cut when there is no better place: after a space, else between two graphemes.

A grapheme is what a reader takes for one letter. The rules are those of UAX #29, section 3.1.1, as
far as the standard library knows the properties they need, and a little stricter: nothing is cut
after a virama, so that Indic conjuncts stay whole in every script, and surrogates stay in pairs.
"""

from __future__ import annotations

import unicodedata

ZWNJ, ZWJ = "\u200c", "\u200d"

# Characters that continue a grapheme although they are not marks: joiners, Thai and Lao AM,
# half-width voicing marks; then skin tones, tags, Hangul vowels and final consonants.
_CONTINUING = ZWNJ + ZWJ + "\u0e33\u0eb3\uff9e\uff9f"
_CONTINUING_BLOCKS = (
    ("\U0001f3fb", "\U0001f3ff"),
    ("\U000e0020", "\U000e007f"),
    ("\u1160", "\u11ff"),
    ("\ud7b0", "\ud7fb"),
)
_HANGUL_INITIALS = (("\u1100", "\u115f"), ("\ua960", "\ua97c"))
_HANGUL = (*_HANGUL_INITIALS, ("\uac00", "\ud7a3"))
_FLAG_LETTERS = (("\U0001f1e6", "\U0001f1ff"),)
_HIGH_SURROGATES, _LOW_SURROGATES = (("\ud800", "\udbff"),), (("\udc00", "\udfff"),)
_VIRAMA_CLASS = 9


def forced_end(text: str, start: int, limit: int) -> int:
    """Return where to cut `text[start:limit]`: after its last space, else its last grapheme.

    White space counts only where something stands before it, for a cut that leaves a piece of
    spaces gains nothing. A grapheme longer than the whole stretch is cut at `limit`.
    """
    head = text[start:limit]
    content = start + len(head) - len(head.lstrip())
    for end in range(limit, content + 1, -1):
        if text[end - 1].isspace() and is_boundary(text, end, start):
            return end
    return _last_boundary(text, start, limit)


def _last_boundary(text: str, start: int, limit: int) -> int:
    ends = range(limit, start, -1)
    return next((end for end in ends if is_boundary(text, end, start)), limit)


def is_boundary(text: str, index: int, origin: int = 0) -> bool:
    """Tell whether no grapheme of `text` reaches across `index`; one begins at `origin`."""
    if not 0 < index < len(text):
        return True
    before, after = text[index - 1], text[index]
    if before.isascii() and after.isascii():
        return before + after != "\r\n"
    if _continues(after) or before == ZWJ:
        return False
    return not (_is_joined(before, after) or _is_inside_flag(text, index, origin))


def _continues(char: str) -> bool:
    is_mark = unicodedata.category(char)[0] == "M"
    return is_mark or char in _CONTINUING or _is_in(char, _CONTINUING_BLOCKS)


def _is_joined(before: str, after: str) -> bool:
    if unicodedata.combining(before) == _VIRAMA_CLASS:
        return after.isalpha()
    if _is_in(before, _HANGUL_INITIALS):
        return _is_in(after, _HANGUL)
    return _is_in(before, _HIGH_SURROGATES) and _is_in(after, _LOW_SURROGATES)


def _is_inside_flag(text: str, index: int, origin: int) -> bool:
    """Tell whether `index` parts the two letters of a flag; letters pair off from the left."""
    if not _is_in(text[index], _FLAG_LETTERS):
        return False
    first = index
    while first > origin and _is_in(text[first - 1], _FLAG_LETTERS):
        first -= 1
    return (index - first) % 2 == 1


def _is_in(char: str, blocks: tuple[tuple[str, str], ...]) -> bool:
    return any(first <= char <= last for first, last in blocks)

"""English text to tagged tokens: as much grammar as misaki's dictionary asks for.

The dictionary has one pronunciation for most words, and for some 800 it asks whether the word is a
noun or a verb ("the record", "to record"). The word before decides that here, from a closed list. A
tagger of spaCy's is right more often, at the cost of seconds at the start and a model of its own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<abbreviation>(?:[A-Za-z]\.){2,}|(?:Mr|Mrs|Ms|Dr|St|vs|etc|Prof|Jr|Sr)\.)
  | (?P<money>[$£€](?=[\d.]))
  | (?P<number>[-+]?(?:\d[\d,]*(?:\.\d+)+(?=[A-Za-z])
                  |(?:\d[\d,.]*\d|\d)(?:st|nd|rd|th|s|'s)?(?![A-Za-z])))
  | (?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*['’]?)
  | (?P<stop>[.!?…]+)
  | (?P<comma>,)
  | (?P<colon>;|(?<!\d):|:(?!\d)|--+|[—–]|(?<=\s)-(?=\s))
  | (?P<quote>["“”«»„])
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<other>\S)
    """,
    re.VERBOSE,
)

_PUNCTUATION = {"stop": ".", "comma": ",", "colon": ":", "open": "-LRB-", "close": "-RRB-"}
_TAGS = {
    **dict.fromkeys(("a", "an", "the", "this", "that", "these", "those"), "DT"),
    **dict.fromkeys(("my", "your", "his", "its", "our", "their", "no", "every", "each"), "PRP$"),
    **dict.fromkeys(("i", "you", "he", "she", "it", "we", "they", "who"), "PRP"),
    **dict.fromkeys(("will", "would", "can", "could", "may", "might", "must", "shall"), "MD"),
    **dict.fromkeys(("should", "don't", "didn't", "doesn't", "won't", "can't", "cannot"), "MD"),
    **dict.fromkeys(("do", "does", "did", "let's", "please"), "MD"),
    **dict.fromkeys(("has", "have", "had", "having", "been", "was", "were", "being"), "VBD"),
    **dict.fromkeys(("am", "are", "is", "be"), "VBP"),
    **dict.fromkeys(("in", "by", "of", "on", "at", "for", "with", "from", "vs", "vs."), "IN"),
    "to": "TO",
}
# What a word is after a word of the tag, where the dictionary asks.
_AFTER = {
    "DT": "NN",
    "PRP$": "NN",
    "IN": "NN",
    "MD": "VB",
    "TO": "VB",
    "PRP": "VBP",
    "VBD": "VBN",
}


class Token(NamedTuple):
    """A word or a mark."""

    text: str
    tag: str
    """Of the Penn Treebank, as far as it matters."""

    whitespace: str
    """A space where one follows in the text, or nothing."""


def tokens(text: str) -> list[Token]:
    """Return the tokens of `text`; they hold all of it but the white space."""
    found: list[Token] = []
    before = ""
    quotes = 0
    for match in _TOKEN.finditer(text):
        kind, word = str(match.lastgroup), match[0]
        tag = _tag(kind, word, before, quotes)
        quotes += kind == "quote"
        follows = text[match.end() : match.end() + 1]
        found.append(Token(word, tag, " " if follows.isspace() else ""))
        before = tag if kind == "word" else ""
    return found


def _tag(kind: str, word: str, before: str, quotes: int) -> str:
    if kind in _PUNCTUATION:
        return _PUNCTUATION[kind]
    if kind == "quote":
        return "``" if word in "“«„" or (word == '"' and quotes % 2 == 0) else "''"
    if kind in ("money", "number"):
        return "$" if kind == "money" else "CD"
    if kind == "other":
        return "SYM"
    return _word_tag(word, before)


def _word_tag(word: str, before: str) -> str:
    small = word.lower()
    if len(word) > 1 and word == word.upper() and small not in _TAGS:
        return "NNP"
    if small == "used":
        return "VBD"
    return _TAGS.get(small) or _AFTER.get(before, "NN")

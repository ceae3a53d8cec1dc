"""The characters that end sentences and clauses, and those that may stand between mark and space.

Marks come in two kinds. A *spaced* mark ends something only before white space, because it also
lives inside words and numbers: "3.14", "example.com", "1,000", "12:30". A *free* mark belongs to a
script that writes no space after it, or that uses it for nothing else: "。", "।", "؟".

The stops are Unicode's Sentence_Terminal (UAX #29, table 4); the clause marks are those of
Terminal_Punctuation (UCD, PropList.txt) that stand for a comma, a semicolon or a colon.
"""

from __future__ import annotations

SPACED_STOPS = ".!?…‼⁇⁈⁉﹒"

# Sentence_Terminal without the spaced ones, in code point order: Armenian, Arabic, Syriac, NKo,
# Samaritan, the dandas, Myanmar, Ethiopic, Canadian, Philippine, Khmer, Mongolian, Limbu, Tai Tham,
# Balinese, Batak, Lepcha, Ol Chiki; general; CJK; Lisu, Vai, Bamum, Phags-pa, Saurashtra, Kayah Li,
# Javanese, Cham, Meetei Mayek; small and full-width forms; then the historic scripts.
FREE_STOPS = (
    "\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965"
    "\u104a\u104b\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u1803\u1809\u1944\u1945\u1aa8"
    "\u1aa9\u1aaa\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1b7d\u1b7e\u1c3b\u1c3c\u1c7e\u1c7f\u2e2e\u2e3c"
    "\u2e53\u2e54\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9"
    "\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb\ufe12\ufe56\ufe57\uff01\uff0e\uff1f\uff61\U00010a56"
    "\U00010a57\U00010f55\U00010f56\U00010f57\U00010f58\U00010f59\U00010f86\U00010f87\U00010f88"
    "\U00010f89\U00011047\U00011048\U000110be\U000110bf\U000110c0\U000110c1\U00011141\U00011142"
    "\U00011143\U000111c5\U000111c6\U000111cd\U000111de\U000111df\U00011238\U00011239\U0001123b"
    "\U0001123c\U000112a9\U0001144b\U0001144c\U000115c2\U000115c3\U000115c9\U000115ca\U000115cb"
    "\U000115cc\U000115cd\U000115ce\U000115cf\U000115d0\U000115d1\U000115d2\U000115d3\U000115d4"
    "\U000115d5\U000115d6\U000115d7\U00011641\U00011642\U0001173c\U0001173d\U0001173e\U00011944"
    "\U00011946\U00011a42\U00011a43\U00011a9b\U00011a9c\U00011c41\U00011c42\U00011ef7\U00011ef8"
    "\U00016a6e\U00016a6f\U00016af5\U00016b37\U00016b38\U00016b44\U00016e98\U0001bc9f\U0001da88"
)

SPACED_CLAUSE_MARKS = ",;:،؛"

# Ethiopic, CJK and their vertical, small, full-width and half-width forms.
FREE_CLAUSE_MARKS = (
    "\u1363\u1364\u1365\u1366\u3001\ufe10\ufe11\ufe13\ufe14\ufe50\ufe51\ufe54\ufe55\uff0c\uff1a"
    "\uff1b\uff64"
)

# Quotes and brackets that belong to the sentence they close. German closes with “, Swedish with ”.
# The asterisk, underscore and backtick close emphasis in Markdown, which language models write.
_CLOSERS = "\"'”’»›)]}*_`〞〟」』】〕〗〙〛）］｝｠｣"
SPACED_CLOSERS = _CLOSERS + "“‘«‹"  # what opens elsewhere closes here, where a space follows
FREE_CLOSERS = _CLOSERS

LINE_ENDS = "\n\u2028\u2029"

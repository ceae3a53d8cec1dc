"""Words whose full stop does not end a sentence.

A table can never be complete, and need not be: a stop before a lower-case letter ends no sentence
either. What must be listed is what stands before capitals and digits: titles, places, months,
references. Each entry costs a few wrongly joined sentences, which only makes a segment longer, and
saves a pause in the middle of a name.
"""

from __future__ import annotations

import re

# Left out are abbreviations that are words which end sentences in another of these languages
# (Italian "on.", Russian "им."), for the language of a text is not known here.
_ENGLISH = """
    mr mrs ms mx dr prof st rev hon fr sr jr messrs mmes gen col maj capt cmdr lt sgt cpl pvt adm
    gov sen rep pres supt insp atty esq vs etc al approx dept inc ltd corp co llc bros assn univ
    blvd rd hwy mt ft ph.d m.d b.sc m.sc jan feb apr jun jul aug sep oct nov dec mon
    tue tues thu thurs fri cf ca ed eds pp chap viz ibid cit tel
"""
_GERMAN = """
    hr hrn fr frl dr dipl ing nr str bzw ca usw usf evtl ggf inkl exkl zzgl sog vgl bsp abb abs
    bd aufl hrsg jh jhd mio mrd geb gest verh tel zt std sek mz okt dez mär
"""
_FRENCH = "mme mlle mmes mlles mm mgr cie av bd env janv févr avr juil oct nov déc"
_SPANISH = "sr sra srta srs sres dña dn dra prof lic ud uds vd vds avda pág págs núm ee.uu aprox"
_PORTUGUESE = "sr sra srs sras srta dr dra drs exmo exma av prof profa pág págs núm"
_ITALIAN = "sig sigg sig.ra sig.na dott dott.ssa prof.ssa avv geom egr gent spett pag ecc"
_DUTCH = "dhr mevr mw drs ir mr ing bijv enz blz resp vgl nl i.p.v d.w.z m.b.t"
_NORDIC = "bl.a t.ex t.o.m fr.o.m m.m osv ev jfr kl tlf nr bla dvs f.eks"
_POLISH = "np tzn tzw prof inż mgr ul al godz pkt wyd zob św itp itd"
_CZECH = "např tzv atd apod mj tj ing mgr judr mudr phdr rndr ul nám č str"
_RUSSIAN = "г гг ул пр проф акад тов гр руб коп тыс млн млрд др пр стр рис табл см ср напр обл"
_GREEK = "κ κα κος δρ βλ π.χ κ.ά κ.λπ αρ σελ"
_TURKISH = "sn dr prof doç yrd cad sok mah apt bkz vb vs örn"

_ROMANCE = f"{_FRENCH} {_SPANISH} {_PORTUGUESE} {_ITALIAN}"
_GERMANIC = f"{_ENGLISH} {_GERMAN} {_DUTCH} {_NORDIC}"
_SLAVONIC = f"{_POLISH} {_CZECH} {_RUSSIAN}"
_ABBREVIATIONS = frozenset(f"{_ROMANCE} {_GERMANIC} {_SLAVONIC} {_GREEK} {_TURKISH}".split())

# Ordinary words or endings as well, so that they count only with a digit behind: "No. 5".
_BEFORE_NUMBERS = frozenset(
    {"no", "nos", "nr", "n", "fig", "figs", "art", "sec", "ch", "p", "par", "kap", "cap", "núm"}
    | {"vol", "op", "ex", "ext", "est", "min", "max", "mar", "sept"}
)

# "J", "U.S", "a.m", "z.B", "J.-P": a letter, or letters with stops between them.
_INITIALS = re.compile(r"(?:[^\W\d_]\.-?)*[^\W\d_]")

# "am 3. Oktober", "1. Open the lid": days, centuries and list numbers have at most two digits.
_MAX_ORDINAL_DIGITS = 2

LONGEST_CHARS = max(map(len, _ABBREVIATIONS))


def is_abbreviation(word: str, following: str) -> bool:
    """Tell whether the full stop after `word` belongs to it.

    Args:
        word: What stands before the stop, back to white space or an opening bracket or quote.
        following: The next character that is not white space, or "" where there is none.
    """
    if word.isdecimal():
        return len(word) <= _MAX_ORDINAL_DIGITS
    lower = word.lower()
    if lower in _BEFORE_NUMBERS and following.isdecimal():
        return True
    return lower in _ABBREVIATIONS or _is_initials(word)


def _is_initials(word: str) -> bool:
    # Scripts without case have no initials, and a Korean syllable is often a word.
    has_case = word.lower() != word.upper()
    return has_case and _INITIALS.fullmatch(word) is not None

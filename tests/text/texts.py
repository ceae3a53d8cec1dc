"""Texts to try things on: words of many scripts, hostile characters, naughty strings."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = {
    "Latin": "Ångström naïve Straße čeština łódź tiếng Việt œuvre",
    "Cyrillic": "Привет мир ёжик їжак объём",
    "Greek": "Καλημέρα κόσμε ὀξύς",
    "Hebrew": "שָׁלוֹם עוֹלָם",
    "Arabic": "مَرْحَبًا بِالْعَالَمِ ٣٤٥",
    "Persian": "می‌خواهم کتاب‌ها ۱۲۳",
    "Urdu": "اُردُو زبان",
    "Devanagari": "नमस्ते दुनिया क्षत्रिय १२३",
    "Bengali": "বাংলা ভাষা ক্ষুদ্র ৪৫",
    "Tamil": "தமிழ் மொழி ஸ்ரீ",
    "Telugu": "తెలుగు భాష",
    "Malayalam": "മലയാളം അവന്‍",
    "Sinhala": "ශ්‍රී ලංකාව",
    "Thai": "ภาษาไทย น้ำ กำลัง ๙",
    "Khmer": "ភាសាខ្មែរ",
    "Burmese": "မြန်မာဘာသာ",
    "Tibetan": "བོད་སྐད",
    "Chinese": "你好世界 漢字 㐀 𠮷",
    "Japanese": "こんにちは カタカナ 日本語 がぎぐ ー々",
    "Korean": "한국어 안녕하세요",
    "Ethiopic": "አማርኛ ሰላም",
    "Georgian": "ქართული ენა",
    "Armenian": "Հայերեն լեզու",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ",
    "Cherokee": "ᏣᎳᎩ Ꭰ",
}

# Stretches that marks, spaces, joiners and numbers make difficult, of one to a dozen characters.
_FRAGMENTS = [
    *(" ", "\n", "\n\n", "\r\n", "\t", "\u2028", "\u00a0", "\u200b", "\u200c", "\u200d", "\u00ad"),
    *(".", "...", "…", "!", "?!", ",", ";", ":", "—", "–", "-", "--", "'", '"', "”", "“", "«", "»"),
    *("。", "！", "，", "、", "：", "．", "।", "॥", "۔", "؟", "،", "።", "։", "」", "『", "（"),
    *(
        "[[",
        "]]",
        "](",
        "(",
        ")",
        "<",
        ">",
        "&",
        "*",
        "_",
        "/",
        "\\",
        "\x00",
        "\x01+50P",
        "\x1b[31m",
    ),
    *("Dr.", "U.S.", "a.m.", "z.B.", "J. R.", "No. 5", "3.14", "1,000", "12:30", "1.", "x.", "s'"),
    *("word", "Word", "ABC", "a", "I", "1990–1995", "é", "e\u0301", "\u0301", "\u0308", "ﬁ", "①"),
    *(
        "😀",
        "👍🏽",
        "👨‍👩‍👧",
        "🇩🇪",
        "1️⃣",
        "❤️",
        "\ufe0f",
        "\U000e0067",
        "\ufeff",
        "\u202e",
        "ﷺ",
        "㎏",
    ),
    *(
        "\ue000",
        "\ufdd0",
        "\uffff",
        "\u0378",
        "\ufffd",
        "\ud800",
        "\udc00",
        "\ud83d\ude00",
        "ᄀ",
        "ᅡ",
    ),
    *(word for words in WORDS.values() for word in words.split()),
]


def texts(max_fragments: int = 60) -> st.SearchStrategy[str]:
    """Texts of hostile fragments and of any code points, surrogates among them."""
    anything = st.text(st.characters(), max_size=8)
    fragments = st.sampled_from(_FRAGMENTS) | anything
    return st.lists(fragments, max_size=max_fragments).map("".join)


# Every one of these has broken some speech program.
NAUGHTY = [
    "",
    " ",
    "\x00",
    "...",
    "\u200b",
    "\ufeff",
    "[[]]",
    "[[h@l'oU]]",
    "\x01+50P",
    "<speak><break time='10s'/></speak>",
    '<!DOCTYPE x [<!ENTITY lol "lol">]><x>&lol9;</x>',
    "[word](/wɜd/)",
    "$(reboot)",
    "'; DROP TABLE voices; --",
    "\x1b[31mred\x1b[0m",
    "\u202etxet desrever",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "\ud800",
    "\udc00\ud800",
    "s'" * 80,
    "U.S.A." * 40,
    "a.m. p.m. " * 30,
    "é . " * 100,
    "😀👍" * 40,
    "%s%n%p",
    "NaN",
    "1e999",
    "𝐓𝐡𝐞 𝐪𝐮𝐢𝐜𝐤 𝐛𝐫𝐨𝐰𝐧 𝐟𝐨𝐱",
    "Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤",
    "(╯°□°）╯︵ ┻━┻",
    "¯\\_(ツ)_/¯",
]

# One unit, repeated to a length at which anything quadratic would not end in time.
ADVERSARIAL_UNITS = [
    *("a", ".", ". ", "a.", ", ", " ", "\n", "-", "—", "- ", "(", "[", "'", '."', "9", "a@", "s'"),
    *("。", "，", "😀", "👨\u200d", "🇩", "\u0301", "\u0301\u0323", "e\u0301", "\u200c", "ن\u200c"),
    *("क्", "\ud800", "ᄀ", "ﷺ", "abababababababx"),
]


def adversarial(unit: str, chars: int = 100_000) -> str:
    """Return `unit` repeated to `chars` characters."""
    return (unit * (chars // len(unit) + 1))[:chars]

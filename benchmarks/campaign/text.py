"""Text that tries to break the engine, and text that must not lose a word on its way to it."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from contextlib import closing

from benchmarks.campaign.promise import Promise
from ttsctl.errors import DeadlineError, EngineCrashError, EngineError, InvalidRequestError
from ttsctl.speech import Voice
from ttsctl.voices.catalogue import resolve
from ttsctl.workers.supervisor import Supervisor
from ttsctl.workflows.plan import Manner, plan

LANGUAGES = ("en-us", "de", "fr", "es", "ru", "hi", "ar", "fa", "cmn", "ja", "ko", "ta", "el", "he")
HOSTILE_STRINGS = 10_000
DOCUMENTS = 2_000

_TOKENS = [
    *("s'", "x'", "U.S.A.", "a.m.", "p.m.", "e.g.", "i.e.", "Mr.", "Dr.", "N.A.S.A"),
    *("'", '"', "``", "...", "!!!", "???", "--", "/", "\\", "|", "[[", "]]", "<", ">", "&lt;"),
    *("1", "1,000,000", "3.14", "1e99", "0x1F", "12:34:56", "$5.00", "50%", "€", "№", "½", "²"),
    *("aaaa", "http://a.b/c?d=e", "me@here.org", "#tag", "@you", "\u00ad", "\u200d", "\u200b"),
    *("😀", "👨‍👩‍👧", "🇩🇪", "\x01+50P", "\x00", "\ud800", "\ufeff", "é", "e\u0301", "ß", "İ"),
    *("क्षि", "।", "ي", "ـ", "漢字", "、", "한글", "தமிழ்", "Ω", "ש", "Щ", "ａ", "ﬁ", "㎏"),
]
_BLOCKS = [(0x20, 0x7F), (0xA0, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF)]
_BLOCKS += [(0x2000, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)]
_BLOCKS += [(0x1F300, 0x1FAFF)]


def hostile(scale: float, seed: int) -> list[Promise]:
    """Speak hostile strings in every language; count who dies."""
    source = random.Random(seed)
    count = int(HOSTILE_STRINGS * scale)
    ends: Counter[str] = Counter()
    voices = [resolve(f"espeak:{language}") for language in LANGUAGES]
    with closing(Supervisor(sleep=lambda _: None)) as supervisor:
        for number in range(count):
            text = _hostile_string(source)
            end = _end_of(supervisor, text, voices[number % len(voices)])
            ends[end] += 1
            if end == "death":
                print(f"  died of {text!r}")
    return [
        Promise("strings", count),
        Promise("spoken", ends["spoken"]),
        Promise("nothing speakable", ends["nothing speakable"]),
        Promise("engine deaths per 10,000", ends["death"] * 10_000 / count, at_most=1),
        Promise("hangs", ends["hang"], at_most=0),
        Promise("refusals", ends["refusal"], at_most=0),
    ]


def _end_of(supervisor: Supervisor, text: str, voice: Voice) -> str:
    try:
        for planned in plan([text], Manner(voice, voice.language)):
            for _ in supervisor.stream(planned.utterance):
                pass
    except InvalidRequestError:
        return "nothing speakable"
    except DeadlineError:
        return "hang"
    except EngineCrashError:
        return "death"
    except EngineError:
        return "refusal"
    return "spoken"


def coverage(scale: float, seed: int) -> list[Promise]:
    """Plan documents in nine languages and three ways of punctuation; count what is lost."""
    source = random.Random(seed)
    count = int(DOCUMENTS * scale)
    voice = resolve("tone:sine")
    lost = characters = 0
    for _ in range(count):
        text = _document(source)
        heard = "".join(each.utterance.text for each in plan([text], Manner(voice, "und")))
        before, after = _speakable(text), _speakable(heard)
        characters += len(before)
        lost += 0 if before == after else max(1, len(before) - len(after))
    return [
        Promise("documents", count),
        Promise("letters and digits", characters),
        Promise("letters and digits lost", lost, at_most=0),
    ]


def _hostile_string(source: random.Random) -> str:
    parts = []
    for _ in range(source.randint(1, 12)):
        token = source.choice(_TOKENS) if source.random() < 0.7 else _from_a_block(source)
        times = source.choice((1, 1, 1, 2, 3, 10, 40, 80))
        parts.append((token + source.choice(("", " ", ", "))) * times)
    return "".join(parts)[:400]


def _from_a_block(source: random.Random) -> str:
    low, high = source.choice(_BLOCKS)
    return "".join(chr(source.randint(low, high)) for _ in range(source.randint(1, 12)))


_WORDS = {
    "en": "the quick brown fox jumps over lazy dogs while seven wizards vote",
    "de": "während größere Füchse über müde Hunde springen wählen sieben Zauberer",
    "fr": "où l'été dernier les élèves français jouaient près du château",
    "es": "el pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia año",
    "ru": "съешь ещё этих мягких французских булок да выпей чаю",
    "hi": "यह एक लंबा वाक्य है जिसमें बहुत सारे शब्द हैं",
    "ar": "هذه جملة طويلة تحتوي على كلمات كثيرة جدا",
    "zh": "这是 一个 很 长的 句子 里面 有 很多 词语",
    "ja": "これは とても 長い 文章で たくさんの 言葉が あります",
}
_STOPS = {"hi": "।", "zh": "。", "ja": "。", "ar": "۔"}


def _document(source: random.Random) -> str:
    language = source.choice(list(_WORDS))
    words, stop = _WORDS[language].split(), _STOPS.get(language, ".")
    marks = source.choice([(stop, "!", "?", ",", ";"), (",",), ("",)])
    text = []
    length = 0
    target = int(200 * 10 ** source.uniform(0, 2))
    while length < target:
        word = source.choice(words) + (source.choice(marks) if source.random() < 0.15 else "")
        text.append(word)
        length += len(word) + 1
    return source.choice((" ", "\n")).join(text)


def _speakable(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    return "".join(char for char in composed if unicodedata.category(char)[0] in "LN")

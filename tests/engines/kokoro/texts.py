"""Text in Kokoro's nine languages, ordinary and without the marks that cutters rely on."""

from __future__ import annotations

SENTENCES = {
    "en-us": "The old clock struck 12, and nobody there was awake. Why? It was the 3rd night.",
    "en-gb": "The old clock struck 12, and nobody there was awake. Why? It was the 3rd night.",
    "es": "El niño pequeño llegó a las 8, y la señora le preguntó: ¿cómo estás? ¡Qué alegría!",
    "fr": "L'œuvre fut achevée en 1987, après huit années; où donc était passé le maître? Voilà.",
    "hi": "पुरानी घड़ी ने बारह बजाए, और घर में कोई नहीं जागा था। क्यों? यह तीसरी रात थी।",
    "it": "Il vecchio orologio suonò le 12, e nessuno in casa era sveglio. Perché? Così andò.",
    "pt-br": "O coração da mãe não dormia, às 11 horas da noite. Então, quem chegou? Ninguém.",
    "ja": "おはようございます、せかい。きょうは いい てんきですね。さんぽに いきましょう。",
    "zh": "早上好，世界。我们今天去北京，你呢？明天见！",
}

MARKS = ".!?।。！？;:；：¿¡"
STYLES = ("normal", "commas only", "no marks")


def document(language: str, style: str, length: int) -> str:
    """Return about `length` characters of a language in a style."""
    sentence = SENTENCES[language]
    if style != "normal":
        mark = "、" if language in ("ja", "zh") else ","
        for old in MARKS:
            sentence = sentence.replace(old, mark if style == "commas only" else "")
    if style == "no marks":
        for old in ",，、":
            sentence = sentence.replace(old, "" if language in ("ja", "zh") else " ")
    return " ".join([sentence] * (length // len(sentence) + 1))[:length].strip()

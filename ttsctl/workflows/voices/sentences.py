"""What a voice says to be heard: one sentence a language, with its common sounds in it."""

from __future__ import annotations

SENTENCES = {
    "ar": "مرحبا، هذا صوتي وأنا أقرأ هذه الجملة.",
    "ca": "Hola, aquesta és la meva veu llegint una frase.",
    "cs": "Dobrý den, takhle zní můj hlas, když čte větu.",
    "da": "Hej, sådan lyder min stemme, når jeg læser en sætning.",
    "de": "Guten Tag, so klingt meine Stimme, wenn ich einen Satz lese.",
    "el": "Γεια σας, έτσι ακούγεται η φωνή μου όταν διαβάζω μια πρόταση.",
    "en": "Hello, this is what my voice sounds like when I read a sentence.",
    "es": "Hola, así suena mi voz cuando leo una frase.",
    "fi": "Hei, tältä ääneni kuulostaa, kun luen lauseen.",
    "fr": "Bonjour, voici ma voix quand je lis une phrase.",
    "hi": "नमस्ते, जब मैं एक वाक्य पढ़ता हूँ तो मेरी आवाज़ ऐसी लगती है।",
    "hu": "Jó napot, így szól a hangom, amikor felolvasok egy mondatot.",
    "it": "Buongiorno, questa è la mia voce quando leggo una frase.",
    "ja": "こんにちは、これが文章を読むときの私の声です。",
    "nl": "Hallo, zo klinkt mijn stem als ik een zin voorlees.",
    "no": "Hei, slik høres stemmen min ut når jeg leser en setning.",
    "pl": "Dzień dobry, tak brzmi mój głos, kiedy czytam zdanie.",
    "pt": "Olá, esta é a minha voz quando leio uma frase.",
    "ro": "Bună ziua, așa sună vocea mea când citesc o propoziție.",
    "ru": "Здравствуйте, так звучит мой голос, когда я читаю предложение.",
    "sv": "Hej, så här låter min röst när jag läser en mening.",
    "tr": "Merhaba, bir cümle okurken sesim böyle çıkıyor.",
    "uk": "Добрий день, так звучить мій голос, коли я читаю речення.",
    "vi": "Xin chào, đây là giọng của tôi khi đọc một câu.",
    "zh": "你好，这就是我读一句话时的声音。",
}


def sentence_in(language: str) -> str:
    """Return a sentence in the language of the BCP 47 tag, or in English."""
    return SENTENCES.get(language.partition("-")[0], SENTENCES["en"])

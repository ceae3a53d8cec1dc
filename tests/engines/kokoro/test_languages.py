"""Nine languages, and nothing of a text lost on its way into the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.engines.kokoro.texts import SENTENCES, STYLES, document
from ttsctl.engines.kokoro.engine import KokoroEngine
from ttsctl.engines.kokoro.english import tokens
from ttsctl.engines.kokoro.languages import (
    LANGUAGES,
    Phonemise,
    find_phonemiser,
    language_of,
    phonemise,
)
from ttsctl.engines.kokoro.phonemes_espeak import EspeakPhonemiser
from ttsctl.engines.kokoro.phonemes_misaki import EnglishPhonemiser
from ttsctl.engines.kokoro.runtime import Samples, Spoken
from ttsctl.engines.kokoro.vocabulary import read_vocabulary
from ttsctl.errors import InvalidRequestError
from ttsctl.speech import Utterance, Voice
from ttsctl.text.clauses import clauses

CONFIG = Path(__file__).parents[3] / "benchmarks" / "data" / "kokoro-config.json"


class RecordingRuntime:
    """Remembers what it was to speak, and says nothing."""

    def __init__(self) -> None:
        self.heard: list[list[int]] = []

    def speak(self, ids: list[int], style: Samples, speed: float) -> Spoken:
        self.heard.append(ids)
        return Spoken(np.zeros(600, np.float32), None, None)


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


@pytest.mark.parametrize("length", [200, 2_000, 20_000])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_character_is_lost(
    root: Path, heart: Voice, language: str, style: str, length: int
) -> None:
    """Counted at the phonemiser's input and at the model's."""
    text = document(language, style, length)
    said: list[str] = []
    phonemes: list[str] = []

    def recording(_language: str) -> Phonemise:
        phonemiser = EspeakPhonemiser(language)

        def record(clause: str) -> str:
            said.append(clause)
            phonemes.append(phonemiser(clause))
            return phonemes[-1]

        return record

    runtime = RecordingRuntime()
    engine = KokoroEngine(lambda _kind, _voice: runtime, recording)
    list(engine.synthesize(Utterance(clauses(text), heart, language)))
    assert "".join(said) == text
    assert all(phonemes), "a clause was phonemised to nothing"
    vocabulary = read_vocabulary(CONFIG)
    spelling = vocabulary.spell(" ".join(phonemes))
    heard = [number for ids in runtime.heard for number in ids[1:-1]]
    space = vocabulary.numbers(" ")[1]
    wanted = vocabulary.numbers(spelling.symbols)[1:-1]
    assert [each for each in heard if each != space] == [each for each in wanted if each != space]
    assert all(len(ids) <= 512 for ids in runtime.heard)
    assert spelling.dropped == 0
    # A language with some hundred letters a phrase has at least about as many sounds.
    assert len(letters("".join(phonemes))) > 0.5 * len(letters(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_best_phonemiser_writes_only_what_the_model_knows(language: str) -> None:
    said = phonemise(clauses(SENTENCES[language]), find_phonemiser(language))
    assert read_vocabulary(CONFIG).spell("".join(said)).dropped == 0


def test_a_hostile_import_of_spacy_is_not_made() -> None:
    """misaki's English is loaded without spaCy, and leaves no stand-in behind."""
    import subprocess
    import sys

    program = (
        "import sys; from ttsctl.engines.kokoro import phonemes_misaki\n"
        "assert 'spacy' not in sys.modules and 'torch' not in sys.modules\n"
        "print(phonemes_misaki.EnglishPhonemiser('en-us')('Hello there, world.'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "həlˈO ðˈɛɹ, wˈɜɹld.\n"


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("I used to record the record.", "ˌI jˈust tə ɹəkˈɔɹd ðə ɹˈɛkəɹd."),
        ("a use, to use", "ɐ jˈus, tə jˈuz"),
        ("$3.50", "θɹˈi dˈɑləɹz ænd fˈɪfti sˈɛnts"),
        ("the apple, the pear", "ði ˈæpᵊl, ðə pˈɛɹ"),
        ("“Why?” — (he asked)", "“wˌI?” — (hi ˈæskt)"),
    ],
)
def test_misaki_knows_grammar_money_and_marks(text: str, phonemes: str) -> None:
    assert EnglishPhonemiser("en-us")(text) == phonemes


def test_misaki_asks_the_fallback_for_a_word_that_it_does_not_know() -> None:
    asked: list[str] = []

    def fallback(text: str) -> str:
        asked.append(text)
        return "ˈɑ"

    assert EnglishPhonemiser("en-us", fallback)("the Zxqvhw Москва sat") == "ði ˈɑ ˈɑ sˈæt"
    assert asked == ["Москва", "Zxqvhw"]  # it works from the end


def test_a_text_on_which_misaki_fails_is_phonemised_whole_by_espeak() -> None:
    assert EnglishPhonemiser("en-us", lambda text: f"<{text}>")("9" * 400) == f"<{'9' * 400}>"


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("en-us", "judge the chair now, bird", "ʤˈʌʤ ðə ʧˈɛɹ nˈW, bˈɜɹd"),
        ("en-gb", "no fair boat", "nˈQ fˈɛː bˈQt"),
        ("es", "ocho, hay", "ˈoʧo, ˈI"),
        ("fr", "Bonjour — « à tous »", "bɔ̃ʒˈuʁ — “a tˈus”"),
        ("it", "gli gnocchi, pizza", "ʎɪ ɲˈokːɪ, pˈiʦːa"),
        ("pt-br", "não há", "nɐ̃ʊ̃ ˈa"),
    ],
)
def test_espeak_writes_in_the_models_letters(language: str, text: str, phonemes: str) -> None:
    assert EspeakPhonemiser(language)(text) == phonemes


@pytest.mark.parametrize(
    ("tag", "voice", "language"),
    [
        ("en-US", "bf_emma", "en-us"),
        ("en", "af_sky", "en-us"),
        ("en-GB", "af_sky", "en-gb"),
        ("fr-fr", "ff_siwis", "fr"),
        ("pt", "pf_dora", "pt-br"),
        ("cmn-Hans", "zf_xiaobei", "zh"),
        ("und", "hf_alpha*0.5+af_sky*0.5", "hi"),
    ],
)
def test_a_tag_means_a_language(tag: str, voice: str, language: str) -> None:
    assert language_of(tag, voice) == language


def test_a_language_that_it_does_not_speak_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="kokoro does not speak 'de'"):
        language_of("de", "af_sky")


def test_what_is_not_in_the_vocabulary_is_mapped_or_counted(tmp_path: Path) -> None:
    spelling = read_vocabulary(CONFIG).spell("gɫä  ɸ☃‖ˈa\u031e")
    assert (spelling.symbols, spelling.dropped) == ("ɡla ɸˈa", 2)


def test_spaces_between_clauses_are_those_of_the_text() -> None:
    said = phonemise(("one, ", "two", " three", "-four ", " ", "five"), str.strip)
    assert said == ["one,", " two", " three", "-four", "", " five"]


def test_the_vocabulary_of_the_test_is_the_models() -> None:
    assert len(json.loads(CONFIG.read_bytes())["vocab"]) == 114


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a 2.5kg bag", ["2.5"]),
        ("it runs at 3.5GHz", ["3.5"]),
        ("worth $1.5B", ["1.5"]),
        ("on the 3rd of 1,234.5", ["3rd", "1,234.5"]),
        ("at 12 past 5.", ["12", "5"]),
    ],
)
def test_a_number_is_not_cut_at_its_point(text: str, numbers: list[str]) -> None:
    found = [token.text for token in tokens(text) if token.text[0].isdigit()]
    assert found == numbers

"""The tone engine's sound proves whose it is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ttsctl.engines.tone import DIGEST_BYTES, ToneEngine, request_digest
from ttsctl.speech import Utterance, Voice, join

VOICE = Voice("tone", "sine", "und", "")

texts = st.text(min_size=1, max_size=50)


@given(text=texts)
def test_the_sound_opens_with_the_digest_of_its_request(text: str) -> None:
    utterance = Utterance((text,), VOICE, "und")
    assert join(list(ToneEngine().synthesize(utterance))).pcm[:DIGEST_BYTES] == request_digest(
        utterance
    )


@given(first=texts, second=texts)
def test_different_texts_have_different_digests(first: str, second: str) -> None:
    digests = {request_digest(Utterance((text,), VOICE, "und")) for text in (first, second)}
    assert len(digests) == len({first, second})


def test_every_option_changes_the_digest() -> None:
    plain = Utterance(("Hello",), VOICE, "en")
    variations = [
        replace(plain, speed=1.5),
        replace(plain, language="de"),
        replace(plain, options=(("noise", "0.5"),)),
        replace(plain, voice=Voice("tone", "faulty", "und", "")),
    ]
    assert len({request_digest(each) for each in [plain, *variations]}) == 5


def test_the_sine_voice_ignores_the_words_that_the_faulty_one_obeys() -> None:
    assert list(ToneEngine().synthesize(Utterance(("!segv !abort !raise",), VOICE, "und")))

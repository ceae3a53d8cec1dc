"""Which voice speaks: names of Piper voices, "auto", and what stands in for a voice that fails."""

from __future__ import annotations

import pytest

from tests.voices.made import put_kokoro, put_piper
from ttsctl.errors import InvalidRequestError, InvalidVoiceError, ModelNotFoundError
from ttsctl.settings import voices_folder
from ttsctl.speech import Voice
from ttsctl.voices import known, shelf, store
from ttsctl.voices.catalogue import alternatives, installed, resolve

LESSAC = "en_US-lessac-medium"


def test_a_piper_voice_resolves_by_full_name_bare_name_and_alias() -> None:
    put_piper(LESSAC)
    voice = resolve(f"piper:{LESSAC}")
    assert (voice.engine, voice.name, voice.language) == ("piper", LESSAC, "en-us")
    assert voice.model == str(voices_folder() / "piper" / LESSAC)
    assert resolve(LESSAC) == voice
    put_piper("ca_ES-upc_ona-x_low", "ca-es", "x_low")
    assert resolve("ca-upc_ona-x-low").name == "ca_ES-upc_ona-x_low"


def test_a_known_voice_that_is_not_installed_is_told_how_to_get() -> None:
    for name in (LESSAC, f"piper:{LESSAC}", f"piper:{LESSAC}#3"):
        with pytest.raises(ModelNotFoundError, match=f"run: ttsctl voices get {LESSAC}"):
            resolve(name)
    with pytest.raises(ModelNotFoundError, match="run: ttsctl voices get kokoro:af_sky"):
        resolve("af_sky")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("piper:en_US-lesac-medium", "nearest: en_US-lessac-medium"),
        ("en_US-lesac-medium", "nearest: en_US-lessac-medium"),
        ("kokoro:af_hart", "nearest: af_heart"),
        ("af_hart", "nearest: af_heart"),
        ("piper:", "not found"),
        ("piper:../../x", "not found"),
        ("kokoro:", "no blend"),
    ],
)
def test_an_unknown_neural_voice_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(InvalidVoiceError, match=hint):
        resolve(name)


def test_a_speaker_is_a_name_or_a_number_of_the_configuration() -> None:
    put_piper(LESSAC, num_speakers=3, speaker_id_map={"anna": 0, "bertha": 1})
    assert resolve(f"piper:{LESSAC}#anna").name == f"{LESSAC}#anna"
    assert resolve(f"{LESSAC}#2").name == f"{LESSAC}#2"
    for speaker in ("3", "-1", "berta", ""):
        with pytest.raises(InvalidVoiceError, match="has no speaker"):
            resolve(f"piper:{LESSAC}#{speaker}")


def test_the_fingerprint_follows_the_files() -> None:
    put_piper(LESSAC)
    before = resolve(LESSAC).fingerprint
    assert before.startswith("piper 1 piper_tts-")
    shelf.discard(voices_folder() / "piper" / LESSAC)
    put_piper(LESSAC, num_symbols=130)
    assert resolve(LESSAC).fingerprint != before


def test_an_altered_voice_is_refused() -> None:
    item = put_piper(LESSAC)
    (item.folder / f"{LESSAC}.onnx").write_bytes(b"altered")
    with pytest.raises(ModelNotFoundError, match="altered"):
        resolve(LESSAC)


def test_a_voice_of_another_language_is_refused() -> None:
    put_piper("de_DE-thorsten-medium", "de-de")
    with pytest.raises(InvalidRequestError, match="speaks de-de, not fr"):
        resolve("de_DE-thorsten-medium", "fr")


@pytest.mark.parametrize(
    ("present", "language", "chosen"),
    [
        ([], None, "espeak:en-us"),
        ([LESSAC], None, f"piper:{LESSAC}"),
        ([LESSAC, "af_sky"], None, "kokoro:af_sky"),
        (["af_sky", "af_heart"], None, "kokoro:af_heart"),
        (["en_US-a-low", "en_US-b-high", "en_US-c-medium"], None, "piper:en_US-b-high"),
        (["en_US-b-low", "en_US-a-low"], None, "piper:en_US-a-low"),
        (["en_GB-a-high", "en_US-b-low"], None, "piper:en_US-b-low"),
        (["en_GB-a-high"], None, "piper:en_GB-a-high"),
        (["de_DE-a-low"], None, "piper:de_DE-a-low"),
        (["jf_alpha", LESSAC], None, f"piper:{LESSAC}"),
        (["jf_alpha", "de_DE-a-low"], None, "kokoro:jf_alpha"),
        (["jf_alpha", LESSAC], "de", "espeak:de"),
        (["af_heart", "de_DE-a-low"], "de", "piper:de_DE-a-low"),
        (["de_DE-a-low"], "de-AT", "piper:de_DE-a-low"),
        (["af_heart"], "en", "kokoro:af_heart"),
        (["af_heart"], "en-GB", "espeak:en-gb"),
        (["af_heart", "bf_emma"], "en_GB", "kokoro:bf_emma"),
        (["ff_siwis"], "fr", "kokoro:ff_siwis"),
    ],
)
def test_auto_is_the_best_installed_voice_for_the_language(
    present: list[str], language: str | None, chosen: str
) -> None:
    put_all(present)
    assert resolve("auto", language).id == chosen


@pytest.mark.parametrize(
    ("engine", "language", "stand_ins"),
    [
        ("kokoro", "en-us", [f"piper:{LESSAC}", "espeak:en-us"]),
        ("piper", "en-us", ["espeak:en-us"]),
        ("espeak", "en-us", []),
        ("tone", "en-us", []),
        ("foreign", "en-us", [f"piper:{LESSAC}", "espeak:en-us"]),
        ("kokoro", "de", ["espeak:de"]),
        ("kokoro", "de-AT", ["espeak:de"]),
        ("kokoro", "xx", []),
        ("kokoro", "", []),
    ],
)
def test_what_stands_in_for_a_voice_is_the_best_of_each_lesser_engine(
    engine: str, language: str, stand_ins: list[str]
) -> None:
    put_all([LESSAC, "en_US-a-low", "af_heart"])
    failed = Voice(engine, "x", language, "")
    assert [voice.id for voice in alternatives(failed, language)] == stand_ins


def test_a_damaged_voice_stands_in_for_nobody() -> None:
    item = put_piper(LESSAC)
    (item.folder / f"{LESSAC}.onnx").write_bytes(b"altered")
    failed = Voice("kokoro", "af_heart", "en-us", "")
    assert [voice.id for voice in alternatives(failed, "en-us")] == ["espeak:en-us"]


def test_the_installed_are_listed_best_engine_first_and_resolve_to_themselves() -> None:
    put_all([LESSAC, "af_sky", "af_heart", "en_US-b-high"])
    entries = installed()
    names = [entry.voice.id for entry in entries[:4]]
    assert names == ["kokoro:af_heart", "kokoro:af_sky", "piper:en_US-b-high", f"piper:{LESSAC}"]
    for entry in entries[:6]:
        assert resolve(entry.voice.id) == entry.voice
    assert entries[0].title == "English (America)"


def test_the_catalogue_has_every_voice_with_what_verifies_it() -> None:
    assert len(known.piper_voices()) == 163
    assert len(known.kokoro_voices()) == 54
    everything = [*known.piper_voices().values(), *known.kokoro_voices().values()]
    for item in [known.kokoro_model(), *everything]:
        assert item.source.count("@") == 1
        for file in item.files:
            assert file.md5 or file.sha256, file.path
            assert file.size_bytes or item.engine == "kokoro"
    voice = known.piper_voices()[LESSAC]
    assert [file.path for file in voice.files] == [
        "en/en_US/lessac/medium/en_US-lessac-medium.onnx.json",
        "en/en_US/lessac/medium/en_US-lessac-medium.onnx",
    ]
    assert next(iter(known.kokoro_voices())) == "af_heart"


def put_all(names: list[str]) -> None:
    for name in names:
        if "-" not in name:
            put_kokoro(name)
        else:
            locale, _, quality = name.split("-")
            put_piper(name, known.piper_tag(locale), quality)


def test_auto_passes_over_a_damaged_voice_and_tells_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_all(["en_US-a-high", "en_US-b-low"])
    assert resolve("auto").name == "en_US-a-high"
    alter("en_US-a-high")
    assert [resolve("auto", tag).name for tag in (None, "en")] == ["en_US-b-low"] * 2
    assert caplog.text.count("voice 'piper:en_US-a-high' is passed over") == 1
    alter("en_US-b-low")
    assert resolve("auto").id == "espeak:en-us"


def test_auto_passes_over_damaged_voices_of_other_languages_and_engines() -> None:
    put_all(["de_DE-a-low", "af_heart"])
    alter("de_DE-a-low")
    (voices_folder() / "kokoro" / "model" / "model.onnx").unlink()
    assert resolve("auto").id == "espeak:en-us"
    assert resolve("auto", "de").id == "espeak:de"


@pytest.mark.parametrize("record", [b'{"files": {}}', b"[" * 100_000, b'{"files": {"\\u0000": 1}}'])
def test_what_stands_in_is_found_whatever_a_record_says(record: bytes) -> None:
    (put_piper(LESSAC).folder / store.RECORD).write_bytes(record)
    failed = Voice("kokoro", "af_heart", "en-us", "")
    assert [voice.id for voice in alternatives(failed, "en-us")] == ["espeak:en-us"]
    with pytest.raises(ModelNotFoundError, match="is not installed"):
        resolve(LESSAC)


def test_a_number_of_speakers_takes_no_memory() -> None:
    put_piper(LESSAC, num_speakers=300_000_000)
    with pytest.raises(InvalidVoiceError, match="a number below 300000000"):
        resolve(f"{LESSAC}#nobody")
    for number in ("007", "٣", "9" * 5000):
        with pytest.raises(InvalidVoiceError, match="has no speaker"):
            resolve(f"{LESSAC}#{number}")


def alter(name: str) -> None:
    with (voices_folder() / "piper" / name / f"{name}.onnx").open("ab") as stream:
        stream.write(b"x")

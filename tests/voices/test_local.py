"""Voices from the user's disk: what is taken, what is refused, and that nothing is ever loaded."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest

from tests.voices.made import npy, piper_config, planting_pickle, tensor, voice_pickle
from ttsctl.errors import InvalidRequestError, OutputError
from ttsctl.settings import voices_folder
from ttsctl.voices import local, pickles, store


@pytest.fixture(name="piper_model")
def _piper_model(tmp_path: Path) -> Path:
    model = tmp_path / "de_DE-mine-low.onnx"
    model.write_bytes(b"model")
    model.with_name(f"{model.name}.json").write_bytes(piper_config("de_DE"))
    return model


@pytest.fixture(name="kokoro_folder")
def _kokoro_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "kokoro"
    (folder / "voices").mkdir(parents=True)
    (folder / "config.json").write_bytes(b'{"vocab": {"a": 1}}')
    (folder / "any-name.onnx").write_bytes(b"model")
    tensor(folder / "voices" / "af_sky.pt")
    npy(folder / "voices" / "jm_kumo.npy")
    return folder


def test_a_piper_model_and_its_configuration_become_a_voice(piper_model: Path) -> None:
    (item,) = local.look(piper_model)
    assert (item.id, item.language, item.quality) == ("piper:de_DE-mine-low", "de-de", "medium")
    (renamed,) = local.look(piper_model, "mine")
    assert set(renamed.files) == {"mine.onnx", "mine.onnx.json"}


def test_a_kokoro_folder_becomes_a_model_and_voices(kokoro_folder: Path) -> None:
    items = local.look(kokoro_folder)
    assert [item.id for item in items] == ["kokoro:model", "kokoro:af_sky", "kokoro:jm_kumo"]
    assert [item.language for item in items] == ["und", "en-us", "ja"]
    assert set(items[0].files) == {"config.json", "model.onnx"}


def test_one_kokoro_voice_can_be_added_and_named(kokoro_folder: Path) -> None:
    (item,) = local.look(kokoro_folder / "voices" / "af_sky.pt", "bf_mine")
    assert (item.id, item.language, set(item.files)) == ("kokoro:bf_mine", "en-gb", {"bf_mine.pt"})


def test_installing_copies_and_a_second_time_changes_nothing(piper_model: Path) -> None:
    (item,) = local.look(piper_model)
    assert local.install(voices_folder(), item, print)
    piper_model.touch()
    assert not local.install(voices_folder(), item, print)
    (present,) = store.items(voices_folder() / "piper")
    assert (present.source, present.size_bytes) == ("local", 5 + len(piper_config("de_DE")))
    piper_model.write_bytes(b"other")
    with pytest.raises(InvalidRequestError, match="there is another voice"):
        local.install(voices_folder(), item, print)


def test_an_unwritable_store_is_told(piper_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        local.install(tmp_path / "file" / "voices", local.look(piper_model)[0], print)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (None, "needs its configuration beside it, de_DE-mine-low.onnx.json"),
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "'audio.sample_rate' is missing"),
        (piper_config(audio={"sample_rate": "fast"}), "'audio.sample_rate' is wrong"),
        (piper_config(espeak={}), "'espeak.voice' is missing"),
        (piper_config(phoneme_id_map={}), "'phoneme_id_map' is wrong"),
        (piper_config(num_symbols=0), "'num_symbols' is wrong"),
        (piper_config(num_speakers=None), "'num_speakers' is missing"),
        (piper_config(num_speakers=300_000_000), "'num_speakers' is wrong"),
        (piper_config(speaker_id_map=[1]), "'speaker_id_map' is wrong"),
        (piper_config(speaker_id_map={"anna": "0"}), "'speaker_id_map' is wrong"),
        (piper_config(language=7), "'language' is wrong"),
    ],
)
def test_a_configuration_that_is_none_is_refused(
    piper_model: Path, config: bytes | None, problem: str
) -> None:
    beside = piper_model.with_name(f"{piper_model.name}.json")
    beside.unlink()
    if config is not None:
        beside.write_bytes(config)
    with pytest.raises(InvalidRequestError, match=problem):
        local.look(piper_model)


@pytest.mark.parametrize("name", ["", ".x", "a/b", "a b", "x" * 101, "ä"])
def test_a_name_that_no_folder_should_have_is_refused(piper_model: Path, name: str) -> None:
    if name:
        with pytest.raises(InvalidRequestError, match="cannot be the name"):
            local.look(piper_model, name)


@pytest.mark.parametrize("name", ["sky", "xf_sky", "a_sky"])
def test_a_kokoro_voice_must_tell_its_language(kokoro_folder: Path, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="does not tell the voice's language"):
        local.look(kokoro_folder / "voices" / "af_sky.pt", name)


def test_what_is_no_voice_is_refused(tmp_path: Path, kokoro_folder: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for path, problem in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "a.txt", "is no voice"),
        (tmp_path / "empty", "no Kokoro voice"),
    ):
        with pytest.raises(InvalidRequestError, match=problem):
            local.look(path)
    with pytest.raises(InvalidRequestError, match="single voice"):
        local.look(kokoro_folder, "x")
    (kokoro_folder / "second.onnx").write_bytes(b"")
    with pytest.raises(InvalidRequestError, match="several"):
        local.look(kokoro_folder)


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    path = tensor(tmp_path / "af_evil.pt", planting_pickle(planted))
    with pytest.raises(InvalidRequestError, match=r"would run code .*open"):
        local.look(path)
    assert not planted.exists()
    pickle.loads(planting_pickle(planted)).close()  # the control: loading it does make the file
    assert planted.exists()


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_no_way_of_calling_gets_past(tmp_path: Path, protocol: int) -> None:
    from tests.voices.made import Planting

    evil = pickle.dumps(Planting(tmp_path / "planted"), protocol=protocol)
    for check in (pickles.check_voice, pickles.check_model):
        with pytest.raises(InvalidRequestError):
            check(tensor(tmp_path / "af_evil.pt", evil))
    assert not (tmp_path / "planted").exists()


def test_a_bare_pickle_posing_as_a_voice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "af_evil.pt"
    path.write_bytes(planting_pickle(tmp_path / "planted"))
    with pytest.raises(InvalidRequestError, match="no file of PyTorch"):
        local.look(path)
    assert not (tmp_path / "planted").exists()


def test_a_kokoro_model_with_code_in_it_is_refused(kokoro_folder: Path, tmp_path: Path) -> None:
    tensor(kokoro_folder / "kokoro-v1_0.pth", planting_pickle(tmp_path / "planted"))
    with pytest.raises(InvalidRequestError, match="would run code"):
        local.look(kokoro_folder)


def test_a_tensor_of_another_size_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="one tensor of"):
        local.look(tensor(tmp_path / "af_short.pt", data=b"1234"))
    path = tensor(tmp_path / "af_cut.pt")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidRequestError):
        local.look(path)
    with pytest.raises(InvalidRequestError, match="damaged"):
        local.look(tensor(tmp_path / "af_odd.pt", voice_pickle()[:-5]))


def test_what_torch_writes_is_a_voice(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.zeros(510, 1, 256), tmp_path / "af_true.pt")
    pickles.check_voice(tmp_path / "af_true.pt")
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    torch.save({"bert": model.state_dict()}, tmp_path / "model.pth")
    pickles.check_model(tmp_path / "model.pth")
    torch.save(model, tmp_path / "whole.pth")
    with pytest.raises(InvalidRequestError, match="would run code"):
        pickles.check_model(tmp_path / "whole.pth")


@pytest.mark.parametrize(
    ("shape", "dtype"), [((510, 256), "<f8"), ((510, 255), "<f4"), ((510, 1, 256), "|O")]
)
def test_an_array_of_another_shape_or_type_is_refused(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    with pytest.raises(InvalidRequestError, match="float32"):
        pickles.check_voice(npy(tmp_path / "af_x.npy", shape, dtype))
    (tmp_path / "af_y.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(InvalidRequestError, match="float32"):
        pickles.check_voice(tmp_path / "af_y.npy")


def test_adding_a_damaged_voice_again_mends_it(piper_model: Path) -> None:
    (item,) = local.look(piper_model)
    assert local.install(voices_folder(), item, print)
    for damage in (lambda path: path.write_bytes(b"MODEL"), Path.unlink):
        damage(voices_folder() / "piper" / item.name / piper_model.name)
        assert local.install(voices_folder(), item, print)
        (present,) = store.items(voices_folder() / "piper")
        store.check(present, is_thorough=True)


def test_another_kokoro_model_is_told_what_makes_room(kokoro_folder: Path) -> None:
    model = local.look(kokoro_folder)[0]
    local.install(voices_folder(), model, print)
    (kokoro_folder / "any-name.onnx").write_bytes(b"other")
    with pytest.raises(
        InvalidRequestError, match=r"Kokoro model; run: ttsctl voices remove kokoro$"
    ):
        local.install(voices_folder(), model, print)


def test_a_kokoro_voice_has_no_dot_in_its_name(kokoro_folder: Path) -> None:
    with pytest.raises(InvalidRequestError, match="letters, digits, and _ - only"):
        local.look(kokoro_folder / "voices" / "af_sky.pt", "af_a.b")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_is_packed_wrongly_is_refused(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "af_packed.pt"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("voice/data.pkl", voice_pickle())
        archive.writestr("voice/data/0", bytes(pickles.VOICE_BYTES))
    pickles.check_voice(path)
    content = bytearray(path.read_bytes())
    start = 30 + len("voice/data.pkl")  # of the member's content, behind its header
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(InvalidRequestError, match="damaged"):
        local.look(path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = tensor(tmp_path / "af_secret.pt")
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of encryption, in the member's header and in the directory
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InvalidRequestError, match="damaged"):
        local.look(path)

"""Adding, showing, listing and removing voices, with a stand-in for the engine that loads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.voices.made import piper_config, put_kokoro, put_piper, tensor
from ttsctl.errors import (
    DeadlineError,
    EngineError,
    InvalidRequestError,
    InvalidVoiceError,
    ModelNotFoundError,
    NotInstalledError,
    OutputError,
)
from ttsctl.settings import models_folder, voices_folder
from ttsctl.speech import Voice
from ttsctl.voices import catalogue, store
from ttsctl.voices.wanted import items_for
from ttsctl.workflows.voices.adding import add
from ttsctl.workflows.voices.inspection import remove, show
from ttsctl.workflows.voices.listing import list_voices
from ttsctl.workflows.voices.preview import preview_request

LESSAC = "en_US-lessac-medium"


class Loader:
    """Remembers what it was asked to load, and fails if it is told to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.loaded: list[str] = []
        self._error = error

    def __call__(self, voices: Sequence[Voice]) -> None:
        self.loaded += [voice.id for voice in voices]
        if self._error:
            raise self._error


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    model = tmp_path / "en_US-mine-high.onnx"
    model.write_bytes(b"model")
    model.with_name(f"{model.name}.json").write_bytes(piper_config())
    return model


def test_an_added_voice_is_loaded_once_and_is_the_default(model: Path) -> None:
    loader = Loader()
    report = add(model, None, print, loader)
    assert (report.installed, report.already) == (["piper:en_US-mine-high"], [])
    assert report.default == "piper:en_US-mine-high"
    assert loader.loaded == ["piper:en_US-mine-high"]
    again = add(model, None, print, loader)
    assert (again.installed, again.already) == ([], ["piper:en_US-mine-high"])
    assert len(loader.loaded) == 1


def test_a_voice_that_does_not_load_is_removed_again(model: Path) -> None:
    with pytest.raises(EngineError, match="no model"):
        add(model, None, print, Loader(EngineError("no model")))
    assert store.items(voices_folder() / "piper") == []
    assert catalogue.resolve("auto").engine == "espeak"


def test_a_voice_is_kept_where_only_the_engines_package_is_missing(model: Path) -> None:
    with pytest.raises(NotInstalledError):
        add(model, None, print, Loader(NotInstalledError("pip install it")))
    assert len(store.items(voices_folder() / "piper")) == 1


def test_kokoro_voices_without_a_model_are_not_added(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="needs the Kokoro model"):
        add(tensor(tmp_path / "af_sky.pt"), None, print, Loader())
    assert store.items(voices_folder() / "kokoro") == []


@pytest.mark.parametrize("name", ["de", "af_heart", "en-us"])
def test_a_name_of_another_engine_is_refused(model: Path, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="choose another name"):
        add(model, name, print, Loader())


def test_what_there_is_to_fetch_for_a_name() -> None:
    def ids(*names: str) -> list[str]:
        return [item.id for item in items_for(names)]

    assert ids("kokoro") == ["kokoro:model", "kokoro:af_heart"]
    assert ids("kokoro:af_sky") == ids("af_sky") == ["kokoro:model", "kokoro:af_sky"]
    assert ids("bf_emma+af_sky*2") == ["kokoro:model", "kokoro:af_sky", "kokoro:bf_emma"]
    assert ids(LESSAC, f"piper:{LESSAC}", f"{LESSAC}#2") == [f"piper:{LESSAC}"]
    assert ids("ca-upc_ona-x-low") == ["piper:ca_ES-upc_ona-x_low"]
    for wrong in ("en_US-lesac-medium", "kokoro:af_hart", "kokoro:model", "piper:af_sky"):
        with pytest.raises(InvalidVoiceError):
            ids(wrong)
    with pytest.raises(InvalidRequestError, match="not to be fetched"):
        ids("espeak:de")


def test_show_tells_a_whole_voice_from_an_altered_one() -> None:
    item = put_piper(LESSAC, num_speakers=2, speaker_id_map={"anna": 0})
    facts = show(LESSAC)
    assert (facts.is_installed, facts.is_whole) == (True, True)
    assert facts.fields["speaker_names"] == ["anna"]
    assert len(facts.fields["files"]) == 2
    (item.folder / f"{LESSAC}.onnx").write_bytes(b"altered")
    damaged = show(LESSAC)
    assert damaged.is_whole is False
    assert "altered" in damaged.fields["problems"][0]


def test_show_knows_what_is_not_installed_and_what_has_no_files() -> None:
    known = show("kokoro:af_sky")
    assert (known.is_installed, known.fields["remedy"]) == (False, "ttsctl voices get af_sky")
    assert show("espeak:de").is_installed
    assert show("de").title == "German"
    with pytest.raises(InvalidVoiceError):
        show("piper:nobody")


def test_show_of_a_blend_has_every_file() -> None:
    put_kokoro("af_sky", "bf_emma")
    files = show("kokoro:af_sky*0.4+bf_emma*0.6").fields["files"]
    assert set(files) == {
        "model/config.json",
        "model/model.onnx",
        "af_sky/af_sky.pt",
        "bf_emma/bf_emma.pt",
    }


def test_remove_frees_a_voice_and_kokoro_frees_all_of_it() -> None:
    put_piper(LESSAC)
    put_kokoro("af_sky", "af_heart")
    assert remove(LESSAC, print) > 0
    assert remove("af_sky", print) > 0
    assert [item.name for item in store.items(voices_folder() / "kokoro")] == ["af_heart", "model"]
    assert remove("kokoro", print) > 0
    assert store.items(voices_folder() / "kokoro") == []
    for name in (LESSAC, "kokoro", "kokoro:model", "../piper"):
        with pytest.raises(ModelNotFoundError, match="is not installed"):
            remove(name, print)
    with pytest.raises(InvalidRequestError, match="cannot be removed"):
        remove("espeak:de", print)


def test_lists_what_is_installed_and_what_could_be() -> None:
    put_piper(LESSAC)
    put_piper("mine", "fr-fr")
    everything = {entry.id: entry for entry in list_voices(is_all=True).entries}
    assert everything[f"piper:{LESSAC}"].is_installed
    assert everything[f"piper:{LESSAC}"].size_bytes == 63_206_179
    assert not everything["kokoro:af_heart"].is_installed
    assert everything["piper:mine"].is_installed
    assert len([name for name in everything if not name.startswith("espeak")]) == 163 + 54 + 1
    piper = [entry.id for entry in list_voices("piper").entries]
    assert piper == [f"piper:{LESSAC}", "piper:mine"]
    french = list_voices("piper", "fr", is_all=True).entries
    assert all(entry.language.startswith("fr") for entry in french)
    with pytest.raises(InvalidVoiceError, match="ttsctl voices get kokoro"):
        list_voices("kokoro")


def test_a_preview_is_in_the_language_of_the_voice(tmp_path: Path) -> None:
    request = preview_request("espeak:de", None, tmp_path / "a.opus")
    assert "Guten Tag" in "".join(request.pieces)
    assert (request.encoding.format, request.is_played) == ("opus", False)
    assert list(preview_request("espeak:eo", "Saluton", None).pieces) == ["Saluton"]


@pytest.mark.parametrize(
    "error", [DeadlineError("hung"), KeyboardInterrupt(), OSError("disk"), ValueError("bug")]
)
def test_whatever_breaks_an_adding_off_leaves_nothing(model: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        add(model, None, print, Loader(error))
    assert store.items(voices_folder() / "piper") == []


def test_one_speaker_is_not_removed() -> None:
    put_piper(LESSAC, num_speakers=3)
    for name in (f"{LESSAC}#2", f"piper:{LESSAC}#2"):
        with pytest.raises(InvalidRequestError, match="one speaker of a voice"):
            remove(name, print)
    assert show(LESSAC).is_whole


def test_remove_takes_what_was_prepared_of_the_voice_and_of_no_other() -> None:
    item = put_piper(LESSAC)
    put_kokoro("af_sky", "af_heart")
    models = models_folder()
    for name in (LESSAC, f"{LESSAC}-b", "kokoro", "kokoro-b"):
        (models / f"{name}-0123456789abcdef").mkdir(parents=True)
        (models / f"{name}-0123456789abcdef" / "a.onnx").write_bytes(bytes(1000))
    record_bytes = (item.folder / store.RECORD).stat().st_size
    assert remove(LESSAC, print) == item.size_bytes + record_bytes + 1000
    remove("af_sky", print)
    assert len(list(models.iterdir())) == 3
    remove("kokoro", print)
    left = sorted(folder.name.rpartition("-")[0] for folder in models.iterdir())
    assert left == [f"{LESSAC}-b", "kokoro-b"]


def test_a_preview_replaces_no_file_unless_it_may(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        preview_request("espeak:de", None, file)
    assert preview_request("espeak:de", None, file, is_replacing=True).file == file

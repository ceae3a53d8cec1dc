"""A graph is cut by what it does; its parts equal the whole, or the whole is used."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.built import CHOIR, TINY
from ttsctl.engines.piper.graph import UncuttableError, cut
from ttsctl.engines.piper.model import MANIFEST, PARTS, PREPARATION, open_model, open_prepared
from ttsctl.engines.piper.planar import convolutions, planar
from ttsctl.engines.piper.prepare import prepare
from ttsctl.engines.piper.windows import StagedModel, Tensors, WholeModel
from ttsctl.engines.prepared import prepared_folder
from ttsctl.engines.sessions import open_session
from ttsctl.errors import ModelNotFoundError


def feed(n_ids: int, speaker: int | None = None, length_scale: float = 1.67) -> Tensors:
    """A sentence without noise, so that it sounds the same each time."""
    made = {
        "input": (np.arange(n_ids) * 11 % 100)[None],
        "input_lengths": np.array([n_ids]),
        "scales": np.array([0, length_scale, 0], np.float32),
    }
    return made if speaker is None else {**made, "sid": np.array([speaker])}


def sound(model: StagedModel | WholeModel, tensors: Tensors) -> np.ndarray:
    return np.concatenate(list(model.stream(tensors)))


@pytest.mark.parametrize("name", [TINY, CHOIR])
@pytest.mark.parametrize("n_ids", [1, 2, 9, 60, 500])
def test_streamed_sound_equals_that_of_the_whole_graph(
    piper_models: Path, prepared: Path, name: str, n_ids: int
) -> None:
    tensors = feed(n_ids, 1 if name == CHOIR else None)
    staged = open_prepared(prepared / name)
    assert isinstance(staged, StagedModel)
    whole = sound(WholeModel(open_session(piper_models / f"{name}.onnx")), tensors)
    streamed = sound(staged, tensors)
    assert streamed.shape == whole.shape
    assert np.abs(streamed - whole).max() <= 1e-5


@pytest.mark.parametrize("speed", [0.25, 0.7, 1.5, 4.0])
def test_the_whole_graph_keeps_to_the_speed_too(
    piper_models: Path, prepared: Path, speed: float
) -> None:
    """What was said before the parts were ready is cached: it must last as long."""
    whole = WholeModel(open_session(piper_models / f"{TINY}.onnx"))
    staged = open_prepared(prepared / TINY)
    lengths = [sum(map(len, model.stream(feed(120), speed))) for model in (whole, staged)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.02)


def test_a_graph_that_fails_in_parts_is_prepared_whole(piper_models: Path, tmp_path: Path) -> None:
    """Else every load would try again, and nobody would know."""
    model = onnx.load(piper_models / f"{TINY}.onnx")
    for node in model.graph.node:
        if node.op_type == "Conv":
            kept = [entry for entry in node.attribute if entry.name != "kernel_shape"]
            del node.attribute[:]
            node.attribute.extend(kept)
    onnx.save(model, tmp_path / "odd.onnx")
    shutil.copy(piper_models / f"{TINY}.onnx.json", tmp_path / "odd.onnx.json")
    prepare(tmp_path / "odd.onnx", tmp_path / "made")
    assert "kernel" in json.loads((tmp_path / "made" / MANIFEST).read_text())["warning"]
    assert isinstance(open_prepared(tmp_path / "made"), WholeModel)


def test_the_first_sound_comes_before_the_sentence_is_decoded(prepared: Path) -> None:
    staged = open_prepared(prepared / TINY)
    pieces = [len(piece) for piece in staged.stream(feed(300))]
    assert len(pieces) > 4
    assert pieces[0] < sum(pieces) / 20


def test_the_cuts_do_not_depend_on_names(piper_models: Path) -> None:
    """Released voices were exported by several versions of PyTorch, whose names differ."""
    model = onnx.load(piper_models / f"{TINY}.onnx")
    plain = cut(model)
    kept = {entry.name for entry in [*model.graph.input, *model.graph.output]}
    for node in model.graph.node:
        node.name = ""
        node.input[:] = [name if name in kept or not name else f"t_{name}" for name in node.input]
        node.output[:] = [name if name in kept else f"t_{name}" for name in node.output]
    for weight in model.graph.initializer:
        weight.name = f"t_{weight.name}"
    renamed = cut(model)
    for name in PARTS:
        one, other = getattr(plain, name), getattr(renamed, name)
        assert len(one.model.graph.node) == len(other.model.graph.node)
        assert (one.context_frames, one.hop) == (other.context_frames, other.hop)


def test_the_context_is_that_of_the_convolutions(piper_models: Path) -> None:
    """A medium decoder: kernels 7 before and after, 16/8, 16/8, 8/4 up, and blocks of 3, 5, 7."""
    parts = cut(onnx.load(piper_models / f"{TINY}.onnx"))
    assert parts.decoder.hop == 256
    assert parts.decoder.context_frames == 11
    assert parts.flow.context_frames == 4 * 4 * 2  # four flows of four layers with kernel 5


def test_convolutions_become_planar_where_the_rest_allows_it(piper_models: Path) -> None:
    parts = cut(onnx.load(piper_models / f"{TINY}.onnx"))
    for part, is_whole in ((parts.decoder, True), (parts.flow, False), (parts.encoder, False)):
        ranks = {
            len(weight.dims)
            for weight in planar(part).graph.initializer
            if any(weight.name == node.input[1] for node in convolutions(planar(part)))
        }
        assert 4 in ranks
        assert (3 in ranks) is not is_whole


def test_what_is_no_voice_is_not_cut() -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    value = helper.make_tensor_value_info
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph([identity], "g", [value("x", floats, [1])], [value("y", floats, [1])])
    with pytest.raises(UncuttableError, match="Ceil"):
        cut(helper.make_model(graph))


def test_a_model_whose_parts_differ_from_the_whole_is_used_whole_with_a_warning(
    piper_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = onnx.load(piper_models / f"{TINY}.onnx")
    _look_at_the_whole_sentence(model)
    onnx.save(model, tmp_path / "global.onnx")
    shutil.copy(piper_models / f"{TINY}.onnx.json", tmp_path / "global.onnx.json")
    prepare(tmp_path / "global.onnx", tmp_path / "made")
    assert "differ" in json.loads((tmp_path / "made" / MANIFEST).read_text())["warning"]
    with caplog.at_level(logging.WARNING, "ttsctl"):
        opened = open_prepared(tmp_path / "made")
    assert isinstance(opened, WholeModel)
    assert "without streaming" in caplog.text
    assert sound(opened, feed(20)).size


def _look_at_the_whole_sentence(model: onnx.ModelProto) -> None:
    """Add the mean over time to what the last convolution gets: no window can know that."""
    nodes = model.graph.node
    place = max(i for i, node in enumerate(nodes) if node.op_type == "Conv")
    before = nodes[place].input[0]
    mean = helper.make_node("ReduceMean", [before], ["mean"], axes=[2], keepdims=1)
    total = helper.make_node("Add", [before, "mean"], ["with_mean"])
    nodes[place].input[0] = "with_mean"
    nodes.insert(place, total)
    nodes.insert(place, mean)


def test_a_truncated_model_is_a_typed_error(piper_models: Path, tmp_path: Path) -> None:
    data = (piper_models / f"{TINY}.onnx").read_bytes()
    for length in (0, 1, 1_000, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.onnx").write_bytes(data[:length])
        with pytest.raises(ModelNotFoundError, match=r"cut\.onnx"):
            open_model(tmp_path / "cut.onnx", f"cut at {length}")
    with pytest.raises(ModelNotFoundError, match="missing"):
        open_model(tmp_path / "none.onnx", "")


def test_a_damaged_preparation_is_not_used(
    piper_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = piper_models / f"{TINY}.onnx"
    folder = prepared_folder(TINY, f"{PREPARATION} fingerprint", model)
    prepare(model, folder)
    assert isinstance(open_model(model, "fingerprint"), StagedModel)
    (folder / "decoder.onnx").write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING, "ttsctl"):
        assert isinstance(open_model(model, "fingerprint"), WholeModel)
    assert "damaged" in caplog.text
    _wait_for(folder)
    assert isinstance(open_model(model, "fingerprint"), StagedModel)


def test_the_first_use_prepares_in_the_background(piper_models: Path) -> None:
    model = piper_models / f"{CHOIR}.onnx"
    assert isinstance(open_model(model, "new"), WholeModel)
    folder = prepared_folder(CHOIR, f"{PREPARATION} new", model)
    _wait_for(folder)
    assert isinstance(open_model(model, "new"), StagedModel)


def _wait_for(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_an_older_preparation_of_the_same_voice_is_removed(
    piper_models: Path, tmp_path: Path
) -> None:
    for name in (f"{TINY}-0123456789abcdef", "another-0123456789abcdef"):
        (tmp_path / name).mkdir()
    prepare(piper_models / f"{TINY}.onnx", tmp_path / f"{TINY}-fedcba9876543210")
    names = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert names == {f"{TINY}-fedcba9876543210", "another-0123456789abcdef"}


def test_a_preparation_that_was_killed_leaves_nothing_that_counts(
    piper_models: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from ttsctl.engines.piper.prepare import prepare; "
        "prepare(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    model, folder = piper_models / f"{TINY}.onnx", tmp_path / "made"
    process = subprocess.Popen([sys.executable, "-c", program, str(model), str(folder)])
    while not list(tmp_path.glob(".made.*.part")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not folder.exists()
    prepare(model, folder)
    assert isinstance(open_prepared(folder), StagedModel)
    assert not list(tmp_path.glob("*.part"))

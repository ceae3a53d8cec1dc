"""What is taken out of a graph is not missed; what is no pattern is left alone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.built import CHOIR, TINY
from ttsctl.engines.piper import prepare as preparation
from ttsctl.engines.piper.crops import cropped
from ttsctl.engines.piper.graph import cut
from ttsctl.engines.piper.model import MANIFEST, open_prepared
from ttsctl.engines.piper.prepare import NOISE, prepare, with_given_noise
from ttsctl.engines.piper.simplify import REWRITES, Rewrite, simplified
from ttsctl.engines.piper.windows import StagedModel, Tensors, WholeModel
from ttsctl.engines.sessions import open_session, save_folded


@pytest.fixture(name="trained", scope="module")
def _trained(piper_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Voices whose weights are all of some value.

    In an untrained one the last layers are zeros, and what lies before them makes no difference.
    """
    folder = tmp_path_factory.mktemp("trained")
    for name in (TINY, CHOIR):
        model = onnx.load(piper_models / f"{name}.onnx")
        random = np.random.default_rng(7)
        for weight in model.graph.initializer:
            value = numpy_helper.to_array(weight)
            if value.dtype == np.float32 and value.ndim and (value == value.flat[0]).all():
                shaken = value + random.normal(0, 0.2, value.shape).astype(np.float32)
                weight.CopyFrom(numpy_helper.from_array(shaken, weight.name))
        onnx.save(model, folder / f"{name}.onnx")
        shutil.copy(piper_models / f"{name}.onnx.json", folder / f"{name}.onnx.json")
        save_folded(folder / f"{name}.onnx", folder / f"{name}.folded")
    return folder


def feed(n_ids: int, name: str) -> Tensors:
    made = {
        "input": (np.arange(n_ids) * 11 % 100)[None],
        "input_lengths": np.array([n_ids]),
        "scales": np.array([0, 1.67, 0], np.float32),
    }
    return {**made, "sid": np.array([1])} if name == CHOIR else made


@pytest.mark.parametrize("name", [TINY, CHOIR])
def test_durations_are_the_same_with_noise(trained: Path, name: str) -> None:
    """The shortest texts have fewer distances than attention knows; strong noise leaves splines."""
    folded = onnx.load(trained / f"{name}.folded")
    encoders = [cut(folded).encoder, cut(simplified(folded)).encoder]
    sessions = [open_session(with_given_noise(e.model).SerializeToString()) for e in encoders]
    for n_ids in (1, 2, 3, 4, 5, 9, 60):
        noise = np.random.default_rng(n_ids).normal(size=(1, 2, n_ids)).astype(np.float32)
        scales = np.array([0, 1, 4], np.float32)
        tensors = {**feed(n_ids, name), "scales": scales, NOISE: noise}
        one, other = (
            session.run([encoder.outputs[0]], tensors)[0]
            for session, encoder in zip(sessions, encoders, strict=True)
        )
        assert other == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("name", [TINY, CHOIR])
def test_streamed_sound_of_trained_weights_equals_that_of_the_whole_graph(
    trained: Path, tmp_path: Path, name: str
) -> None:
    prepare(trained / f"{name}.onnx", tmp_path / "made")
    manifest = json.loads((tmp_path / "made" / MANIFEST).read_text())
    assert not manifest["warning"]
    assert manifest["flow"]["crops"]
    assert manifest["decoder"]["crops"]
    staged = open_prepared(tmp_path / "made")
    whole = WholeModel(open_session(trained / f"{name}.onnx"))
    for n_ids in (1, 7, 150):
        one, other = (
            np.concatenate(list(model.stream(feed(n_ids, name)))) for model in (whole, staged)
        )
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-5


def test_little_is_left(trained: Path) -> None:
    folded = onnx.load(trained / f"{TINY}.folded")
    plain, simple = cut(folded), cut(simplified(folded))
    kinds = Counter(node.op_type for node in simple.encoder.model.graph.node)
    assert kinds["NonZero"] == kinds["ScatterND"] == kinds["ReduceMean"] == kinds["CumSum"] == 0
    assert kinds["LayerNormalization"] == 4 + 4 * 6  # two layers of attention, four of others
    assert kinds.total() < len(plain.encoder.model.graph.node) / 2
    assert len(plain.flow.inputs) == 2
    assert len(simple.flow.inputs) == 1  # no mask


def test_the_context_of_a_decoder_is_dropped_on_the_way(trained: Path) -> None:
    decoder = cropped(cut(onnx.load(trained / f"{TINY}.folded")).decoder)
    rates, needs = zip(*decoder.crops, strict=True)
    assert rates == (8, 64, 256)
    assert all(need < 11 * rate for rate, need in decoder.crops)
    assert needs[-1] < 256  # less than a frame


@pytest.mark.parametrize("rewrite", REWRITES)
def test_what_is_no_voice_is_left_alone(rewrite: Rewrite) -> None:
    value, floats = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Softmax", ["x"], ["s"]),
        helper.make_node("Sqrt", ["s"], ["r"]),
        helper.make_node("Div", ["x", "r"], ["d"]),
        helper.make_node("Less", ["d", "r"], ["l"]),
        helper.make_node("Not", ["l"], ["n"]),
        helper.make_node("And", ["l", "n"], ["a"]),
        helper.make_node("Where", ["a", "d", "s"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [value("x", floats, [1])], [value("y", floats, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    assert [node.op_type for node in rewrite(model).graph.node] == [n.op_type for n in nodes]


def test_where_the_simplified_graph_differs_the_plain_one_is_cut(
    piper_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer to begin, but still streams."""

    def wrong(model: onnx.ModelProto) -> onnx.ModelProto:
        made = simplified(model)
        for node in made.graph.node:
            if node.op_type == "Softplus":
                node.op_type = "Relu"
        return made

    monkeypatch.setattr(preparation, "simplified", wrong)
    prepare(piper_models / f"{TINY}.onnx", tmp_path / "made")
    manifest = json.loads((tmp_path / "made" / MANIFEST).read_text())
    assert not manifest["whole"]
    assert "durations" in manifest["warning"]
    assert len(manifest["flow"]["inputs"]) == 2
    assert isinstance(open_prepared(tmp_path / "made"), StagedModel)

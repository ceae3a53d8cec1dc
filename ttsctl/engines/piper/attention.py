"""Attention that knows how far apart two phonemes are, without the detour that exports make.

A score is a product of query and key, and one of query and distance, where only a few distances
have a vector of their own (Shaw, Uszkoreit and Vaswani 2018, arXiv:1803.02155; four to either side
in Piper). Exported, the others are filled up with zeros, and multiplied: a matrix of 2 T - 1
columns of which 9 count. Here those 9 are made, and shifted into place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ttsctl.engines.piper.rewriting import Above, Build, Rewriter


@dataclass(frozen=True)
class _Attention:
    """What is found of one layer."""

    source: str

    place: onnx.NodeProto
    """The convolution that gets the result."""

    kernels: list[NDArray[Any]]
    """Of query, key and value: (channels, channels, 1)."""

    biases: list[NDArray[Any]]

    key_distances: NDArray[Any]
    """(1 or heads, distances, channels of a head)"""

    value_distances: NDArray[Any]

    @property
    def n_heads(self) -> int:
        return int(self.kernels[0].shape[0] // self.key_distances.shape[2])

    @property
    def beside(self) -> int:
        """How many distances to either side have a vector."""
        return int(self.key_distances.shape[1] // 2)


def with_near_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model in which only distances that have a vector are computed with."""
    graph = Rewriter(model)
    lengths: dict[str, Any] = {}
    for node in graph.nodes:
        layer = _find(graph, node) if node.op_type == "Softmax" else None
        if layer is not None:
            build = graph.builder(layer.place)
            lengths = lengths or _lengths(build, layer.source, 2 * layer.beside + 1)
            graph.replace(layer.place.input[0], _attend(build, layer, lengths))
    return graph.finished()


def _find(graph: Rewriter, softmax: onnx.NodeProto) -> _Attention | None:
    place = graph.first_below("Conv", softmax.output[0])
    if place is None:
        return None
    scores, values = graph.above(softmax.input[0]), graph.above(place.input[0], softmax.output[0])
    query = _query(graph, scores)
    if query is None or len(scores.convolutions) != 2 or len(values.convolutions) != 1:
        return None
    (key,) = (node for node in scores.convolutions if node is not query)
    convs = [query, key, *values.convolutions]
    constants = [graph.constant(name) for node in convs for name in node.input[1:]]
    weights = [value for value in constants if value is not None]
    kernels, biases = weights[::2], weights[1::2]
    tables = [*scores.tables, *values.tables]
    if (
        len({node.input[0] for node in convs}) != 1
        or len(weights) != 2 * len(convs)
        or len({kernel.shape for kernel in kernels}) != 1
        or len(tables) != 2
        or tables[0].shape != tables[1].shape
    ):
        return None
    return _Attention(query.input[0], place, kernels, biases, *tables)


def _query(graph: Rewriter, scores: Above) -> onnx.NodeProto | None:
    """Return the convolution whose output is multiplied with distances."""
    for node in scores.nodes:
        if node.op_type == "MatMul":
            one, other = (graph.above(name) for name in node.input)
            if len(one.convolutions) == 1 and other.tables and not other.convolutions:
                return one.convolutions[0]
    return None


def _lengths(build: Build, source: str, span: int) -> dict[str, Any]:
    """Return what depends on the number of phonemes, T, which is the same in all layers."""
    length = build("Shape", source, start=2, end=3)
    return {
        "pad columns": build("Concat", np.zeros(5, np.int64), length, axis=0),
        "pad end": build("Concat", np.zeros(3, np.int64), length, axis=0),
        "minus length": build("Neg", length),
        "skewed": build(
            "Concat", np.array([0, -1]), build("Add", length, np.array([span - 1])), axis=0
        ),
        "straight": build(
            "Concat", np.array([0, -1]), build("Add", length, np.array([span])), axis=0
        ),
    }


def _attend(build: Build, layer: _Attention, lengths: dict[str, Any]) -> Any:
    """Make the nodes of a layer; heads are the first axis, and there is no batch."""
    n_heads, (channels, _, _) = layer.n_heads, layer.kernels[0].shape
    scale = np.float32(1 / math.sqrt(channels // n_heads))
    (query_kernel, *kernels), (query_bias, *biases) = layer.kernels, layer.biases
    kernel = np.concatenate([query_kernel * scale, *kernels])
    bias = np.concatenate([query_bias * scale, *biases])
    mixed = build("Conv", layer.source, kernel, bias, kernel_shape=[1])
    heads = build("Reshape", mixed, np.array([3 * n_heads, channels // n_heads, -1]))
    query, key, value = build("Split", heads, np.array([n_heads] * 3), axis=0, n_outputs=3)
    query = build("Transpose", query, perm=[0, 2, 1])
    near = build("MatMul", query, _turned(layer.key_distances))
    scores = build("Add", build("MatMul", query, key), _skewed(build, near, layer.beside, lengths))
    weights = build("Softmax", scores, axis=-1)
    near = build("Transpose", _straight(build, weights, layer, lengths), perm=[0, 2, 1])
    everywhere = build("MatMul", value, build("Transpose", weights, perm=[0, 2, 1]))
    nearby = build("MatMul", _turned(layer.value_distances), near)
    return build("Reshape", build("Add", everywhere, nearby), np.array([1, channels, -1]))


def _turned(table: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(table.transpose(0, 2, 1))


def _skewed(build: Build, near: str, beside: int, lengths: dict[str, Any]) -> Any:
    """Shift row i of (heads, T, distances) by i: column T of the result is distance 0 to T.

    Rows become T longer, and are read as if they were one less so: each begins one place later.
    """
    padded = build("Pad", near, lengths["pad columns"])
    flat = build("Reshape", padded, np.array([0, -1]))
    shorter = build("Slice", flat, np.array([0]), lengths["minus length"], np.array([1]))
    rows = build("Reshape", shorter, lengths["skewed"])
    return build("Slice", rows, np.array([beside]), np.array([-beside]), np.array([2]))


def _straight(build: Build, weights: str, layer: _Attention, lengths: dict[str, Any]) -> Any:
    """Undo `_skewed`: return the (heads, T, distances) that lie around the diagonal."""
    beside = layer.beside
    padded = build("Pad", weights, np.array([0, 0, beside, 0, 0, beside]))
    flat = build("Reshape", padded, np.array([0, -1]))
    longer = build("Pad", flat, lengths["pad end"])
    rows = build("Reshape", longer, lengths["straight"])
    return build("Slice", rows, np.array([0]), np.array([2 * beside + 1]), np.array([2]))

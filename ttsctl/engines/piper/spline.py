"""The splines of the duration predictor, in a sixth of the nodes that exports have.

A rational quadratic spline (Durkan, Bekasov, Murray and Papamakarios 2019, arXiv:1906.04032) maps
[-5, 5] to itself and leaves the rest alone. Exported it takes out what lies inside, by index, and
puts it back; here all of it is mapped, and the result chosen where it counts. A spline is some 270
nodes as exported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from ttsctl.engines.piper.rewriting import Build, Rewriter

_MIN_SIZE = 1e-3  # of a bin, in the unit interval
_MIN_SLOPE = 1e-3
_LAST_EDGE = 1e-6  # that the end belongs to the last bin


@dataclass(frozen=True)
class _Spline:
    """What is found of a spline."""

    place: onnx.NodeProto
    """The node that gets the outcome."""

    outcome: str

    value: str
    """What is mapped: (1, 1, T)."""

    is_inside: str

    shape: str
    """Sizes of the bins on either side, and slopes between them: (1, 3 bins - 1, T)."""

    bound: float
    n_bins: int

    scale: float
    """By how much the sizes have to be divided."""


def with_short_splines(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose splines are computed without indices."""
    graph = Rewriter(model)
    for node in graph.nodes:
        spline = _find(graph, node) if node.op_type == "And" else None
        if spline is not None:
            build = graph.builder(spline.place)
            graph.replace(spline.outcome, _mapped(build, spline))
    return graph.finished()


def _find(graph: Rewriter, inside: onnx.NodeProto) -> _Spline | None:
    makers = [graph.maker[name] for name in inside.input if name in graph.maker]
    tests = {node.op_type: node for node in makers}
    if set(tests) != {"GreaterOrEqual", "LessOrEqual"}:
        return None
    value, high = tests["LessOrEqual"].input
    bound = graph.number(high)
    outcome = _outcome(graph, inside.output[0])
    if outcome is None or bound is None:
        return None
    convs = graph.above(outcome[1], value).convolutions
    kernel = graph.constant(convs[0].input[1]) if len(convs) == 1 else None
    if kernel is None or kernel.shape[0] % 3 != 2:
        return None
    (shape,), n_bins = convs[0].output, (kernel.shape[0] + 1) // 3
    scale = math.sqrt(kernel.shape[1])
    return _Spline(*outcome, value, inside.output[0], shape, bound, n_bins, scale)


def _outcome(graph: Rewriter, inside: str) -> tuple[onnx.NodeProto, str] | None:
    """Return what joins the outcome with the other half of the channels, and the outcome."""
    below = {inside}
    for node in graph.nodes:
        if below.isdisjoint(node.input):
            continue
        below.update(node.output)
        if node.op_type == "Concat" and len(node.input) == 2:
            for name in node.input:
                if name in graph.maker and graph.maker[name].op_type == "ScatterND":
                    return node, name
    return None


def _mapped(build: Build, spline: _Spline) -> Any:
    """Make the nodes of a spline's inverse; bins are the second axis, as channels are."""
    value, n_bins = spline.value, spline.n_bins
    edges, derivatives = _edges_and_slopes(build, spline)
    first, second = np.array([0]), np.array([1])
    before = build("Slice", edges, first, np.array([n_bins]), second)
    sizes = build("Sub", build("Slice", edges, second, np.array([n_bins + 1]), second), before)
    heights = build("Slice", edges, second, np.array([2]), first)
    last = np.zeros((1, n_bins + 1, 1), np.float32)
    last[:, -1] = _LAST_EDGE
    reached = build("GreaterOrEqual", value, build("Add", heights, last))
    reached = build("Cast", reached, to=onnx.TensorProto.FLOAT)
    bins = build(
        "Sub",
        build("Slice", reached, first, np.array([n_bins]), second),
        build("Slice", reached, second, np.array([n_bins + 1]), second),
    )
    slopes = [
        build("Slice", derivatives, np.array([start]), np.array([start + n_bins]), second)
        for start in (0, 1)
    ]
    facts = build("Mul", build("Concat", before, sizes, *slopes, axis=0), bins)
    facts = build("ReduceSum", facts, second, keepdims=1)
    found = build("Split", facts, np.ones(6, np.int64), axis=0, n_outputs=6)
    return build("Where", spline.is_inside, _solved(build, value, found), value)


def _edges_and_slopes(build: Build, spline: _Spline) -> tuple[Any, Any]:
    """Return the edges of the bins, (2, bins + 1, T), and the slopes there, (1, bins + 1, T)."""
    n_bins, bound = spline.n_bins, spline.bound
    ends = np.array([2 * n_bins, n_bins - 1])
    sizes, slopes = build("Split", spline.shape, ends, axis=1, n_outputs=2)
    sizes = build("Reshape", sizes, np.array([2, n_bins, -1]))
    shares = build("Softmax", build("Div", sizes, np.float32(spline.scale)), axis=1)
    sums = np.tri(n_bins + 1, n_bins, -1, np.float32)
    sums[-1] = 0  # the last edge is not computed, but known
    start = -bound + 2 * bound * _MIN_SIZE * np.arange(n_bins + 1, dtype=np.float64)
    start[-1] = bound
    sums *= 2 * bound * (1 - _MIN_SIZE * n_bins)
    edges = build("Add", build("MatMul", sums, shares), start.astype(np.float32)[:, None])
    slopes = build("Add", build("Softplus", slopes), np.float32(_MIN_SLOPE))
    around = np.array([0, 1, 0, 0, 1, 0])
    return edges, build("Pad", slopes, around, np.float32(1))  # as straight as what lies outside


def _solved(build: Build, value: str, found: list[str]) -> Any:
    """Return where in its bin the spline has `value`: the root of a quadratic equation."""
    left, low, width, height, slope, next_slope = found
    steepness = build("Div", height, width)
    above = build("Sub", value, low)
    bend = build("Add", slope, next_slope)
    bend = build("Sub", bend, build("Mul", steepness, np.float32(2)))
    bent = build("Mul", above, bend)
    a = build("Add", bent, build("Mul", height, build("Sub", steepness, slope)))
    b = build("Sub", build("Mul", height, slope), bent)
    c = build("Mul", build("Neg", steepness), above)
    four_ac = build("Mul", build("Mul", a, c), np.float32(4))
    discriminant = build("Sub", build("Mul", b, b), four_ac)
    divisor = build("Sub", build("Neg", b), build("Sqrt", discriminant))
    root = build("Div", build("Mul", c, np.float32(2)), divisor)
    return build("Add", build("Mul", root, width), left)

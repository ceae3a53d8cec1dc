"""Rewrites one-dimensional convolutions as two-dimensional ones of height 1.

onnxruntime has its fastest kernels, with channels in blocks (NCHWc), for images only. Measured on
a medium voice: the decoder is 1.24 to 1.27 times faster and differs by 3e-8. What lies between
convolutions gets the height too where it can, since every change between blocks and rows of
channels costs a copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import onnx
from onnx import TensorProto, helper, numpy_helper

from ttsctl.engines.piper.graph import Part

HEIGHT_AXIS = 2
_AXES = "ttsctl_height"
_CONVOLUTIONS = ("Conv", "ConvTranspose")
# These do the same to (1, C, 1, T) as to (1, C, T), provided that constants are single numbers.
_INDIFFERENT = ("LeakyRelu", "Relu", "Tanh", "Sigmoid", "Add", "Mul", "Div", "Slice")
_MIN_KERNEL = 3  # what is narrower is a product of matrices, and fast as it is
_BLOCK = 16  # channels


def planar(part: Part) -> onnx.ModelProto:
    """Return the model of `part` with planar convolutions: those that pay, and what joins them."""
    model = onnx.ModelProto()
    model.CopyFrom(part.model)
    raised = _Region(model).raised
    _raise(model, [node for node in convolutions(model) if node.output[0] in raised])
    _set_nodes(model, list(_bordered(model, raised)))
    return model


def convolutions(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield the convolutions of a model, transposed ones too."""
    return (node for node in model.graph.node if node.op_type in _CONVOLUTIONS)


class _Region:
    """Finds the nodes that get the height; `raised` has their outputs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._weights = {weight.name: weight for weight in model.graph.initializer}
        self._users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self._users[name].append(node)
        nodes = [node for node in model.graph.node if self._is_able(node)]
        self.raised = {node.output[0] for node in nodes}
        while left := [node for node in nodes if not self._may_stay(node)]:
            self.raised -= {node.output[0] for node in left}
            nodes = [node for node in nodes if node.output[0] in self.raised]

    def _is_able(self, node: onnx.NodeProto) -> bool:
        if node.op_type in _CONVOLUTIONS:
            kernel = self._weights.get(node.input[1])
            return kernel is not None and len(self._users[kernel.name]) == 1
        if node.op_type == "Slice":
            axes = self._weights.get(node.input[3]) if len(node.input) == 4 else None
            return axes is not None and numpy_helper.to_array(axes).tolist() == [-1]
        return node.op_type in _INDIFFERENT and all(
            max(self._weights[name].dims, default=1) == 1
            for name in node.input
            if name in self._weights
        )

    def _may_stay(self, node: onnx.NodeProto) -> bool:
        """Whether a node pays by itself, or lies between others that have the height."""
        if self._pays(node):
            return True
        users = self._users[node.output[0]] if node.op_type in _CONVOLUTIONS else []
        if users and all(user.output[0] in self.raised for user in users):
            return True
        return all(name in self.raised for name in _sources(node, set(self._weights)))

    def _pays(self, node: onnx.NodeProto) -> bool:
        """Whether a convolution is faster by more than two changes of its layout cost."""
        if node.op_type != "Conv":
            return False
        is_grouped = any(entry.name == "group" and entry.i > 1 for entry in node.attribute)
        outputs, _, kernel = self._weights[node.input[1]].dims
        return kernel >= _MIN_KERNEL and outputs % _BLOCK == 0 and not is_grouped


def _bordered(model: onnx.ModelProto, raised: set[str]) -> Iterator[onnx.NodeProto]:
    """Yield the nodes, and between them what puts the height in, or takes it out again."""
    weights = {weight.name for weight in model.graph.initializer}
    flat = {entry.name for entry in model.graph.output}
    flat |= {n for node in model.graph.node if node.output[0] not in raised for n in node.input}
    entered: set[str] = set()
    for node in model.graph.node:
        if node.output[0] not in raised:
            yield node
            continue
        sources = _sources(node, weights)
        for name in sources:
            if name not in raised and name not in entered:
                entered.add(name)
                yield helper.make_node("Unsqueeze", [name, _AXES], [f"{name}_planar"])
        node.input[:] = [f"{name}_planar" if name in sources else name for name in node.input]
        name = node.output[0]
        node.output[0] = f"{name}_planar"
        yield node
        if name in flat:
            yield helper.make_node("Squeeze", [node.output[0], _AXES], [name])


def _sources(node: onnx.NodeProto, weights: set[str]) -> list[str]:
    """Return the inputs of a node that have channels and time."""
    if node.op_type in (*_CONVOLUTIONS, "Slice"):
        return [node.input[0]]
    return [name for name in node.input if name not in weights]


def _raise(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    """Make `nodes`, which no other node shares weights with, two-dimensional."""
    for node in nodes:
        _raise_node(node)
    raised = {node.input[1] for node in nodes}
    for weight in model.graph.initializer:
        if weight.name in raised:
            weight.dims.insert(HEIGHT_AXIS, 1)


def _raise_node(node: onnx.NodeProto) -> None:
    """Give every list of a convolution's attributes an entry for the height."""
    for attribute in node.attribute:
        values = list(attribute.ints)
        if attribute.name == "pads":
            attribute.ints[:] = [0, values[0], 0, values[1]]
        elif attribute.name in ("kernel_shape", "strides", "dilations"):
            attribute.ints[:] = [1, *values]
        elif attribute.name in ("output_padding", "output_shape"):
            attribute.ints[:] = [0, *values]


def _set_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    # Copies: what is taken out of a graph does not outlive the place that it had there.
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    axes = helper.make_tensor(_AXES, TensorProto.INT64, [1], [HEIGHT_AXIS])
    model.graph.initializer.append(axes)

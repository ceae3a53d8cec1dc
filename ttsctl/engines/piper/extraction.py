"""Takes a part out of a graph."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper


def extract(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    """Return the part of `model` that computes `outputs` from `inputs`, which may be inner tensors.

    Unlike `onnx.utils.extract_model` it needs no shapes, which exported voices do not state.
    """
    maker = {name: index for index, node in enumerate(model.graph.node) for name in node.output}
    needed: set[int] = set()
    pending = [name for name in outputs if name not in inputs]
    while pending:
        index = maker.get(pending.pop())
        if index is not None and index not in needed:
            needed.add(index)
            pending += [name for name in model.graph.node[index].input if name not in inputs]
    nodes = [model.graph.node[index] for index in sorted(needed)]
    used = {name for node in nodes for name in node.input}
    declared = {entry.name: entry for entry in model.graph.input}
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        [declared.get(name) or _floats(name) for name in inputs],
        [_floats(name) for name in outputs],
        [weight for weight in model.graph.initializer if weight.name in used],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _floats(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

"""A graph in the making: looks up who makes what, and puts new nodes in the place of old ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ttsctl.engines.piper.extraction import extract

Build = Callable[..., Any]

_TABLE_AXES = 3


@dataclass(frozen=True)
class Above:
    """What a tensor is made from."""

    nodes: list[onnx.NodeProto]

    convolutions: list[onnx.NodeProto]
    """Those that are met first; what lies above them is not looked at."""

    tables: list[NDArray[Any]]
    """Constants of three axes."""


class Rewriter:
    """The nodes of a model, in an order in which they can be run.

    What is replaced stays where it was until `finished`, which leaves out what nobody uses.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.nodes: list[onnx.NodeProto] = list(self.model.graph.node)
        self._weights = {weight.name: weight for weight in self.model.graph.initializer}
        self._ends = {entry.name for entry in model.graph.output}
        self._renamed: dict[str, str] = {}
        self._inserted: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        self._n_made = 0
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.users[name].append(node)

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return the value of a tensor that is the same in every run."""
        weight = self._weights.get(name)
        return None if weight is None else numpy_helper.to_array(weight)

    def number(self, name: str) -> float | None:
        """Return the value of a constant of one element."""
        value = self.constant(name)
        return None if value is None or value.size != 1 else float(value.reshape(-1)[0])

    def origin(self, name: str, *kinds: str) -> str:
        """Return what `name` was before nodes of `kinds`, which have one input that counts."""
        while name in self.maker and self.maker[name].op_type in kinds:
            name = self.maker[name].input[0]
        return name

    def above(self, name: str, *stops: str) -> Above:
        """Return what `name` is made from, up to convolutions and tensors of `stops`.

        What only tells how large something is does not count.
        """
        seen, pending, found = set(stops), [name], Above([], [], [])
        while pending:
            name = pending.pop()
            node = self.maker.get(name)
            value = self.constant(name)
            if name in seen:
                continue
            seen.add(name)
            if value is not None and value.ndim == _TABLE_AXES:
                found.tables.append(value)
            elif node is not None and node.op_type == "Conv":
                found.convolutions.append(node)
            elif node is not None and node.op_type != "Shape":
                found.nodes.append(node)
                pending += node.input
        return found

    def first_below(self, kind: str, name: str) -> onnx.NodeProto | None:
        """Return the first node of a kind, in order, that `name` flows into."""
        below = {name}
        for node in self.nodes:
            if not below.isdisjoint(node.input):
                if node.op_type == kind:
                    return node
                below.update(node.output)
        return None

    def builder(self, place: onnx.NodeProto) -> Build:
        """Return what makes nodes before `place`: from a kind, inputs and attributes, the output.

        Inputs are names, or values that become constants. With `n_outputs` it returns a list.
        """

        def build(kind: str, *inputs: Any, n_outputs: int = 1, **attributes: Any) -> Any:
            names = [entry if isinstance(entry, str) else self._keep(entry) for entry in inputs]
            outputs = [self._new_name(kind) for _ in range(n_outputs)]
            node = helper.make_node(kind, names, outputs, **attributes)
            self._inserted[place.output[0]].append(node)
            return outputs[0] if n_outputs == 1 else outputs

        return build

    def replace(self, old: str, new: str) -> None:
        """Have all that use `old` use `new`, which is made before; outputs of the graph stay."""
        if old not in self._ends:
            self._renamed[old] = new

    def finished(self) -> onnx.ModelProto:
        """Return the model with all replacements, and without what they left over."""
        nodes = [new for node in self.nodes for new in (*self._inserted[node.output[0]], node)]
        for node in nodes:
            node.input[:] = [self._current(name) for name in node.input]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        graph = self.model.graph
        del graph.node[:]
        graph.node.extend(copies)
        inputs = [entry.name for entry in graph.input if entry.name not in self._weights]
        return extract(self.model, inputs, [entry.name for entry in graph.output])

    def _current(self, name: str) -> str:
        while name in self._renamed:
            name = self._renamed[name]
        return name

    def _keep(self, value: Any) -> str:
        name = self._new_name("constant")
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _new_name(self, kind: str) -> str:
        while True:  # earlier rewrites have made some
            self._n_made += 1
            name = f"ttsctl_{kind}_{self._n_made}"
            if name not in self.maker and name not in self._weights:
                return name


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}

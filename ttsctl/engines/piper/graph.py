"""Cuts the graph of a Piper voice into four: encoder, aligner, flow and decoder.

A Piper voice is a VITS model (Kim, Kong and Son 2021, arXiv:2106.06103) in one ONNX graph. The
encoder reads the text and tells how long each phoneme lasts; the aligner spreads the phonemes over
as many frames and adds noise. What follows is convolutions over frames, whose every output depends
on a few frames around it: so flow and decoder can be run window by window, with that many frames of
context on either side, and yield the very samples that one run yields.

The cuts are found by what the graph does, not by what its nodes are called: durations are what is
rounded up, latent frames are where noise is added, and the decoder is what follows the last
convolution before the first transposed one. Whether the parts equal the whole is checked by
numbers, not assumed (see `ttsctl.engines.piper.prepare`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import onnx

from ttsctl.engines.piper.extraction import extract

_SHAPE_ONLY = ("Unsqueeze", "Squeeze", "Reshape", "Identity", "Flatten")


class UncuttableError(ValueError):
    """The graph is not built as the graphs of Piper voices are."""


@dataclass(frozen=True)
class Part:
    """A piece of the graph, as a model of its own."""

    model: onnx.ModelProto

    inputs: tuple[str, ...]
    """The first is the one that the graph was cut at; the encoder's are those of the graph."""

    outputs: tuple[str, ...]

    context_frames: int = 0
    """Of flow and decoder: how far to either side an output depends on the input."""

    hop: int = 1
    """Outputs for each input frame: 1 for the flow, samples a frame for the decoder."""

    crops: tuple[tuple[int, int], ...] = ()
    """Where context is dropped: entries a frame there, and how many of them stay on either side."""


@dataclass(frozen=True)
class Parts:
    """The whole graph in four pieces."""

    encoder: Part
    """Its first output is how many frames each phoneme lasts, not rounded yet."""

    aligner: Part
    """Its first input is the same, rounded; its first output the latent frames."""

    flow: Part
    decoder: Part


def cut(model: onnx.ModelProto) -> Parts:
    """Cut a Piper voice into its parts.

    Raises:
        UncuttableError: No such structure is found.
    """
    graph = Graph(model)
    rounding = graph.last("Ceil")
    latent = graph.sum_after(graph.last("RandomNormalLike", "RandomNormal").output[0])
    spectrum = graph.before_first_upsampling(graph.downstream(latent))
    sound = graph.before_reshaping(model.graph.output[0].name)
    flow = graph.windowed_part(latent, spectrum)
    decoder = graph.windowed_part(spectrum, sound)
    needed = dict.fromkeys([*flow.inputs, *decoder.inputs])
    del needed[spectrum]
    if not graph.downstream(latent).isdisjoint(needed):
        raise UncuttableError("flow and decoder share more than one tensor")
    timed = graph.downstream(rounding.output[0])
    aligner = graph.part(rounding.output[0], [name for name in needed if name in timed])
    ends = dict.fromkeys([rounding.input[0], *aligner.inputs[1:], *needed])
    outputs = [name for name in ends if name not in timed]
    return Parts(graph.head(outputs), aligner, flow, decoder)


class Graph:
    """Who makes and who uses which tensor; asked for what is not there, it is uncuttable."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes: list[onnx.NodeProto] = list(model.graph.node)
        self.maker: dict[str, onnx.NodeProto] = {
            name: node for node in self.nodes for name in node.output
        }
        self.weights = {weight.name: weight for weight in model.graph.initializer}
        inputs = {entry.name for entry in model.graph.input} - set(self.weights)
        self.dynamic = inputs | self.downstream(*inputs)

    def downstream(self, *names: str) -> set[str]:
        """Return the tensors that depend on any of `names`; nodes are in topological order."""
        found = set(names)
        for node in self.nodes:
            if not found.isdisjoint(node.input):
                found.update(node.output)
        return found - set(names)

    def last(self, *kinds: str) -> onnx.NodeProto:
        """Return the last node of one of some kinds."""
        for node in reversed(self.nodes):
            if node.op_type in kinds:
                return node
        raise UncuttableError(f"the graph has no {' or '.join(kinds)}")

    def sum_after(self, name: str) -> str:
        """Return the first sum that `name` flows into: mean + noise * deviation * scale."""
        for node in self.nodes:
            if name in node.input and node.op_type in ("Mul", "Cast"):
                name = node.output[0]
            elif name in node.input and node.op_type == "Add":
                return str(node.output[0])
        raise UncuttableError("the noise is added to nothing")

    def before_first_upsampling(self, below: set[str]) -> str:
        """Return the input of the last convolution before the first transposed one."""
        for node in self.nodes:
            if node.op_type == "ConvTranspose" and node.output[0] in below:
                return self._before_convolution(node.input[0], below)
        raise UncuttableError("the graph has no ConvTranspose")

    def _before_convolution(self, name: str, below: set[str]) -> str:
        node = self.maker[name]
        if node.op_type == "Conv":
            return str(node.input[0])
        # Of a sum with the speaker's colour, which is the same in all frames, only one side counts.
        candidates = [source for source in node.input if source in below]
        if len(candidates) != 1:
            raise UncuttableError("no single path from the first ConvTranspose to a Conv")
        return self._before_convolution(candidates[0], below)

    def before_reshaping(self, name: str) -> str:
        """Return the tensor that `name` is, under other axes."""
        while (node := self.maker[name]).op_type in _SHAPE_ONLY:
            name = node.input[0]
        return name

    def head(self, outputs: list[str]) -> Part:
        """Return what leads from the inputs of the graph to `outputs`."""
        inputs = [entry.name for entry in self.model.graph.input]
        return Part(extract(self.model, inputs, outputs), tuple(inputs), tuple(outputs))

    def part(self, start: str, ends: list[str]) -> Part:
        """Return what leads from `start` to `ends`, with all else that it needs as inputs."""
        inside = self.between(start, ends)
        made = {name for node in inside for name in node.output}
        needed = dict.fromkeys(name for node in inside for name in node.input)
        sides = [name for name in needed if name in self.dynamic and name not in made]
        inputs = [start, *(name for name in sides if name != start)]
        return Part(extract(self.model, inputs, ends), tuple(inputs), tuple(ends))

    def windowed_part(self, start: str, end: str) -> Part:
        """Return what leads from `start` to `end`, and how far an output looks around."""
        context_frames, hop = self.reach(start, end)
        return replace(self.part(start, [end]), context_frames=context_frames, hop=hop)

    def is_passed(self, name: str, start: str, end: str) -> bool:
        """Whether all ways from `start` to `end` lead through `name`."""
        found = {start}
        for node in self.nodes:
            if name not in node.output and not found.isdisjoint(node.input):
                found.update(node.output)
        return end not in found

    def between(self, start: str, ends: list[str]) -> list[onnx.NodeProto]:
        """Return the nodes on the ways from `start` to `ends`."""
        wanted = self.downstream(start) & self._upstream(ends, start)
        return [node for node in self.nodes if node.output[0] in wanted]

    def _upstream(self, ends: list[str], start: str) -> set[str]:
        found, pending = set(ends), list(ends)
        while pending:
            node = self.maker.get(pending.pop())
            for name in node.input if node else ():
                if name not in found and name != start:
                    found.add(name)
                    pending.append(name)
        return found

    def reach(self, start: str, end: str) -> tuple[int, int]:
        """Return how far `end` looks around in `start`, and its entries for each there."""
        reach: dict[str, float] = {start: 0.0}
        rate = {start: 1}
        for node in self.between(start, [end]):
            sources = [name for name in node.input if name in reach]
            widest = max(sources, key=lambda name: reach[name])
            stride = self._stride(node)
            own = self._samples_of_context(node) / rate[widest]
            for name in node.output:
                reach[name] = reach[widest] + own
                rate[name] = rate[widest] * stride
        return math.ceil(reach[end]), rate[end]

    def _stride(self, node: onnx.NodeProto) -> int:
        strides = list(_attributes(node).get("strides", [1]))
        if node.op_type == "Conv" and strides != [1]:
            raise UncuttableError("a convolution skips frames")
        return strides[0] if node.op_type == "ConvTranspose" else 1

    def _samples_of_context(self, node: onnx.NodeProto) -> int:
        """Return how far a node looks to either side, in samples of its own input."""
        if node.op_type not in ("Conv", "ConvTranspose"):
            return 0
        attributes = _attributes(node)
        dilation = attributes.get("dilations", [1])[0]
        if "kernel_shape" not in attributes:
            raise UncuttableError("a convolution does not state its kernel")
        span = dilation * (attributes["kernel_shape"][0] - 1)
        left = attributes.get("pads", [0, 0])[0]
        if node.op_type == "ConvTranspose":
            # Output o sums inputs from (o + left - span) / stride to (o + left) / stride.
            stride = self._stride(node)
            return max((span - left) // stride, (stride - 1 + left) // stride)
        return max(left, span - left)


def _attributes(node: onnx.NodeProto) -> dict[str, list[int]]:
    return {entry.name: list(entry.ints) for entry in node.attribute if entry.ints}

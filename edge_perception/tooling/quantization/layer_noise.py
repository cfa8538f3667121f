# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The layers of an ONNX graph, and the noise each adds to the outputs when it alone is quantized.

A quantized layer is imitated in float: its weights are rounded to INT8 by channel, and its input
and its output go through QuantizeLinear and DequantizeLinear with the ranges that were seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Tensors
from edge_perception.tooling.building.simplify import library

LEVELS = 255  # between the two ends of INT8
# Where the multiplications are: what is worth being quantized.
HEAVY = frozenset({'Conv', 'ConvTranspose', 'Gemm', 'MatMul'})

Measure = Callable[[list[dict[str, Any]]], float]


class Layers:
    """
    Nodes of a graph by what they do.

    :param graph: of a simplified ONNX: nodes are named, and stand in the order of computation.
    """

    def __init__(self, graph: Any) -> None:
        self.nodes: Sequence[Any] = list(graph.node)
        self.heavy = [node for node in self.nodes if node.op_type in HEAVY]
        self._weights = {each.name for each in graph.initializer}
        self._readers: Mapping[str, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self._readers[name].append(node)

    def head(self) -> list[str]:
        """
        Return the names of the nodes behind the last heavy ones, where boxes and scores meet.

        They cost little, and one scale for boxes (0 to 640) and scores (0 to 1) makes every score
        zero, so they stay in float.
        """
        leads_on: set[str] = set()  # tensors from which a heavy node is reached
        head = []
        for node in reversed(self.nodes):
            if node.op_type in HEAVY or leads_on.intersection(node.output):
                leads_on.update(node.input)
            else:
                head.append(node.name)
        return head[::-1]

    def layer(self, heavy: Any) -> list[str]:
        """Return a heavy node and what is computed from it alone: its activation."""
        names, tensors = [heavy.name], set(heavy.output)
        for node in self.nodes:
            inputs = [name for name in node.input if name and name not in self._weights]
            if inputs and tensors.issuperset(inputs) and node.op_type not in HEAVY:
                names.append(node.name)
                tensors.update(node.output)
        return names


def layer_noise(
    source: Path, layers: Layers, samples: Sequence[Tensors], *, measure: Measure
) -> Iterator[float]:
    """
    Give the noise of each heavy layer in turn, as noise over signal.

    :param source: simplified ONNX.
    :param measure: the worst signal to noise ratio of outputs for all samples, dB.
    """
    onnx = library('onnx')
    model = onnx.load(str(source))
    ranges = _ranges(model, layers, samples)
    for heavy in layers.heavy:
        trial = onnx.ModelProto()
        trial.CopyFrom(model)
        _imitate(onnx, trial.graph, heavy, ranges)
        outputs = run(trial.SerializeToString(), samples)
        yield 10 ** (-measure(outputs) / 10)


def run(model: bytes | str, samples: Sequence[Tensors]) -> list[dict[str, Any]]:
    """Return the outputs of an ONNX for each sample, by name."""
    runtime = library('onnxruntime')
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4
    session = runtime.InferenceSession(model, settings, providers=['CPUExecutionProvider'])
    names = [each.name for each in session.get_outputs()]
    return [dict(zip(names, map(np.asarray, session.run(None, sample)))) for sample in samples]


def _ranges(
    model: Any, layers: Layers, samples: Sequence[Tensors]
) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest number of every tensor at a heavy node, with 0 in it."""
    onnx = library('onnx')
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    inputs = {each.name for each in model.graph.input}
    outputs = {each.name for each in model.graph.output}
    wanted = {name for heavy in layers.heavy for name in (heavy.input[0], heavy.output[0])}
    for name in sorted(wanted - inputs - outputs):
        exposed.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        )
    found: dict[str, tuple[float, float]] = {}
    for sample in samples:
        (tensors,) = run(exposed.SerializeToString(), [sample])
        for name, tensor in {**tensors, **sample}.items():
            low, high = found.get(name, (0.0, 0.0))
            found[name] = min(low, float(tensor.min())), max(high, float(tensor.max()))
    return found


def _imitate(onnx: Any, graph: Any, heavy: Any, ranges: dict[str, tuple[float, float]]) -> None:
    """Change a graph so that one layer of it is computed as in INT8."""
    nodes = list(graph.node)
    place = next(index for index, node in enumerate(nodes) if node.name == heavy.name)
    node = nodes[place]
    for weights in graph.initializer:
        if weights.name == node.input[1]:
            values = onnx.numpy_helper.to_array(weights)
            rounded = onnx.numpy_helper.from_array(_round(values), f'{weights.name}.rounded')
            graph.initializer.append(rounded)
            node.input[1] = rounded.name
            break
    before = _pair(onnx, graph, node.input[0], f'{heavy.name}.in', ranges[heavy.input[0]])
    node.input[0] = before[-1].output[0]
    result = node.output[0]
    node.output[0] = f'{result}.float'
    after = _pair(onnx, graph, node.output[0], f'{heavy.name}.out', ranges[result])
    after[-1].output[0] = result
    del graph.node[:]
    graph.node.extend([*nodes[:place], *before, node, *after, *nodes[place + 1 :]])


def _round(weights: Any) -> Any:
    """Return weights rounded to INT8, with one scale for each output channel."""
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    scale = np.maximum(largest, 1e-12) / (LEVELS // 2)
    return (np.rint(weights / scale) * scale).astype(weights.dtype)


def _pair(onnx: Any, graph: Any, tensor: str, name: str, limits: tuple[float, float]) -> list[Any]:
    """Return QuantizeLinear and DequantizeLinear for a tensor, unsigned, by tensor."""
    scale = max(limits[1] - limits[0], 1e-12) / LEVELS
    zero = np.clip(np.rint(-limits[0] / scale), 0, LEVELS).astype(np.uint8)
    graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(scale, np.float32), f'{name}.scale')
    )
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(zero), f'{name}.zero'))
    constants = [f'{name}.scale', f'{name}.zero']
    return [
        onnx.helper.make_node('QuantizeLinear', [tensor, *constants], [f'{name}.q'], f'{name}.q'),
        onnx.helper.make_node('DequantizeLinear', [f'{name}.q', *constants], [f'{name}.dq']),
    ]

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
How much noise each layer of a network adds to the outputs when it alone is computed in 8 bits.

A layer is imitated in float: its weights are rounded to 8 bits by channel, and its input and its
output go through QuantizeLinear and DequantizeLinear with the ranges that were seen.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Tensors
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.quantization.layers import Layers

LEVELS = 255  # between the two ends of 8 bits
Measure = Callable[[list[dict[str, Any]]], float]


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
    """Change a graph so that one layer of it is computed as in 8 bits."""
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
    """Return weights as 8 bits hold them, one scale for each output channel."""
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

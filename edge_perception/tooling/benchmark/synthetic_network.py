# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Make a model of real convolutions whose inference takes a given time on this machine."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

SIZE = 64
CHANNELS = 16
CLASSES = 10
NAME = 'load'
MANIFEST = f"""
manifest_version: 1
name: {NAME}
source: {{file: {NAME}.onnx}}
input: {{width: {SIZE}, height: {SIZE}, scale: 0.00392156862745098}}
decoder: {{name: classifier}}
labels: [{', '.join(f'class_{number}' for number in range(CLASSES))}]
"""
# Where the measured rate is close enough to the one that is wanted.
CLOSE_ENOUGH = 0.03
ATTEMPTS = 8


def write_model(folder: Path, *, layers: int) -> Path:
    """
    Write a model folder with a given number of convolutions.

    :raises ModuleNotFoundError: the package onnx is missing.
    """
    import onnx
    from onnx import helper
    from onnx import numpy_helper
    from onnx import TensorProto

    nodes, constants, last = [], [], 'image'
    *weights, head = _weights(layers)
    for number, weight in enumerate(weights):
        constants.append(numpy_helper.from_array(weight, f'weight_{number}'))
        nodes.append(
            helper.make_node('Conv', [last, f'weight_{number}'], [f'sum_{number}'], pads=[1] * 4)
        )
        last = f'relu_{number}'
        nodes.append(helper.make_node('Relu', [f'sum_{number}'], [last]))
    constants.append(numpy_helper.from_array(head, 'head'))
    nodes.append(helper.make_node('GlobalAveragePool', [last], ['pooled']))
    nodes.append(helper.make_node('Flatten', ['pooled'], ['features']))
    nodes.append(helper.make_node('MatMul', ['features', 'head'], ['scores']))
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info('scores', TensorProto.FLOAT, (1, CLASSES))],
        constants,
    )
    opset = [helper.make_opsetid('', 13)]
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / f'{NAME}.onnx')
    (folder / 'model.yaml').write_text(MANIFEST)
    return folder


def _weights(layers: int) -> Iterator[npt.NDArray[np.float32]]:
    """Give the weights of the convolutions and of the head."""
    random = np.random.default_rng(0)
    for inputs in [3, *[CHANNELS] * (layers - 1)]:
        # Scaled so that the signal neither dies nor explodes on its way (He et al., 2015).
        scale = np.sqrt(2 / (9 * inputs))
        yield random.normal(0, scale, (CHANNELS, inputs, 3, 3)).astype(np.float32)
    yield random.normal(0, 1, (CHANNELS, CLASSES)).astype(np.float32)


def size_to_rate(
    folder: Path, *, rate_hz: float, measure_ms: Callable[[Path], float]
) -> tuple[Path, float]:
    """
    Write a model whose frames take a whole period of a rate, as measured.

    :param measure_ms: how long a frame takes with the model in a folder, milliseconds.
    :return: the folder and the rate that was measured, Hz.
    """
    wanted_ms = 1000 / rate_hz
    layers, best = 8, (float('inf'), 0, 0.0)
    for _ in range(ATTEMPTS):
        took_ms = measure_ms(write_model(folder, layers=layers))
        error = abs(took_ms / wanted_ms - 1)
        best = min(best, (error, layers, took_ms))
        step = max(1, round(layers * wanted_ms / took_ms))
        if error < CLOSE_ENOUGH or step == layers:
            break
        layers = step
    _, layers, took_ms = best
    return write_model(folder, layers=layers), 1000 / took_ms

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny ONNX networks with known results, and manifests for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnx import TensorProto

from edge_perception.contract import InputRecipe
from edge_perception.contract import ModelManifest

FLOAT = TensorProto.FLOAT
SHAPE = (1, 3, 4, 6)


def tensor(name: str, shape, kind: int = FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path: Path, nodes, inputs, outputs, *, opset: int = 13, constants=(), domains=()) -> Path:
    graph = helper.make_graph(nodes, 'net', inputs, outputs, list(constants))
    opsets = [helper.make_opsetid('', opset), *(helper.make_opsetid(name, 1) for name in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, path)
    return path


def save_identity(path: Path, kind: int = FLOAT, shape=SHAPE, operator: str = 'Identity', **extra):
    node = helper.make_node(operator, ['image'], ['result'], **extra)
    return save(path, [node], [tensor('image', shape, kind)], [tensor('result', shape, kind)])


def save_conv(path: Path, channels: int = 2) -> Path:
    """Return a network that sums 3x3 neighbors of all colors, once for each channel."""
    weight = np.ones((channels, 3, 3, 3), np.float32)
    return save(
        path,
        [helper.make_node('Conv', ['image', 'weight'], ['sums'], pads=[1, 1, 1, 1])],
        [tensor('image', SHAPE)],
        [tensor('sums', (1, channels, 4, 6))],
        constants=[onnx.numpy_helper.from_array(weight, 'weight')],
    )


def manifest_for(shape=SHAPE, **recipe) -> ModelManifest:
    if recipe.get('layout') == 'nhwc':
        height, width = shape[1:3]
    else:
        height, width = shape[2:4]
    return ModelManifest(
        name='net',
        source='net.onnx',
        input=InputRecipe(width=width, height=height, **recipe),
        decoder='none',
    )

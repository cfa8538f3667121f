# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Put preprocessing into an ONNX: its input becomes the pixels of a resized image.

The name of that input tells the runtime what the pixels are (``contract.manifest.FOLDED_COLORS``),
so that nothing beside the file has to say it. Bytes are moved before they become floats, which are
four times as many bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_perception.contract import BuildError
from edge_perception.contract import InputRecipe
from edge_perception.tooling.building.simplify import library
from edge_perception.tooling.building.simplify import save

PREFIX = 'edge_perception_'
REAL = {1: np.float32, 10: np.float16}  # of the types of ONNX
FLOAT = 1


def fold_preprocessing(artifact: Path, recipe: InputRecipe) -> Path:
    """
    Write an ONNX that takes uint8 NHWC, and return its path; the file before it is removed.

    Layout, order of colors, scale, mean and std go into the graph; resizing stays outside.

    :param artifact: with one input, which is what the recipe gives.
    :raises BuildError: its input is another, or the file cannot be written.
    """
    onnx = library('onnx')
    model = onnx.load(str(artifact))
    inputs = model.graph.input
    kinds = [each.type.tensor_type.elem_type for each in inputs]
    sizes = [tuple(d.dim_value for d in each.type.tensor_type.shape.dim) for each in inputs]
    if sizes != [recipe.shape] or kinds[0] not in REAL:
        raise BuildError(
            f'{artifact.name}: got inputs {sizes}, expected one of {recipe.shape} in float32 or '
            'float16, before which preprocessing can be put; leave out --fold-preprocessing'
        )
    folded = recipe.folded()
    nodes = _nodes(onnx, recipe, source=folded.name, target=inputs[0].name, kind=kinds[0])
    weights = [
        onnx.numpy_helper.from_array(values, name)
        for name, values in _weights(recipe).items()
        if any(name in node.input for node in nodes)
    ]
    pixels = onnx.helper.make_tensor_value_info(
        folded.name, onnx.TensorProto.UINT8, list(folded.shape)
    )
    rest = list(model.graph.node)
    del model.graph.node[:], inputs[:]
    model.graph.node.extend([*nodes, *rest])
    model.graph.initializer.extend(weights)
    inputs.append(pixels)
    target = artifact.with_name(f'{artifact.stem}_folded{artifact.suffix}')
    save(onnx, model, target)
    artifact.unlink()
    return target


def _weights(recipe: InputRecipe) -> dict[str, npt.NDArray[Any]]:
    """Return what the nodes refer to, by name; numbers by channel, along the axis of channels."""
    mean, std = np.resize(recipe.mean, recipe.channels), np.resize(recipe.std, recipe.channels)
    shape = (1, -1, 1, 1) if recipe.layout == 'nchw' else (1, 1, 1, -1)
    return {
        f'{PREFIX}reversed': np.array([2, 1, 0], np.int64),
        f'{PREFIX}factor': (recipe.scale / std).astype(np.float32).reshape(shape),
        f'{PREFIX}offset': (-mean / std).astype(np.float32).reshape(shape),
    }


def _nodes(onnx: Any, recipe: InputRecipe, *, source: str, target: str, kind: int) -> list[Any]:
    """Return the nodes from the pixels to what was the input."""
    weights, planar = _weights(recipe), recipe.layout == 'nchw'
    operators: list[tuple[str, tuple[str, ...], dict[str, Any]]] = []
    if planar:
        operators.append(('Transpose', (), {'perm': [0, 3, 1, 2]}))
    if recipe.color == 'rgb':
        operators.append(('Gather', (f'{PREFIX}reversed',), {'axis': 1 if planar else 3}))
    operators.append(('Cast', (), {'to': FLOAT}))
    if (weights[f'{PREFIX}factor'] != 1).any():
        operators.append(('Mul', (f'{PREFIX}factor',), {}))
    if weights[f'{PREFIX}offset'].any():
        operators.append(('Add', (f'{PREFIX}offset',), {}))
    if kind != FLOAT:
        operators.append(('Cast', (), {'to': kind}))
    nodes = []
    for index, (operator, more, attributes) in enumerate(operators):
        output = target if index == len(operators) - 1 else f'{PREFIX}folded_{index}'
        name = f'{PREFIX}{operator}_{index}'
        nodes.append(
            onnx.helper.make_node(operator, [source, *more], [output], name=name, **attributes)
        )
        source = output
    return nodes

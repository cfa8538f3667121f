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
FLOAT, HALF = 1, 10  # types of ONNX

# Operator, second input, attributes.
_Step = tuple[str, npt.NDArray[Any] | None, dict[str, Any]]


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
    if sizes != [recipe.shape] or kinds[0] not in (FLOAT, HALF):
        raise BuildError(
            f'{artifact.name}: got inputs {sizes}, expected one of {recipe.shape} in float32 or '
            'float16, before which preprocessing can be put; leave out --fold-preprocessing'
        )
    folded = recipe.folded()
    value, nodes = folded.name, []
    steps = _steps(recipe, kinds[0])
    for index, (operator, weight, attributes) in enumerate(steps):
        name = f'{PREFIX}{operator}_{index}'
        inside = [value]
        if weight is not None:
            model.graph.initializer.append(onnx.numpy_helper.from_array(weight, f'{name}_weight'))
            inside.append(f'{name}_weight')
        value = inputs[0].name if index == len(steps) - 1 else name
        nodes.append(onnx.helper.make_node(operator, inside, [value], name=name, **attributes))
    nodes.extend(model.graph.node)
    del model.graph.node[:], inputs[:]
    model.graph.node.extend(nodes)
    kind, shape = onnx.TensorProto.UINT8, list(folded.shape)
    inputs.append(onnx.helper.make_tensor_value_info(folded.name, kind, shape))
    target = artifact.with_name(f'{artifact.stem}_folded{artifact.suffix}')
    save(onnx, model, target)
    artifact.unlink()
    return target


def _steps(recipe: InputRecipe, kind: int) -> list[_Step]:
    """Return the operators from the pixels to what was the input, of an ONNX type."""
    planar = recipe.layout == 'nchw'
    mean, std = np.resize(recipe.mean, recipe.channels), np.resize(recipe.std, recipe.channels)
    axes = (1, -1, 1, 1) if planar else (1, 1, 1, -1)
    factor, offset = (
        each.astype(np.float32).reshape(axes) for each in (recipe.scale / std, -mean / std)
    )
    order = np.array([2, 1, 0], np.int64)
    steps: list[tuple[bool, _Step]] = [
        (planar, ('Transpose', None, {'perm': [0, 3, 1, 2]})),
        (recipe.color == 'rgb', ('Gather', order, {'axis': 1 if planar else 3})),
        (True, ('Cast', None, {'to': FLOAT})),
        (bool((factor != 1).any()), ('Mul', factor, {})),
        (bool(offset.any()), ('Add', offset, {})),
        (kind != FLOAT, ('Cast', None, {'to': kind})),
    ]
    return [step for needed, step in steps if needed]

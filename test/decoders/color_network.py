# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A network with the head of YOLOv8 that sees colored squares, so that its boxes are known.

The input is 64x64 RGB from 0 to 1. For each cell of the strides 8, 16 and 32 the score of the
classes red, green and blue is the mean of that channel in the cell, the box is the cell (times
``box_scale``), and its four keypoints are the corners of the cell, clockwise from the upper
left.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnx import numpy_helper
from onnx import TensorProto
import yaml

SIZE = 64
STRIDES = (8, 16, 32)
CELLS = sum((SIZE // stride) ** 2 for stride in STRIDES)
FINISHED = 20
COLORS = ('red', 'green', 'blue')
CORNERS = ('upper_left', 'upper_right', 'lower_right', 'lower_left')
LAYOUTS = ('channels_first', 'channels_last', 'end_to_end')


def color_model(
    folder: Path,
    *,
    layout: str = 'channels_first',
    pose: bool = False,
    box_scale: float = 1.0,
    unit: float = 1.0,
    resize: str = 'letterbox_center',
    options: dict | None = None,
) -> Path:
    """
    Write the model folder.

    :param box_scale: edge of a box in cells.
    :param unit: pixels for each unit of the coordinates in the output.
    """
    folder.mkdir(exist_ok=True)
    onnx.save(_network(layout, pose, box_scale, unit), str(folder / 'color.onnx'))
    manifest = {
        'manifest_version': 1,
        'name': 'color',
        'source': {'file': 'color.onnx'},
        'input': {
            'width': SIZE,
            'height': SIZE,
            'scale': 1 / 255,
            'resize': resize,
            'interpolation': 'nearest',
            'fill': 0,
        },
        'decoder': {'name': 'yolo', 'options': options or {}},
        'labels': list(COLORS),
        'keypoints': list(CORNERS) if pose else [],
    }
    (folder / 'model.yaml').write_text(yaml.safe_dump(manifest))
    return folder


def _network(layout: str, pose: bool, box_scale: float, unit: float) -> onnx.ModelProto:
    nodes, parts = [], []
    for stride in STRIDES:
        cells = (SIZE // stride) ** 2
        nodes += [
            helper.make_node(
                'AveragePool',
                ['images'],
                [f'mean{stride}'],
                kernel_shape=[stride, stride],
                strides=[stride, stride],
            ),
            helper.make_node('Reshape', [f'mean{stride}', f'shape{stride}'], [f'flat{stride}']),
        ]
        parts.append(numpy_helper.from_array(np.array([1, 3, cells]), f'shape{stride}'))
    flat = [f'flat{stride}' for stride in STRIDES]
    nodes.append(helper.make_node('Concat', flat, ['scores'], axis=2))
    parts += [
        numpy_helper.from_array(array[None].astype(np.float32), name)
        for name, array in _places(box_scale, unit).items()
    ]
    tail, shape = _finished(pose) if layout == 'end_to_end' else _raw(layout, pose)
    graph = helper.make_graph(
        [*nodes, *tail],
        'color',
        [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info('output', TensorProto.FLOAT, shape)],
        parts,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _places(box_scale: float, unit: float) -> dict[str, np.ndarray]:
    """Return boxes in both formats and keypoints, one column for each cell."""
    origin, edge = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: SIZE // stride, : SIZE // stride].reshape(2, -1) * stride
        origin.append(np.stack([x, y]))
        edge.append(np.full((1, len(x)), stride))
    corner, stride = np.concatenate(origin, axis=1), np.concatenate(edge, axis=1)
    center, half = corner + stride / 2, stride * box_scale / 2
    sides = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    points = corner[None] + sides[:, :, None] * stride[None]
    return {
        'center_size': np.concatenate([center, 2 * half, 2 * half]) / unit,
        'xyxy': np.concatenate([center - half, center + half]) / unit,
        **{f'point{index}': point / unit for index, point in enumerate(points)},
    }


def _points(pose: bool) -> tuple[list[onnx.NodeProto], list[str]]:
    """Return what makes the score of a keypoint, and the rows of all keypoints."""
    if not pose:
        return [], []
    names = [name for index in range(len(CORNERS)) for name in (f'point{index}', 'best')]
    return [helper.make_node('ReduceMax', ['scores'], ['best'], axes=[1])], names


def _raw(layout: str, pose: bool) -> tuple[list[onnx.NodeProto], list[int]]:
    nodes, points = _points(pose)
    shape = [1, 4 + len(COLORS) + 3 * len(CORNERS) * pose, CELLS]
    first = 'output' if layout == 'channels_first' else 'columns'
    nodes.append(helper.make_node('Concat', ['center_size', 'scores', *points], [first], axis=1))
    if layout == 'channels_last':
        nodes.append(helper.make_node('Transpose', ['columns'], ['output'], perm=[0, 2, 1]))
        shape = [shape[0], shape[2], shape[1]]
    return nodes, shape


def _finished(pose: bool) -> tuple[list[onnx.NodeProto], list[int]]:
    """Pick the best cells inside the network; nothing is suppressed."""
    nodes, points = _points(pose)
    nodes += [
        helper.make_node('ReduceMax', ['scores'], ['top'], axes=[1]),
        helper.make_node('ArgMax', ['scores'], ['index'], axis=1),
        helper.make_node('Cast', ['index'], ['class'], to=TensorProto.FLOAT),
        helper.make_node('Concat', ['xyxy', 'top', 'class', *points], ['columns'], axis=1),
        helper.make_node('Transpose', ['columns'], ['rows'], perm=[0, 2, 1]),
        helper.make_node('Constant', [], ['zero'], value_ints=[0]),
        helper.make_node('Constant', [], ['count'], value_ints=[FINISHED]),
        helper.make_node('Squeeze', ['top', 'zero'], ['flat']),
        helper.make_node('TopK', ['flat', 'count'], ['values', 'which'], axis=1),
        helper.make_node('Squeeze', ['which', 'zero'], ['order']),
        helper.make_node('Gather', ['rows', 'order'], ['output'], axis=1),
    ]
    return nodes, [1, FINISHED, 6 + 3 * len(CORNERS) * pose]

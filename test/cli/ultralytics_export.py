# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Networks as Ultralytics exports them, small enough to know by heart what they see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnx import numpy_helper

from test.support.networks import save
from test.support.networks import tensor

SIDE = 64
CELLS = 84  # of 64x64 pixels at strides 8, 16 and 32
COLORS = {0: 'red', 1: 'green', 2: 'blue'}
BOX = (32, 24, 20, 10)  # center and size, in pixels of the input
POINTS = ((30, 22, 0.9), (34, 26, 0.8))


def save_detector(path: Path, **metadata: object) -> Path:
    """
    Save a detector whose score of a color is the mean of that channel of the input.

    It finds one object, ``BOX``, in an image of one color.
    """
    return _save(path, rows=(), metadata={'task': 'detect', **metadata})


def save_pose(path: Path, **metadata: object) -> Path:
    """Save a detector that gives its object ``POINTS``."""
    rows = [value for point in POINTS for value in point]
    return _save(path, rows=rows, metadata={'task': 'pose', 'kpt_shape': [2, 3], **metadata})


def save_classifier(path: Path, **metadata: object) -> Path:
    """Save a classifier whose probability of a color is the mean of that channel."""
    nodes = [
        helper.make_node('ReduceMean', ['images'], ['output0'], axes=[2, 3], keepdims=0),
    ]
    return _finish(path, nodes, (1, 3), (), {'task': 'classify', **metadata})


def save_end_to_end(path: Path, **metadata: object) -> Path:
    """Save a detector with suppression inside: one finished row, scored by the red channel."""
    row = np.zeros((1, 300, 6), np.float32)
    row[0, 0] = (22, 19, 42, 29, 0, 0)
    where = np.zeros((1, 300, 6), np.float32)
    where[0, 0, 4] = 1
    nodes = [
        helper.make_node('Slice', ['images', 'zero', 'one', 'channels'], ['red']),
        helper.make_node('ReduceMean', ['red'], ['mean'], axes=[1, 2, 3], keepdims=0),
        helper.make_node('Mul', ['mean', 'where'], ['score']),
        helper.make_node('Add', ['score', 'row'], ['output0']),
    ]
    constants = [
        numpy_helper.from_array(row, 'row'),
        numpy_helper.from_array(where, 'where'),
        *(
            numpy_helper.from_array(np.array([value]), name)
            for name, value in (('zero', 0), ('one', 1), ('channels', 1))
        ),
    ]
    return _finish(
        path, nodes, (1, 300, 6), constants, {'task': 'detect', 'end2end': True, **metadata}
    )


def _save(path: Path, *, rows, metadata) -> Path:
    first_cell = np.zeros((1, 1, CELLS), np.float32)
    first_cell[..., 0] = 1
    fixed = [np.array(values, np.float32).reshape(1, -1, 1) * first_cell for values in (BOX, rows)]
    nodes = [
        helper.make_node('ReduceMean', ['images'], ['mean'], axes=[2, 3], keepdims=0),
        helper.make_node('Unsqueeze', ['mean', 'last'], ['column']),
        helper.make_node('Mul', ['column', 'first_cell'], ['scores']),
        helper.make_node('Concat', ['box', 'scores', 'points'], ['output0'], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array([2]), 'last'),
        numpy_helper.from_array(first_cell, 'first_cell'),
        numpy_helper.from_array(fixed[0], 'box'),
        numpy_helper.from_array(fixed[1], 'points'),
    ]
    return _finish(path, nodes, (1, 4 + 3 + len(rows), CELLS), constants, metadata)


def _finish(path: Path, nodes, shape, constants, metadata) -> Path:
    save(
        path,
        nodes,
        [tensor('images', (1, 3, SIDE, SIDE))],
        [tensor('output0', shape)],
        constants=constants,
    )
    model = onnx.load(path)
    described = {
        'description': 'Ultralytics YOLO11n model trained on colors.yaml',
        'license': 'AGPL-3.0 License (https://ultralytics.com/license)',
        'stride': 32,
        'batch': 1,
        'imgsz': [SIDE, SIDE],
        'names': COLORS,
        'channels': 3,
        **metadata,
    }
    helper.set_model_props(model, {key: str(value) for key, value in described.items()})
    onnx.save(model, path)
    return path

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads the metadata that Ultralytics exports carry in every format.

All values are texts. Lists and dicts are Python literals: they are read by ``ast.literal_eval``,
which runs no code, and whatever it cannot read is an open question, never a crash.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any
import warnings

from edge_perception.contract import FileFacts

# What every Ultralytics export has and hardly anybody else's file has together.
MARKS = ('task', 'names', 'stride')
TASKS = ('detect', 'segment', 'pose', 'obb', 'classify')
INPUT = {'color': 'rgb', 'scale': 1 / 255, 'resize': 'letterbox_center', 'fill': 114}
# torchvision makes images smaller by averaging, as INTER_AREA does.
CLASSIFIER_INPUT = {
    'color': 'rgb',
    'scale': 1 / 255,
    'resize': 'center_crop',
    'interpolation': 'area',
}
# What OpenVINO's Model API writes into an IR; exports of Ultralytics have it beside metadata.yaml.
MODEL_API = ('model_type', 'labels', 'resize_type', 'pad_value', 'scale_values')
MODEL_API_VALUES = {
    'model_type': 'YOLO',
    'resize_type': 'fit_to_window_letterbox',
    'pad_value': '114',
}
MAX_LITERAL = 1 << 20  # characters; the 1000 class names of ImageNet take 30 thousand
MAX_VALUES = 50_000  # of a literal: Python takes 2 kB of memory for each
MAX_KEYPOINTS = 1000


def read_ultralytics(facts: FileFacts) -> FileFacts:
    """Return the facts with what the metadata says, where an Ultralytics export wrote it."""
    metadata = facts.description.metadata
    if not all(mark in metadata for mark in MARKS):
        return _read_model_api(facts)
    task = str(metadata['task']).strip()
    arguments, end_to_end = (_literal(metadata.get(key)) for key in ('args', 'end2end'))
    suppresses = isinstance(arguments, dict) and arguments.get('nms') is True
    labels, keypoints = _labels(_literal(metadata['names'])), (0, 0)
    unread = []
    if labels is None:
        unread.append('the class names; its metadata has them in a form that cannot be read')
    if task == 'pose':
        keypoints = _keypoints(_literal(metadata.get('kpt_shape')))
        if not keypoints[0]:
            unread.append('the number of keypoints; kpt_shape of its metadata cannot be read')
    height, width = _size(_literal(metadata.get('imgsz'))) or (-1, -1)
    other = '' if task in TASKS else f'outputs of the task {task!r}'
    return replace(
        facts,
        task=task or 'unknown',
        labels=labels or (),
        keypoints=keypoints,
        keypoint_names=_keypoint_names(_literal(metadata.get('kpt_names'))),
        suppressed=suppresses or (end_to_end if isinstance(end_to_end, bool) else None),
        width=width,
        height=height,
        channels=1 if _literal(metadata.get('channels')) == 1 else 3,
        input=CLASSIFIER_INPUT if task == 'classify' else INPUT,
        values={key: _text(metadata.get(key)) for key in ('license', 'description')},
        unread=(*facts.unread, *unread),
        unsupported=other,
    )


def _read_model_api(facts: FileFacts) -> FileFacts:
    """Return the facts with what an IR says of itself, where an Ultralytics export wrote it."""
    metadata = facts.description.metadata
    if any(key not in metadata for key in MODEL_API):
        return facts
    if any(metadata[key] != value for key, value in MODEL_API_VALUES.items()):
        return facts
    scales = {float(each) for each in metadata['scale_values'].split() if _is_number(each)}
    if scales != {255.0} or metadata.get('reverse_input_channels', '').upper() not in (
        'YES',
        'TRUE',
    ):
        return facts
    # A space in a name has become an underscore. Pose models have the same marks, other outputs.
    labels = tuple(label.replace('_', ' ') for label in metadata['labels'].split())
    return replace(facts, task='detect', labels=labels, input=INPUT)


def _is_number(text: str) -> bool:
    return text.replace('.', '', 1).isdigit()


def _literal(text: object) -> Any:
    if not isinstance(text, str) or len(text) > MAX_LITERAL or text.count(',') > MAX_VALUES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                'ignore'
            )  # a backslash in a class name is no matter for the user
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _text(value: object) -> str:
    return ' '.join(str(value).split()) if value else ''


def _labels(names: object) -> tuple[str, ...] | None:
    if isinstance(names, dict):
        if any(type(index) is not int for index in names) or sorted(names) != [*range(len(names))]:
            return None
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, (list, tuple)) or not names:
        return None
    if any(not isinstance(name, (str, int, float)) for name in names):
        return None
    return tuple(str(name) for name in names)


def _size(size: object) -> tuple[int, int] | None:
    pair = [size, size] if type(size) is int else size
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return None
    if any(type(each) is not int or not 0 < each < 1 << 16 for each in pair):
        return None
    return pair[0], pair[1]


def _keypoints(shape: object) -> tuple[int, int]:
    if not isinstance(shape, (list, tuple)) or len(shape) != 2:
        return 0, 0
    count, values = shape
    if type(count) is not int or not 0 < count <= MAX_KEYPOINTS or values not in (2, 3):
        return 0, 0
    return count, int(values)


def _keypoint_names(names: object) -> tuple[str, ...]:
    """Return the names of the first class; one model has one set of keypoints."""
    if isinstance(names, dict) and names:
        names = next(iter(names.values()))
    if not isinstance(names, (list, tuple)) or any(not isinstance(name, str) for name in names):
        return ()
    return tuple(names)

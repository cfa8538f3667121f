# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Reads the metadata that Ultralytics exports carry in every format.

All values are texts. Lists and dicts are Python literals: they are read by ``ast.literal_eval``,
which runs no code, and whatever it cannot read is an open question, never a crash.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
import warnings

from edge_perception.contract import TensorSpec
from edge_perception.models.families import cell_totals
from edge_perception.models.keypoint_sets import COCO_PERSON
from edge_perception.models.keypoint_sets import COCO_PERSON_SKELETON

# What every Ultralytics export has and hardly anybody else's file has together.
MARKS = ('task', 'names', 'stride')
UNSUPPORTED = {
    'segment': 'instance masks',
    'obb': 'rotated boxes',
}
MAX_LITERAL = 1 << 20  # characters; the 1000 class names of ImageNet take 30 thousand
MAX_KEYPOINTS = 1000


@dataclass(frozen=True, slots=True)
class Ultralytics:
    """
    Metadata of one export, read as far as it can be.

    :param labels: None when they cannot be read.
    :param keypoints: how many, and how many numbers each has; (0, 0) when there are none.
    :param finished: whether the network does its own suppression.
    """

    task: str
    labels: tuple[str, ...] | None
    size: tuple[int, int] | None
    channels: int
    keypoints: tuple[int, int]
    keypoint_names: tuple[str, ...]
    finished: bool
    license: str
    description: str

    def image_size(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Return height, width and channels; metadata answers what the tensor leaves open."""
        if self.size is not None:
            height = height if height > 0 else self.size[0]
            width = width if width > 0 else self.size[1]
        return height, width, channels if channels > 0 else self.channels

    @property
    def color(self) -> str:
        """Color order of an input with three channels."""
        return 'rgb'

    def normalization(self, spec: TensorSpec) -> dict[str, Any] | None:
        """Return dtype and normalization of the input recipe; None when they are not known."""
        real = spec.real().dtype
        if real.kind != 'f':
            return None
        recipe = {'dtype': real.name, 'scale': 1 / 255}
        if self.task == 'classify':
            # Trained on the central square of images; stretching shows it the whole image.
            return {**recipe, 'resize': 'stretch'}
        return {**recipe, 'resize': 'letterbox_center', 'fill': 114}

    def names(self) -> dict[str, Any]:
        """Return the parts of a manifest that are names and words, where there are any."""
        values: dict[str, Any] = {'license': self.license, 'description': self.description}
        values['labels'] = list(self.labels or ())
        count = self.keypoints[0] if self.task == 'pose' else 0
        values['keypoints'] = [f'kp{index}' for index in range(count)]
        if count == len(self.keypoint_names):
            values['keypoints'] = list(self.keypoint_names)
        elif count == len(COCO_PERSON):
            values['keypoints'] = list(COCO_PERSON)
        if tuple(values['keypoints']) == COCO_PERSON:
            values['skeleton'] = [list(pair) for pair in COCO_PERSON_SKELETON]
        return {key: value for key, value in values.items() if value}

    def decoder(
        self, recipe: Mapping[str, Any], outputs: Sequence[TensorSpec]
    ) -> dict[str, Any] | None:
        """Return the decoder that these outputs need; None when none reads them."""
        if self.task == 'classify':
            fits = len(outputs) == 1 and outputs[0].shape[1:] in (
                (len(self.labels or ()),),
                (-1,),
            )
            return {'name': 'classifier'} if fits else None
        if self.task not in ('detect', 'pose'):
            return None
        options = self._yolo_options(recipe, outputs)
        return None if options is None else {'name': 'yolo', 'options': options}

    def open_question(self, outputs: Sequence[TensorSpec]) -> str:
        """Return what is not known when there is no decoder."""
        if self.task not in ('detect', 'pose', 'classify'):
            what = UNSUPPORTED.get(self.task, f'outputs of the task {self.task!r}')
            return f'how a built-in decoder could read it: {what} are not supported'
        if self.labels is None:
            return 'the class names; its metadata has them in a form that cannot be read'
        if self.task == 'pose' and not self.keypoints[0]:
            return 'the number of keypoints; kpt_shape of its metadata cannot be read'
        shapes = ', '.join(f'{spec.name} {spec.describe()}' for spec in outputs) or 'none'
        return (
            f'how the outputs are decoded; outputs are {shapes}, which is not what '
            f'{len(self.labels)} classes and {self.keypoints[0]} keypoints give'
        )

    def _yolo_options(
        self, recipe: Mapping[str, Any], outputs: Sequence[TensorSpec]
    ) -> dict[str, Any] | None:
        """Return the options that the output needs; None when it is none of this family."""
        layout = self._layout(recipe, outputs)
        if layout is None:
            return None
        options: dict[str, Any] = {'layout': layout}
        if self.task == 'pose' and self.keypoints[1] == 2:
            options['keypoint_values'] = 2
        return options

    def _layout(self, recipe: Mapping[str, Any], outputs: Sequence[TensorSpec]) -> str | None:
        if len(outputs) != 1 or len(outputs[0].shape) != 3 or self.labels is None:
            return None
        _, first, last = outputs[0].shape
        pose = self.keypoints[0] * self.keypoints[1] if self.task == 'pose' else 0
        channels, finished_row = 4 + len(self.labels) + pose, 6 + pose
        sizes = [recipe[name] for name in ('width', 'height')]
        cells = (
            cell_totals(*sizes) if all(isinstance(size, int) for size in sizes) else frozenset()
        )
        if self.finished:
            return 'end_to_end' if last in (finished_row, -1) else None
        if first in (channels, -1) and (last in cells or last == -1):
            return 'channels_first'
        if last == channels and (first in cells or first == -1):
            return 'channels_last'
        # Exports older than the key end2end, e.g. of YOLOv10.
        return 'end_to_end' if last == finished_row else None


def read_ultralytics(metadata: Mapping[str, str]) -> Ultralytics | None:
    """Return what the metadata says; None when no Ultralytics export wrote it."""
    if not all(mark in metadata for mark in MARKS):
        return None
    arguments = _literal(metadata.get('args'))
    suppresses = isinstance(arguments, dict) and arguments.get('nms') is True
    return Ultralytics(
        task=str(metadata['task']).strip(),
        labels=_labels(_literal(metadata['names'])),
        size=_size(_literal(metadata.get('imgsz'))),
        channels=3 if _literal(metadata.get('channels')) != 1 else 1,
        keypoints=_keypoints(_literal(metadata.get('kpt_shape'))),
        keypoint_names=_keypoint_names(_literal(metadata.get('kpt_names'))),
        finished=suppresses or _literal(metadata.get('end2end')) is True,
        license=_text(metadata.get('license')),
        description=_text(metadata.get('description')),
    )


def _literal(text: object) -> Any:
    if not isinstance(text, str) or len(text) > MAX_LITERAL:
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

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
YOLOv5 and YOLOv7 without their last layer: the anchors are not in the graph.

An output for each of the strides 8, 16, 32, in any order: (1, 3, H, W, 5 + C), or (1, 3 (5 + C),
H, W), for each of three anchors center x, center y, width, height, objectness, C classes, all of
them logits. With s their sigmoid a center is (2 s - 0.5 + cell) strides, a size (2 s)^2 anchors,
the score objectness times class. Such files come from exports for accelerators, whose tools
cut the last layer off; files with it are read by ``yolox`` with ``decoded: true``.

Source: ultralytics/yolov5, ``models/yolo.py``, class Detect, and its ``yolov5s.yaml``;
WongKinYiu/yolov7, ``yolov7.yaml``. Models with other anchors need these in the option ``anchors``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge_perception.contract import center_size_to_xyxy
from edge_perception.contract import Decoder
from edge_perception.contract import DecoderMismatchError
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import option
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import select
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract import UNANSWERED
from edge_perception.contract.boxes import Floats
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.detection.candidates import best_classes
from edge_perception.decoders.detection.candidates import sigmoid

STRIDES = (8, 16, 32)
EACH = 3  # anchors of a cell
INPUT = {'color': 'rgb', 'scale': 1 / 255, 'resize': 'letterbox_center', 'fill': 114}
# Widths and heights in pixels, stride by stride.
ANCHORS = {
    'yolov5': (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326),
    'yolov7': (12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401),
}


@dataclass(frozen=True, slots=True)
class AnchorOptions(Options):
    """What manifests may write under ``decoder.options``."""

    family: str = option('yolov5', 'whose anchors they are', choices=tuple(ANCHORS))
    anchors: tuple[float, ...] = option(
        (0.0,),
        'width and height of each anchor, pixels, from the smallest stride on (0 = of the family)',
        minimum=0,
    )


class AnchorDecoder(Decoder):
    """Detections of YOLOv5 and YOLOv7 whose last layer was cut off."""

    name = 'yolo_anchors'
    tasks = frozenset({'detections'})
    options_type: ClassVar[type[Options]] = AnchorOptions
    options: AnchorOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize three maps of the sizes of the strides, with the same columns."""
        width, height = facts.width, facts.height
        columns = {_columns(shape, width, height) for shape in facts.shapes}
        if facts.task or len(facts.shapes) != len(STRIDES) or len(columns) != 1 or None in columns:
            return None
        asks = ('whose anchors the model was trained with (family yolov5 or yolov7, or anchors)',)
        options = {'family': UNANSWERED}
        count = (columns.pop() or 0) - 5
        return Guess('YOLOv5 without anchors', False, count, options, input=INPUT, asks=asks)

    def _bind(self) -> None:
        recipe = self.manifest.input
        columns = {_columns(spec.shape, recipe.width, recipe.height) for spec in self.outputs}
        if len(self.outputs) != len(STRIDES) or len(columns) != 1 or None in columns:
            raise self._mismatch()
        values = self.options.anchors
        if not any(values):
            values = ANCHORS[self.options.family]
        if len(values) != 2 * EACH * len(STRIDES) or min(values) <= 0:
            raise OptionError(
                f'anchors: got {len(values)} numbers, expected {2 * EACH * len(STRIDES)} above 0'
            )
        self._columns = columns.pop() or 0
        self.class_count = self._columns - 5
        anchors = np.array(values, np.float32).reshape(len(STRIDES), EACH, 2)
        # The largest map is that of the smallest stride.
        ordered = sorted(self.outputs, key=lambda spec: -int(np.prod(spec.shape)))
        self._levels = list(zip((spec.name for spec in ordered), STRIDES, anchors))
        if len({spec.shape for spec in self.outputs}) != len(STRIDES):
            raise self._mismatch()

    def _mismatch(self) -> DecoderMismatchError:
        recipe = self.manifest.input
        maps = ', '.join(f'{-(-recipe.height // s)}x{-(-recipe.width // s)}' for s in STRIDES)
        return self.mismatch(
            f'three outputs 1x3xHxWx(5 + classes), or 1x(3 (5 + classes))xHxW, with HxW {maps}'
        )

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        parts = [
            self._found(only_image(tensors[name]), stride, anchors, selection.score_threshold)
            for name, stride, anchors in self._levels
        ]
        boxes, class_id, score = (np.concatenate(column) for column in zip(*parts))
        detections, _ = select(
            boxes,
            score=score,
            class_id=class_id,
            selection=selection,
            transform=transform,
            remedy='correct family or anchors of decoder.options',
        )
        return Perception(detections=detections)

    def _found(
        self, level: Floats, stride: int, anchors: Float32Array, threshold: float
    ) -> tuple[Float32Array, np.ndarray, Float32Array]:
        """Return boxes, classes and scores of a stride, in pixels of the input."""
        if level.ndim == 3:
            level = level.reshape(EACH, self._columns, *level.shape[1:]).transpose(0, 2, 3, 1)
        width = level.shape[2]
        cells = level.reshape(-1, self._columns)
        sure = self.usable(sigmoid(cells[:, 4]))
        likely = np.flatnonzero(sure >= threshold)
        values = sigmoid(cells[likely])
        scores = self.usable(values[:, 5:] * values[:, 4:5])
        rows, class_id, score = best_classes(scores, threshold)
        values, places = values[rows], likely[rows]
        anchor, cell = np.divmod(places, len(cells) // EACH)
        corner = np.stack([cell % width, cell // width], axis=1)
        center = (2 * values[:, :2] - 0.5 + corner) * stride
        size = (2 * values[:, 2:4]) ** 2 * anchors[anchor]
        boxes = center_size_to_xyxy(np.concatenate([center, size], axis=1))
        return boxes, class_id, score


def _columns(shape: tuple[int, ...], width: int, height: int) -> int | None:
    """Return how many numbers an anchor has in an output; None where it is no map of a stride."""
    if len(shape) not in (4, 5) or shape[0] not in (1, -1) or min(*shape[1:], width, height) < 1:
        return None
    sizes = shape[2:4]
    if sizes not in [(-(-height // stride), -(-width // stride)) for stride in STRIDES]:
        return None
    count = shape[4] if len(shape) == 5 else shape[1] // EACH
    whole = shape[1] == (EACH if len(shape) == 5 else EACH * count)
    return count if whole and count > 5 else None

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Rows of finished objects, as many as were found: suppression inside the model, one row for each.

One output (M, W), where M is only known at run time; what its columns are is the option
``columns``:

* ``yolov7``: image, x1, y1, x2, y2, class, score: YOLOv7 with ``--end2end --max-wh``;
* ``yolo_nas``: image, x1, y1, x2, y2, score, class: YOLO-NAS in the format ``flat``;
* ``paddle``: class, score, x1, y1, x2, y2: PP-YOLOE and PicoDet by Paddle2ONNX. A second output
  (1,) counts the rows. A row of class -1 stands for nothing.

Boxes are in pixels of the input; the inputs ``scale_factor`` and ``im_shape`` of Paddle get what
makes them so.

Source: WongKinYiu/yolov7, ``end2end_onnxruntime``; Deci-AI/super-gradients, ``DetectionOutput``;
PaddlePaddle/PaddleDetection, ``deploy``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import FileFacts
from edge_perception.contract import Guess
from edge_perception.contract import ImageTransform
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import select
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.decoders.detection.candidates import passing
from edge_perception.decoders.detection.candidates import whole_classes

# Width of a row, and the columns of its box, its score and its class.
COLUMNS = {
    'yolov7': (7, slice(1, 5), 6, 5),
    'yolo_nas': (7, slice(1, 5), 5, 6),
    'paddle': (6, slice(2, 6), 1, 0),
}
# As Paddle's training code feeds PP-YOLOE+ and PicoDet.
PADDLE_INPUT = {
    'color': 'rgb',
    'scale': 1 / 255,
    'mean': [0.485, 0.456, 0.406],
    'std': [0.229, 0.224, 0.225],
    'resize': 'stretch',
}


@dataclass(frozen=True, slots=True)
class FinishedOptions(Options):
    """What manifests may write under ``decoder.options``."""

    columns: str = option('auto', 'what the columns of a row are', choices=('auto', *COLUMNS))


class FinishedDecoder(Decoder):
    """Detections of models that give a row for each object they found."""

    name = 'finished'
    tasks = frozenset({'detections'})
    options_type: ClassVar[type[Options]] = FinishedOptions
    options: FinishedOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize rows of Paddle by its inputs, of others by their width."""
        rows = [shape for shape in facts.shapes if len(shape) == 2]
        if len(rows) != 1 or len(facts.shapes) > 2 or facts.task or rows[0][0] == 1:
            return None
        paddle = any(spec.name == 'scale_factor' for spec in facts.description.inputs)
        if rows[0][1] == 6 and paddle:
            usual, options = PADDLE_INPUT, {'columns': 'paddle'}
            return Guess('PP-YOLOE or PicoDet', options=options, input=usual)
        return None

    def _bind(self) -> None:
        rows = [spec for spec in self.outputs if len(spec.shape) == 2]
        counts = [spec for spec in self.outputs if spec.shape in ((1,), (-1,))]
        width = rows[0].shape[1] if len(rows) == 1 else 0
        fitting = [name for name, (each, *_) in COLUMNS.items() if width in (each, -1)]
        columns = self.options.columns
        if columns == 'auto' and len(fitting) == 1:
            columns = fitting[0]
        if columns not in fitting or len(rows) + len(counts) != len(self.outputs):
            raise self.mismatch(
                'an output Mx6 or Mx7 with a row for each object, where 7 columns need the option '
                'columns, and at most a count beside it'
            )
        self._output = rows[0].name
        self._width, self._box, self._score, self._class = COLUMNS[columns]

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        output = tensors[self._output]
        if output.shape[1] != self._width:
            raise ValueError(f'got rows of {output.shape[1]} columns, expected {self._width}')
        found = np.array(output, np.float32)
        empty = found[:, self._class] == -1
        found[empty, self._score] = 0
        score = self.usable(found[:, self._score])
        rows = passing(score, selection.score_threshold)
        rows = rows[~empty[rows]]
        detections, _ = select(
            found[rows, self._box],
            score=score[rows],
            class_id=whole_classes(found[rows, self._class]),
            selection=selection,
            transform=transform,
            suppressed=True,
            remedy='correct columns of decoder.options',
        )
        return Perception(detections=detections)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
RT-DETR as Ultralytics exports it: no cells and no suppression, a row for each query.

Two layouts of the one output, M queries (300), C classes:

* ``scores`` (1, M, 4 + C): the box and the class scores, through a sigmoid already;
* ``finished`` (1, M, 6): the box, one score and one class, from newer exporters.

A box is center x, center y, width, height, 0 to 1 of the input. The image is stretched. For two
classes both have six numbers: then the option ``layout`` is asked for.

Source: ultralytics/ultralytics, ``models/rtdetr``; Zhao et al., DETRs Beat YOLOs on Real-time
Object Detection.
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
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import select
from edge_perception.contract import Selection
from edge_perception.contract import Tensors
from edge_perception.contract import UNANSWERED
from edge_perception.contract.boxes import cell_totals
from edge_perception.contract.boxes import only_image
from edge_perception.decoders.detection.candidates import best_classes
from edge_perception.decoders.detection.candidates import finished_rows

QUERIES = 300
INPUT = {'color': 'rgb', 'scale': 1 / 255, 'resize': 'stretch'}
FINISHED = 6  # numbers of a finished row
FAMILY = 'RT-DETR as Ultralytics exports it'


@dataclass(frozen=True, slots=True)
class RtDetrOptions(Options):
    """What manifests may write under ``decoder.options``."""

    layout: str = option('auto', 'how a row is laid out', choices=('auto', 'scores', 'finished'))


class RtDetrDecoder(Decoder):
    """Detections of RT-DETR."""

    name = 'rtdetr'
    tasks = frozenset({'detections'})

    options_type: ClassVar[type[Options]] = RtDetrOptions
    options: RtDetrOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize its rows; the metadata names the head, or the model in its description."""
        shape = facts.only_shape
        if len(shape) != 3 or not facts.one_image(shape) or shape[2] < 5:
            return None
        if facts.task:
            return cls._from_metadata(facts, width=shape[2])
        if shape[1] != QUERIES or shape[1] in cell_totals(facts.width, facts.height):
            return None
        return Guess(FAMILY, classes=shape[2] - 4, input=INPUT)

    @classmethod
    def _from_metadata(cls, facts: FileFacts, *, width: int) -> Guess | None:
        metadata, classes = facts.description.metadata, len(facts.labels)
        named = (metadata.get('head') or metadata.get('description', '')).lower()
        layout = 'scores' if width == 4 + classes else ''
        asks: tuple[str, ...] = ()
        if 'rtdetr' in named and width == FINISHED:
            layout = layout or 'finished'
            if classes == 2 and 'head' in metadata:
                layout, asks = UNANSWERED, ('whether a row has two scores, or one and a class',)
        elif 'rtdetr' not in named:
            other = 'head' in metadata or 'yolo' in named or facts.suppressed
            layout = '' if other or facts.only_shape[1] != QUERIES else layout
        if facts.task != 'detect' or not layout:
            return None
        return Guess(FAMILY, certain=True, options={'layout': layout}, input=INPUT, asks=asks)

    def _bind(self) -> None:
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        if len(shape) != 3 or shape[0] not in (1, -1) or not (shape[2] > 4 or shape[2] == -1):
            raise self._mismatch()
        self._output, self._layout = self.outputs[0].name, self.options.layout
        self.score_outputs = (self._output,)
        if self._layout == 'auto':
            if shape[2] == FINISHED and len(self.manifest.labels) in (0, 2):
                raise self._mismatch()
            self._layout = 'finished' if shape[2] == FINISHED else 'scores'
        if self._layout == 'finished' and shape[2] not in (FINISHED, -1):
            raise self._mismatch()
        if self._layout == 'scores' and shape[2] > 0:
            self.class_count = shape[2] - 4

    def _mismatch(self) -> DecoderMismatchError:
        return self.mismatch(
            'one output 1xMx(4 + classes) or 1xMx6, a row for each of M queries (where two '
            'classes leave that open, set the option layout)'
        )

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        output = only_image(tensors[self._output])
        if self._layout == 'scores':
            rows, class_id, score = best_classes(
                output[:, 4:], selection.score_threshold, self.usable
            )
        else:
            rows, class_id, score = finished_rows(
                output, self.usable(output[:, 4]), selection.score_threshold
            )
        side = np.array([transform.input_width, transform.input_height] * 2, np.float32)
        boxes = center_size_to_xyxy(output[rows, :4].astype(np.float32, copy=False) * side)
        detections, _ = select(
            boxes,
            score=score,
            class_id=class_id,
            selection=selection,
            transform=transform,
            suppressed=True,
            remedy='boxes of this decoder run from 0 to 1',
        )
        return Perception(detections=detections)

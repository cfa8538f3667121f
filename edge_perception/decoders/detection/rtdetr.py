# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
DETR and its relatives: no cells and no suppression, a row for each of M queries, C classes.

One output, as Ultralytics exports RT-DETR:

* ``scores`` (1, M, 4 + C): the box and the class scores, through a sigmoid already;
* ``finished`` (1, M, 6): the box, one score and one class, from newer exporters.

For two classes both have six numbers: then the option ``layout`` is asked for.

Two outputs, boxes (1, M, 4) and logits, told apart by their names, because with three classes and
"no object" both have four columns:

* ``rfdetr``, outputs ``dets`` and ``labels``: a sigmoid for each class; the last column is "no
  object" and left out, except of models of COCO: their 91 columns are the category ids of COCO,
  0 to 90 with gaps, which become rows of the 80 labels. A third output ``masks`` (1, M, H, W) has
  the logits of instance masks;
* ``sigmoid``, outputs ``pred_boxes`` and ``logits``: RT-DETR and D-FINE as optimum exports them;
* ``softmax``, of the same names: DETR, whose last column is "no object".

A box is center x, center y, width, height, 0 to 1 of the input. The image is stretched.

Source: ultralytics/ultralytics, ``models/rtdetr``; roboflow/rf-detr, ``PostProcess``; Zhao et al.,
DETRs Beat YOLOs on Real-time Object Detection.
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
from edge_perception.contract import TensorSpec
from edge_perception.contract import UNANSWERED
from edge_perception.contract.boxes import cell_totals
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.detection.candidates import best_classes
from edge_perception.decoders.detection.candidates import finished_rows
from edge_perception.decoders.detection.candidates import sigmoid
from edge_perception.decoders.detection.instance_masks import MaskLogits
from edge_perception.decoders.detection.instance_masks import number_instances

QUERIES = 300
INPUT = {'color': 'rgb', 'scale': 1 / 255, 'resize': 'stretch'}
FINISHED = 6  # numbers of a finished row
FAMILY = 'RT-DETR as Ultralytics exports it'
IMAGENET = {'mean': [0.485, 0.456, 0.406], 'std': [0.229, 0.224, 0.225]}
# Names of boxes and logits, by layouts.
PAIRS = {
    'rfdetr': ('dets', 'labels'),
    'sigmoid': ('pred_boxes', 'logits'),
    'softmax': ('pred_boxes', 'logits'),
}
MASKS = 'masks'
COCO_COLUMNS, COCO_LABELS = 91, 80
# Category ids that COCO does not use.
COCO_GAPS = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)


@dataclass(frozen=True, slots=True)
class RtDetrOptions(Options):
    """What manifests may write under ``decoder.options``."""

    layout: str = option(
        'auto', 'how outputs are laid out', choices=('auto', 'scores', 'finished', *PAIRS)
    )


class RtDetrDecoder(Decoder):
    """Detections of DETR and its relatives; instances where RF-DETR gives masks."""

    name = 'rtdetr'
    tasks = frozenset({'detections'})

    options_type: ClassVar[type[Options]] = RtDetrOptions
    options: RtDetrOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize its rows; the metadata names the head, or the model in its description."""
        names = {spec.name: spec.shape for spec in facts.description.outputs}
        if not facts.task and names.keys() - {MASKS} == {*PAIRS['rfdetr']}:
            return Guess('RF-DETR', classes=names['labels'][-1] - 1, input={**INPUT, **IMAGENET})
        if not facts.task and {*PAIRS['sigmoid']} <= names.keys():
            asks = ('whether scores are a sigmoid (RT-DETR, D-FINE) or a softmax (DETR)',)
            return Guess(
                'a DETR of optimum', options={'layout': UNANSWERED}, input=INPUT, asks=asks
            )
        shape = facts.only_shape
        if len(shape) != 3 or shape[2] < 5:
            return None
        if facts.task:
            return cls._from_metadata(facts, width=shape[2])
        if (
            not facts.one_image(shape)
            or shape[1] != QUERIES
            or shape[1] in cell_totals(facts.width, facts.height)
        ):
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
        self._logits = self._masks = ''
        self._used = np.arange(COCO_COLUMNS)
        if len(self.outputs) > 1:
            self._bind_pair({spec.name: spec for spec in self.outputs})
            return
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

    def _bind_pair(self, specs: dict[str, TensorSpec]) -> None:
        """Bind boxes and logits in outputs of their own."""
        fitting = [layout for layout, names in PAIRS.items() if {*names} <= specs.keys()]
        self._layout = self.options.layout
        if self._layout == 'auto':
            self._layout = fitting[0] if len(fitting) == 1 else ''
        if self._layout not in fitting:
            raise self._mismatch()
        boxes, logits = (specs.pop(name) for name in PAIRS[self._layout])
        if self._layout == 'rfdetr' and len(specs.get(MASKS, boxes).shape) == 4:
            self._masks = specs.pop(MASKS).name
            self.tasks = frozenset({'detections', 'instances'})
        shapes_fit = len(boxes.shape) == len(logits.shape) == 3 and boxes.shape[2] in (4, -1)
        # Others, such as hidden states, need not be read; masks of another shape are a mistake.
        if not shapes_fit or boxes.shape[0] not in (1, -1) or MASKS in specs:
            raise self._mismatch()
        self._output, self._logits, columns = boxes.name, logits.name, logits.shape[2]
        coco = self._layout == 'rfdetr' and columns == COCO_COLUMNS
        self._columns = columns - (self._layout != 'sigmoid' and not coco)
        if self._columns < 1:
            raise self._mismatch()
        self.class_count = self._columns
        if len(self.manifest.labels) == COCO_LABELS and self._columns == COCO_COLUMNS:
            self._used, self.class_count = np.delete(self._used, COCO_GAPS), COCO_LABELS

    def _mismatch(self) -> DecoderMismatchError:
        return self.mismatch(
            'one output 1xMx(4 + classes) or 1xMx6, a row for each of M queries (where two '
            'classes leave that open, set the option layout), or boxes 1xMx4 and logits '
            '1xMx(classes) of the names dets and labels, or pred_boxes and logits, which need the '
            'option layout'
        )

    def _scores(self, tensors: Tensors) -> Float32Array:
        """Return the scores of all queries, NaN where a logit is."""
        logits = only_image(tensors[self._logits]).astype(np.float32, copy=False)
        with np.errstate(invalid='ignore'):
            if self._layout == 'softmax':
                powers = np.exp(logits - logits.max(axis=1, keepdims=True))
                scores = powers / powers.sum(axis=1, keepdims=True)
            else:
                scores = sigmoid(logits)
        known: Float32Array = scores[:, : self._columns]
        return known if self.class_count == self._columns else known[:, self._used]

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        output = only_image(tensors[self._output])
        if self._logits:
            rows, class_id, score = best_classes(
                self._scores(tensors), selection.score_threshold, self.usable
            )
        elif self._layout == 'scores':
            rows, class_id, score = best_classes(
                output[:, 4:], selection.score_threshold, self.usable
            )
        else:
            rows, class_id, score = finished_rows(
                output, self.usable(output[:, 4]), selection.score_threshold
            )
        side = np.array([transform.input_width, transform.input_height] * 2, np.float32)
        boxes = center_size_to_xyxy(output[rows, :4].astype(np.float32, copy=False) * side)
        detections, chosen = select(
            boxes,
            score=score,
            class_id=class_id,
            selection=selection,
            transform=transform,
            suppressed=True,
            remedy='boxes of this decoder run from 0 to 1',
        )
        if not self._masks:
            return Perception(detections=detections)
        masks, queries = only_image(tensors[self._masks]), rows[chosen]

        def window(row: int, rows: slice, columns: slice) -> Float32Array:
            part: Float32Array = masks[queries[row], rows, columns].astype(np.float32, copy=False)
            return part

        logits = MaskLogits(masks.shape[2], masks.shape[1], window)
        instances = number_instances(logits, detections, transform)
        return Perception(detections=detections, instances=instances)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
SSD with suppression inside the model: ``TFLite_Detection_PostProcess`` and its ONNX siblings.

Four outputs for M objects: boxes (1, M, 4) as ymin, xmin, ymax, xmax, 0 to 1 of the input;
classes (1, M) as numbers; scores (1, M); and how many of the M rows are used (1,). Boxes and the
count are told by their shapes, classes and scores by their names, else by their place: TensorFlow
1 gives boxes, classes, scores, count; TensorFlow 2 gives scores, boxes, count, classes.

Other models give such lists as well; the option ``boxes`` tells how theirs are:

* EfficientNMS of TensorRT: ``num_dets`` (1, 1), ``det_boxes`` as corners in pixels,
  ``det_scores``, ``det_classes``; YOLO-NAS: ``num_predictions``, ``pred_boxes``, ``pred_scores``,
  ``pred_classes``;
* RT-DETR, D-FINE and DEIM by their own exporters: ``labels``, ``boxes``, ``scores``, no count; in
  pixels, because the input ``orig_target_sizes`` gets the size of the input;
* EfficientDet-Lite is as SSD.

Scores may be calibrated for each class, see ``calibration``.

The TFLite operator counts classes from 0, without a background; models of the TensorFlow zoo in
ONNX count from 1: ``label_offset: -1``.

Source: the Object Detection API of tensorflow/models, ``tflite_detection_postprocess``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
from edge_perception.contract.boxes import check_finite
from edge_perception.contract.boxes import only_image
from edge_perception.decoders.detection.candidates import whole_classes
from edge_perception.decoders.score_calibration import CalibrationOptions
from edge_perception.decoders.score_calibration import said_calibration
from edge_perception.decoders.score_calibration import ScoreCalibration

ORDERS = {
    'boxes_classes_scores': ('classes', 'scores'),
    'scores_boxes_classes': ('scores', 'classes'),
}


# Places of left, top, right, bottom in a box, and whether it is in pixels.
BOX_ORDERS = {
    'yxyx_normalized': ((1, 0, 3, 2), False),
    'xyxy_normalized': ((0, 1, 2, 3), False),
    'xyxy_pixels': ((0, 1, 2, 3), True),
}
# As the training code of RT-DETR and its relatives feeds its models.
DETR_INPUT = {'color': 'rgb', 'scale': 1 / 255, 'resize': 'stretch'}
# Families with boxes in pixels, by the name of their output with boxes.
PIXEL_FAMILIES = {
    'det_boxes': ('a model that ends in EfficientNMS', {}),
    'pred_boxes': ('YOLO-NAS', {}),
    'boxes': ('RT-DETR, D-FINE or DEIM', DETR_INPUT),
}
SIZES = 'orig_target_sizes'
# What TFLite metadata says of boxes that this decoder reads: ymin, xmin, ymax, xmax, 0 to 1.
SAID_OF_BOXES = {'box_type': 'corners', 'box_order': [1, 0, 3, 2], 'box_units': 'normalized'}


@dataclass(frozen=True, slots=True)
class SsdOptions(CalibrationOptions):
    """What manifests may write under ``decoder.options``."""

    label_offset: int = option(
        0,
        'added to the class of the model to get the row of the labels',
        minimum=-1000,
        maximum=1000,
    )
    order: str = option(
        'auto', 'order of the outputs where names do not tell', choices=('auto', *ORDERS)
    )
    boxes: str = option(
        'yxyx_normalized',
        'order and unit of the numbers of a box: from 0 to 1, or pixels of the input',
        choices=tuple(BOX_ORDERS),
    )


class SsdDecoder(Decoder):
    """Detections of models that end in a detection post-processing operator."""

    name = 'ssd'
    tasks = frozenset({'detections'})
    options_type: ClassVar[type[Options]] = SsdOptions
    options: SsdOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize boxes, classes and scores of M objects, and their number, in any order."""
        shapes = facts.shapes
        boxes_named = [each.name for each in facts.description.outputs if len(each.shape) == 3]
        boxes_name = boxes_named[0] if boxes_named else ''
        sized = any(spec.name == SIZES for spec in facts.description.inputs)
        named_so = boxes_name in PIXEL_FAMILIES and (boxes_name != 'boxes' or sized)
        if named_so and len(shapes) in (3, 4) and sorted(map(len, shapes))[-3:] == [2, 2, 3]:
            family, usual = PIXEL_FAMILIES[boxes_name]
            return Guess(family, options={'boxes': 'xyxy_pixels'}, input=usual)
        if sorted(map(len, shapes)) != [1, 2, 2, 3] or not any(each[-1] == 4 for each in shapes):
            return None
        family = 'SSD with its own suppression'
        boxes = next((said for said, at in zip(facts.outputs, shapes) if len(at) == 3), {})
        lists = [said for said, at in zip(facts.outputs, shapes) if len(at) == 2]
        if any(key in boxes and boxes[key] != value for key, value in SAID_OF_BOXES.items()):
            return None
        # The output that names its values has the classes.
        named = tuple(bool(said.get('value_labels')) for said in lists)
        order = {(True, False): 'boxes_classes_scores', (False, True): 'scores_boxes_classes'}
        if named not in order or not boxes.keys() >= SAID_OF_BOXES.keys():
            return Guess(family)
        return Guess(family, True, options={'order': order[named], **said_calibration(facts)})

    def _bind(self) -> None:
        boxes = [spec for spec in self.outputs if len(spec.shape) == 3 and spec.shape[2] == 4]
        counts = [spec for spec in self.outputs if _is_count(spec)]
        lists = [spec for spec in self.outputs if len(spec.shape) == 2 and spec not in counts]
        found = (len(boxes), len(lists), len(self.outputs) - len(counts))
        needed = self.options.boxes != 'xyxy_pixels'
        if found != (1, 2, 3) or not needed <= len(counts) <= 1:
            raise self._mismatch()
        self._boxes, self._count = boxes[0].name, counts[0].name if counts else ''
        self._order, self._pixels = BOX_ORDERS[self.options.boxes]
        self._classes, self._scores = self._tell_apart(boxes[0], lists)
        self._calibrate = ScoreCalibration(self.options)

    def _tell_apart(self, boxes: TensorSpec, lists: list[TensorSpec]) -> tuple[str, str]:
        """Return the names of the classes and of the scores."""
        if self.options.order == 'auto':
            named = [
                [('class' in name or 'label' in name), 'score' in name]
                for name in (spec.name.lower() for spec in lists)
            ]
            if named == [[True, False], [False, True]]:
                return lists[0].name, lists[1].name
            if named == [[False, True], [True, False]]:
                return lists[1].name, lists[0].name
        order = self.options.order
        if order == 'auto':
            first = self.outputs[0] is boxes
            order = 'boxes_classes_scores' if first else 'scores_boxes_classes'
        place = ORDERS[order]
        return lists[place.index('classes')].name, lists[place.index('scores')].name

    def _mismatch(self) -> DecoderMismatchError:
        return self.mismatch(
            'four outputs: boxes 1xMx4, classes 1xM, scores 1xM and a count of shape 1, which '
            'may be missing where boxes are in pixels (option boxes)'
        )

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        count = None
        if self._count:
            used = tensors[self._count].reshape(-1)[:1]
            check_finite(used, 'counts')
            # Clamped, because a negative number would count from the end.
            count = max(0, int(used[0]))
        score = only_image(tensors[self._scores])[:count].astype(np.float32, copy=False)
        score = self.usable(score)
        boxes = only_image(tensors[self._boxes])[:count].astype(np.float32, copy=False)
        side = np.array([transform.input_width, transform.input_height] * 2, np.float32)
        known = np.flatnonzero(np.isfinite(score))
        class_id = whole_classes(only_image(tensors[self._classes])[known])
        detections, _ = select(
            boxes[known][:, self._order] * (1 if self._pixels else side),
            score=self._calibrate(score[known], class_id),
            class_id=class_id + self.options.label_offset,
            selection=selection,
            transform=transform,
            suppressed=True,
            remedy=f'decoder.options has boxes: {self.options.boxes}, which are '
            f'{"pixels" if self._pixels else "from 0 to 1"}; correct it',
        )
        return Perception(detections=detections)


def _is_count(spec: TensorSpec) -> bool:
    if spec.shape in ((1,), (-1,), ()):
        return True
    return len(spec.shape) == 2 and spec.shape[1] == 1 and spec.name.lower().startswith('num')

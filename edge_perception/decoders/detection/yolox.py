# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
YOLOX, and models that took its head.

One output (1, N, 5 + C), a row for each cell of the strides 8, 16, 32 (and 64 in P6 models):
center x, center y, width, height, objectness, and C class scores; the scores went through a
sigmoid already. The center is in strides from the upper left corner of its cell, width and height
are logarithms of strides. The score is objectness times class.

With ``decoded: true`` the four numbers of the box are pixels of the input, or run from 0 to 1 with
``box_units: normalized`` (TFLite), and N may be anything: exports of YOLOX with
``--decode_in_inference``, and of YOLOv5 and YOLOv7.

Source: Ge et al., YOLOX: Exceeding YOLO Series in 2021; Megvii-BaseDetection/YOLOX.

Objectness bounds the score, so only rows that pass by it alone are looked at: decoding the 3549
rows of YOLOX-nano takes 0.22 ms for photographs with four objects, of which 0.08 ms check that all
scores are some (NumPy 2.4, x86-64).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import ClassVar

import numpy as np

from edge_perception.contract import center_size_to_xyxy
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
from edge_perception.contract import UNANSWERED
from edge_perception.contract.boxes import cell_counts
from edge_perception.contract.boxes import cell_totals
from edge_perception.contract.boxes import only_image
from edge_perception.contract.boxes import PYRAMIDS
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.detection.candidates import best_classes
from edge_perception.decoders.detection.candidates import grid
from edge_perception.decoders.detection.candidates import passing

# As the training code feeds its models.
INPUT = {'color': 'bgr', 'scale': 1.0, 'resize': 'letterbox_top_left', 'fill': 114}


@dataclass(frozen=True, slots=True)
class YoloxOptions(Options):
    """What manifests may write under ``decoder.options``."""

    decoded: bool = option(False, 'boxes are in pixels, the model decoded them itself')
    box_units: str = option(
        'pixels', 'unit of boxes that the model decoded itself', choices=('pixels', 'normalized')
    )


class YoloxDecoder(Decoder):
    """Detections of YOLOX and of models that took its head."""

    name = 'yolox'
    tasks = frozenset({'detections'})
    options_type: ClassVar[type[Options]] = YoloxOptions
    options: YoloxOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize a row for each cell, of YOLOv5 three; shapes do not tell what is decoded."""
        shape, cells = facts.only_shape, cell_totals(facts.width, facts.height)
        if len(shape) != 3 or not facts.one_image(shape) or shape[2] < 6:
            return None
        if shape[1] in cells:
            asks = ('whether the model decodes its boxes itself, to pixels (decoded)',)
            unknown = {'decoded': UNANSWERED}
            return Guess('YOLOX', False, shape[2] - 5, options=unknown, input=INPUT, asks=asks)
        if shape[1] % 3 == 0 and shape[1] // 3 in cells:
            usual = {**INPUT, 'color': 'rgb', 'scale': 1 / 255, 'resize': 'letterbox_center'}
            # Ultralytics divides boxes by the size of the input for this format only.
            unit = {'box_units': 'normalized'} if facts.suffix == '.tflite' else {}
            options: dict[str, Any] = {'decoded': True, **unit}
            return Guess('YOLOv5', False, shape[2] - 5, options=options, input=usual)
        return None

    def _bind(self) -> None:
        recipe = self.manifest.input
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        counts = [sum(cell_counts(recipe.width, recipe.height, each)) for each in PYRAMIDS]
        decoded = self.options.decoded
        if (
            len(shape) != 3
            or shape[0] not in (1, -1)
            or not (decoded or shape[1] in (*counts, -1))
            or not (shape[2] > 5 or shape[2] == -1)
        ):
            raise self.mismatch(
                'one output 1xNx(5 + classes)'
                if decoded
                else f'one output 1x{counts[0]}x(5 + classes), a row for each cell of '
                f'{recipe.width}x{recipe.height} pixels at strides 8, 16 and 32'
            )
        strides = PYRAMIDS[counts.index(shape[1])] if shape[1] in counts else PYRAMIDS[0]
        self._output = self.outputs[0].name
        self.score_outputs = (self._output,)
        self._grid = grid(recipe.width, recipe.height, strides)
        self.class_count = shape[2] - 5 if shape[2] > 0 else None

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        raw = only_image(tensors[self._output])
        if not self.options.decoded and len(raw) != len(self._grid.stride):
            raise ValueError(f'got {len(raw)} rows, expected {len(self._grid.stride)}')
        # Both factors, because logits of unlike signs can have a product that is a score.
        factors = self.usable(raw[:, 4:])
        likely = passing(factors[:, 0], selection.score_threshold)
        found = factors[likely].astype(np.float32, copy=False)
        rows, class_id, score = best_classes(
            found[:, 1:] * found[:, :1], selection.score_threshold
        )
        cells = likely[rows]
        detections, _ = select(
            self._boxes(raw[cells, :4].astype(np.float32, copy=False), cells),
            score=score,
            class_id=class_id,
            selection=selection,
            transform=transform,
            remedy=f'decoder.options has decoded: {str(self.options.decoded).lower()}; correct it',
        )
        return Perception(detections=detections)

    def _boxes(self, raw: Float32Array, cells: np.ndarray) -> Float32Array:
        if self.options.decoded:
            recipe = self.manifest.input
            pixels = self.options.box_units == 'pixels'
            return center_size_to_xyxy(raw * (1 if pixels else [recipe.width, recipe.height] * 2))
        stride = self._grid.stride[cells]
        center = raw[:, :2] * stride + self._grid.origin[cells]
        with np.errstate(over='ignore'):
            half = np.exp(raw[:, 2:]) * stride * 0.5
        return np.concatenate([center - half, center + half], axis=1, dtype=np.float32)

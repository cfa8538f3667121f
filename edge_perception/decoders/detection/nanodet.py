# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
NanoDet and NanoDet-Plus: class scores, and distances to the sides of the box.

* NanoDet: six outputs, for each of the strides 8, 16, 32 class scores (1, N, C), through a
  sigmoid already, and distributions (1, N, 4 (R + 1)); distances count from the center of a cell.
* Newer exports: one output (1, N, C + 4 (R + 1)) for all strides. With a fourth stride, 64, it is
  NanoDet-Plus, whose distances count from the upper left corner of a cell.

The four distributions are for left, top, right, bottom, as logits of the distances 0 to R, R
being ``reg_max`` of the training configuration; the expected value times the stride is in pixels.
As upstream, boxes end at the border of the input.

Many demonstrations count from the center of the pixel left and above of the center of the cell,
half a pixel off; ``count_from: center_pixel`` gives their boxes.

Source: RangiLyu/nanodet; Li et al., Generalized Focal Loss, for the distributions.

Decoding the 3549 cells of NanoDet-m takes 0.45 ms for a street with eight objects, of which 0.1 ms
check that all scores are some (NumPy 2.4, x86-64).
"""

from __future__ import annotations

from collections import Counter
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
from edge_perception.contract.boxes import cell_counts
from edge_perception.contract.boxes import check_finite
from edge_perception.contract.boxes import Floats
from edge_perception.contract.boxes import Indices
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import Float32Array
from edge_perception.decoders.detection.candidates import best_classes
from edge_perception.decoders.detection.candidates import Grid
from edge_perception.decoders.detection.candidates import grid

# As the training code feeds its models.
INPUT = {
    'color': 'bgr',
    'scale': 1.0,
    'mean': [103.53, 116.28, 123.675],
    'std': [57.375, 57.12, 58.395],
    'resize': 'letterbox_center_floor',
    'fill': 0,
}
SIDES = 32  # four distributions over the distances 0 to 7, as in the published models
YOLOX_COCO = 85  # numbers of its rows; they would be 53 classes of NanoDet, which hardly is
STRIDES = (8, 16, 32)
PLUS_STRIDES = (8, 16, 32, 64)
JOINED = (STRIDES, PLUS_STRIDES)
# A point of a cell: strides and pixels from its upper left corner.
POINTS = {'corner': (0.0, 0.0), 'center': (0.5, 0.0), 'center_pixel': (0.5, -0.5)}


@dataclass(frozen=True, slots=True)
class NanoDetOptions(Options):
    """What manifests may write under ``decoder.options``."""

    reg_max: int = option(7, 'greatest distance of the distributions, in strides', minimum=1)
    count_from: str = option(
        'auto', 'point of a cell that distances count from', choices=('auto', *POINTS)
    )


@dataclass(frozen=True, slots=True)
class _Level:
    """Where to find the scores and distributions of some cells, and where these cells are."""

    score_output: str
    side_output: str
    grid: Grid


class NanoDetDecoder(Decoder):
    """Detections of NanoDet."""

    name = 'nanodet'
    tasks = frozenset({'detections'})
    options_type: ClassVar[type[Options]] = NanoDetOptions
    options: NanoDetOptions

    @classmethod
    def guess(cls, facts: FileFacts) -> Guess | None:
        """Recognize scores and distributions over the same cells, side by side or joined."""
        shapes = facts.shapes
        if any(len(shape) != 3 or not facts.one_image(shape) for shape in shapes):
            return None
        widths = Counter(shape[2] for shape in shapes)
        classes = 0
        if len(shapes) == 1 and YOLOX_COCO not in widths:
            joined = (sum(cell_counts(facts.width, facts.height, each)) for each in JOINED)
            classes = shapes[0][2] - SIDES if shapes[0][1] in joined else 0
        elif len(shapes) == 6 and set(widths.values()) == {3}:
            cells = Counter(shape[1] for shape in shapes)
            sides = SIDES if SIDES in widths else max(widths)
            classes = sum(widths) - sides if set(cells.values()) == {2} else 0
        return Guess('NanoDet', classes=classes, input=INPUT) if classes > 0 else None

    def _bind(self) -> None:
        self._bins = self.options.reg_max + 1
        recipe = self.manifest.input
        self._edges = np.array([recipe.width, recipe.height] * 2, np.float32)
        self._levels: tuple[_Level, ...]
        if any(len(spec.shape) != 3 or spec.shape[0] not in (1, -1) for spec in self.outputs):
            raise self._mismatch()
        if len(self.outputs) == 1:
            self._levels = (self._bind_joined(self.outputs[0]),)
        else:
            self._levels = self._bind_levels()

    def _bind_joined(self, spec: TensorSpec) -> _Level:
        recipe = self.manifest.input
        _, cells, channels = spec.shape
        for strides, point in ((STRIDES, 'center'), (PLUS_STRIDES, 'corner')):
            known = cells == sum(cell_counts(recipe.width, recipe.height, strides))
            if known and channels > 4 * self._bins:
                self.class_count = channels - 4 * self._bins
                return _Level(spec.name, spec.name, self._points(strides, point))
        raise self._mismatch()

    def _bind_levels(self) -> tuple[_Level, ...]:
        recipe = self.manifest.input
        levels = []
        for stride, cells in zip(STRIDES, cell_counts(recipe.width, recipe.height, STRIDES)):
            here = [spec for spec in self.outputs if spec.shape[1] == cells]
            # A stable sort: where both have one size, scores come first, as in every export.
            here.sort(key=lambda spec: spec.shape[2] == 4 * self._bins)
            if len(here) != 2 or here[1].shape[2] != 4 * self._bins or here[0].shape[2] < 1:
                raise self._mismatch()
            self.class_count = here[0].shape[2]
            levels.append(_Level(here[0].name, here[1].name, self._points((stride,), 'center')))
        if len(self.outputs) != 2 * len(levels):
            raise self._mismatch()
        return tuple(levels)

    def _points(self, strides: tuple[int, ...], usual: str) -> Grid:
        """Return the points that distances count from, as the origins of the cells."""
        asked = self.options.count_from
        share, pixels = POINTS[usual if asked == 'auto' else asked]
        cells = grid(self.manifest.input.width, self.manifest.input.height, strides)
        points = cells.origin + share * cells.stride + pixels
        return Grid(origin=points.astype(np.float32), stride=cells.stride)

    def _mismatch(self) -> DecoderMismatchError:
        recipe, sides = self.manifest.input, 4 * self._bins
        counts = cell_counts(recipe.width, recipe.height, STRIDES)
        pairs = ', '.join(f'1x{count}xclasses and 1x{count}x{sides}' for count in counts)
        plus = sum(cell_counts(recipe.width, recipe.height, PLUS_STRIDES))
        return self.mismatch(
            f'six outputs {pairs}, or one output 1x{sum(counts)}x(classes + {sides}), for '
            f'NanoDet-Plus 1x{plus}x(classes + {sides}); the option reg_max is '
            f'{self.options.reg_max}'
        )

    def _decode(
        self, tensors: Tensors, transform: ImageTransform, selection: Selection
    ) -> Perception:
        boxes, classes, scores = [], [], []
        for level in self._levels:
            confidence = only_image(tensors[level.score_output])[:, : self.class_count]
            rows, class_id, score = best_classes(
                confidence, selection.score_threshold, self.usable
            )
            sides = only_image(tensors[level.side_output])[rows, -4 * self._bins :]
            boxes.append(self._boxes(sides, level.grid, rows))
            classes.append(class_id)
            scores.append(score)
        detections, _ = select(
            np.concatenate(boxes),
            score=np.concatenate(scores),
            class_id=np.concatenate(classes),
            selection=selection,
            transform=transform,
        )
        return Perception(detections=detections)

    def _boxes(self, sides: Floats, cells: Grid, rows: Indices) -> Float32Array:
        logits = sides.astype(np.float32, copy=False).reshape(len(rows), 4, self._bins)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        expected = weights @ np.arange(self._bins, dtype=np.float32) / weights.sum(axis=2)
        check_finite(expected, 'boxes')
        distance, point = expected * cells.stride[rows], cells.origin[rows]
        boxes = np.concatenate([point - distance[:, :2], point + distance[:, 2:]], axis=1)
        return np.asarray(np.clip(boxes, 0, self._edges), np.float32)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Instance masks: logits on the grid of the model become one image of instance numbers.

Only what lies in the box of an object is computed and enlarged, straight to the source image: in
a frame of 1920x1080 20 boxes of 250x250 pixels take 5 ms, 20 of 1000x1000 take 104 ms (two x86-64
cores, best of 60).

Source: ``process_mask_native`` of ultralytics/ultralytics, which enlarges to the source as well.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge_perception.contract import Detections
from edge_perception.contract import ImageTransform
from edge_perception.contract import InputRecipe
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception.contract.boxes import check_finite
from edge_perception.contract.boxes import only_image
from edge_perception.contract.types import Float32Array
from edge_perception.contract.types import UInt16Array


@dataclass(frozen=True, slots=True)
class MaskLogits:
    """
    Logits of the masks of some objects, computed where they are asked for.

    :param width: of the grid of the model, in cells, which covers its input.
    :param window: gives those of the object in a row, for some rows and columns of the grid.
    """

    width: int
    height: int
    window: Callable[[int, slice, slice], Float32Array]


@dataclass(frozen=True, slots=True)
class MaskPrototypes:
    """
    An output with prototypes of masks: a mask is their sum, each times a coefficient.

    :param count: of the prototypes.
    :param last: they are the last dimension of the output, else the second.
    """

    name: str
    count: int
    last: bool

    @classmethod
    def find(cls, outputs: Sequence[TensorSpec], recipe: InputRecipe) -> MaskPrototypes | None:
        """Return the prototypes among some outputs; None where there are none of known count."""
        maps = [spec for spec in outputs if len(spec.shape) == 4]
        if len(maps) != 1 or min(maps[0].shape[1:]) < 1:
            return None
        _, first, second, third = maps[0].shape
        # The grid has the proportions of the input. Where both ways fit, the layout is the same.
        fits = [
            columns * recipe.height == rows * recipe.width
            for rows, columns in ((second, third), (first, second))
        ]
        last = fits[1] if fits[0] != fits[1] else recipe.layout == 'nhwc'
        return cls(maps[0].name, third if last else first, last)

    def logits(self, tensors: Tensors, coefficients: Float32Array) -> MaskLogits:
        """
        Return the masks of some objects.

        :param coefficients: (M, P), a row for each.
        :raises FloatingPointError: one is not finite.
        """
        check_finite(coefficients, 'coefficients of masks')
        prototypes = only_image(tensors[self.name])
        if self.last:
            prototypes = np.moveaxis(prototypes, -1, 0)

        def window(row: int, rows: slice, columns: slice) -> Float32Array:
            part = prototypes[:, rows, columns].astype(np.float32, copy=False)
            return np.tensordot(coefficients[row], part, axes=1).astype(np.float32, copy=False)

        return MaskLogits(prototypes.shape[2], prototypes.shape[1], window)


def number_instances(
    logits: MaskLogits, detections: Detections, transform: ImageTransform
) -> UInt16Array:
    """
    Return ``Perception.instances``: masks where their logit is above 0, cut to their boxes.

    :param logits: a row for each of the detections.
    :raises FloatingPointError: a logit in a box is not finite.
    """
    instances = np.zeros((transform.source_height, transform.source_width), np.uint16)
    to_grid = _to_grid(transform, logits)
    # The best one last, so that it stays on top.
    for row in range(len(detections) - 1, -1, -1):
        # Pixels whose centers are in the box.
        box = np.ceil(detections.xyxy[row].astype(np.float64) - 0.5)
        limits = [transform.source_width, transform.source_height] * 2
        left, top, right, bottom = np.clip(box, 0, limits).astype(int).tolist()
        if right <= left or bottom <= top:
            continue
        corners = to_grid @ [[left, right, left, right], [top, top, bottom, bottom], [1] * 4]
        low = np.clip(np.floor(corners.min(axis=1)) - 1, 0, [logits.width - 1, logits.height - 1])
        high = np.clip(np.ceil(corners.max(axis=1)) + 2, low + 1, [logits.width, logits.height])
        (x, y), (end_x, end_y) = low.astype(int).tolist(), high.astype(int).tolist()
        part = logits.window(row, slice(y, end_y), slice(x, end_x))
        check_finite(part, 'logits of masks')
        shift = to_grid @ [left, top, 1] - [x, y]
        enlarged = cv2.warpAffine(
            part,
            np.concatenate([to_grid[:, :2], shift[:, None]], axis=1),
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        instances[top:bottom, left:right][enlarged > 0] = row + 1
    return instances


def _to_grid(transform: ImageTransform, logits: MaskLogits) -> np.ndarray:
    """Return what takes a pixel of the source image to a cell, by their indices, (2, 3)."""
    width, height = transform.input_width, transform.input_height
    points = np.array([[0, 0], [width, 0], [0, height]], np.float64)
    origin, right, down = transform.points_to_source(points).astype(np.float64)
    cells = np.diag([logits.width, logits.height]).astype(np.float64)
    linear = cells @ np.linalg.inv(np.stack([right - origin, down - origin], axis=1))
    # Indices count from the centers of pixels and of cells.
    return np.concatenate([linear, (linear @ (0.5 - origin) - 0.5)[:, None]], axis=1)

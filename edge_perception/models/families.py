# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Guesses from the shapes of outputs which decoder reads them; a guess, because shapes can lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge_perception.contract import TensorSpec

# Feature maps of detectors: YOLO and YOLOX; their P6 and P2 relatives; NanoDet-Plus.
PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
MOVENET_KEYPOINTS = 17
YUNET_VALUES = (1, 1, 4, 10)  # class, objectness, box, five landmarks; once for each stride
NANODET_SIDES = 32  # four distributions over the distances 0 to 7, as in the published models


@dataclass(frozen=True, slots=True)
class Guess:
    """
    A decoder that may fit.

    :param decoder: its name in manifests; empty when the family is known and no decoder reads it.
    :param family: how a sentence calls such a network.
    :param classes: how many classes the outputs have; None where that is not a matter of shapes.
    """

    decoder: str
    family: str
    classes: int | None = None


def cell_totals(width: int, height: int) -> frozenset[int]:
    """Return how many cells the usual feature pyramids have over an input of this size."""
    return frozenset(
        sum(-(-width // stride) * -(-height // stride) for stride in pyramid)
        for pyramid in PYRAMIDS
    )


def guess_decoder(outputs: Sequence[TensorSpec], *, width: int, height: int) -> Guess | None:
    """
    Return the decoder that outputs of these shapes most often need.

    :param width: of the input in pixels; -1 when unknown.
    :return: None when the shapes remind of nothing.
    """
    shapes = [spec.shape for spec in outputs]
    if len(shapes) == 1:
        return _single(shapes[0], width, height)
    last = Counter(shape[-1] if shape else 0 for shape in shapes)
    if len(shapes) == 3 * len(YUNET_VALUES) and last == Counter(YUNET_VALUES * 3):
        return Guess('yunet', 'YuNet')
    nanodet = _nanodet(shapes)
    if nanodet is not None:
        return nanodet
    # Boxes, classes and scores of N objects, and their number; the order differs between tools.
    if len(shapes) == 4 and sorted(map(len, shapes)) == [1, 2, 2, 3] and 4 in last:
        return Guess('ssd', 'SSD with its own suppression')
    return None


def _single(shape: tuple[int, ...], width: int, height: int) -> Guess | None:
    if shape[-2:] == (MOVENET_KEYPOINTS, 3):
        return Guess('movenet', 'MoveNet')
    if len(shape) == 3 and shape[0] in (1, -1):
        return _detector(shape[1], shape[2], cell_totals(width, height))
    sizes = [size for size in shape[1:] if size != 1]
    if len(sizes) == 1 and len(shape) in (2, 4) and sizes[0] > 1:
        return Guess('classifier', 'a classifier', sizes[0])
    if len(shape) == 4 and -1 not in shape and min(width, height) > 0:
        return _map(shape, width, height)
    return None


def _detector(first: int, last: int, cells: frozenset[int]) -> Guess | None:
    if first in cells and last > 5:
        return Guess('yolox', 'YOLOX', last - 5)
    if last in cells and first > 4:
        return Guess('yolo', 'an anchor-free YOLO (version 8 and later)', first - 4)
    if last == 6 and 1 < first <= 1000:
        return Guess('yolo', 'a YOLO with its own suppression')
    if first % 3 == 0 and first // 3 in cells and last > 5:
        return Guess('', 'YOLOv5 with anchors, which no built-in decoder reads', last - 5)
    return None


def _map(shape: tuple[int, ...], width: int, height: int) -> Guess | None:
    """Tell a class for each pixel from a heat map for each keypoint, by the size of the map."""
    for rows, columns, channels in ((shape[2], shape[3], shape[1]), (*shape[1:3], shape[3])):
        if (rows, columns) == (height, width):
            return Guess('segmentation', 'a segmentation', channels)
        shrunk = {height / rows, width / columns}
        if len(shrunk) == 1 and shrunk <= {2.0, 4.0, 8.0}:
            return Guess('heatmap', 'heat maps of keypoints')
    return None


def _nanodet(shapes: Sequence[tuple[int, ...]]) -> Guess | None:
    """Recognize scores and distributions over the same cells, at three strides."""
    if len(shapes) != 6 or any(len(shape) != 3 for shape in shapes):
        return None
    cells = Counter(shape[1] for shape in shapes)
    widths = Counter(shape[2] for shape in shapes)
    if set(cells.values()) != {2} or set(widths.values()) != {3}:
        return None
    sides = NANODET_SIDES if NANODET_SIDES in widths else max(widths)
    return Guess('nanodet', 'NanoDet', next(width for width in widths if width != sides))

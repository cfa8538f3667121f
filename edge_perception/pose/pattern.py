# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The printed pattern of a flat object, compared with the image under a pose.

Compared are differences of brightness between cells that are near to each other, printed against
seen, by their correlation: light, shadow and paper change brightness, but hardly that of one
neighbor alone. A copy that is mirrored or turned shares most of a chessboard; so the pattern has
to fit better than it does mirrored or turned.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.solver import Pose

# Cells between the two of a pair: the next one, and the next but one, which blur reaches less.
_STEPS = (1, 2)
# Differences above this multiple of the usual one are clipped to it: an edge of something bright
# that covers the object is not more wrong than a wrong cell.
_CLIP = 1.5
# Fewer pairs inside of the image may agree by chance.
_MINIMUM_PAIRS = 20


class Pattern:
    """
    A square of dark and bright cells around the origin of an object.

    :param rows: '#' for dark, '.' for bright, all of one length, as many as that; the first row
        is at the greatest x, the first column at the greatest y.
    :param cell: meters, side of a cell.
    """

    def __init__(self, rows: Sequence[str], *, cell: float) -> None:
        printed = np.array([[1.0 if mark == '.' else -1.0 for mark in row] for row in rows])
        count = len(printed)
        place = ((count - 1) / 2 - np.arange(count)) * cell
        x, y = np.meshgrid(place, place, indexing='ij')
        self._centers = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
        self._pairs = _pairs(count)
        turned = [np.rot90(each, turn) for each in (printed, printed.T) for turn in range(4)]
        cells = np.stack([each.ravel() for each in turned])
        # (8, P): of the pattern itself first.
        self._printed = cells[:, self._pairs[:, 1]] - cells[:, self._pairs[:, 0]]

    def agreement(self, gray: npt.NDArray[np.uint8], pose: Pose, intrinsics: Intrinsics) -> float:
        """
        Return how well the image shows the pattern where a pose puts it.

        :param gray: uint8 (height, width).
        :return: correlation from -1 to 1; 0 where it cannot be told, or where the pattern fits
            better mirrored or turned.
        """
        points = pose.transform(self._centers)
        if points[:, 2].min() <= 0:
            return 0.0
        places = intrinsics.pixels(points) - 0.5
        height, width = gray.shape
        within = (places >= 0) & (places <= (width - 1, height - 1))
        inside = np.asarray(within.all(axis=1), np.bool_)
        shown = np.asarray(inside[self._pairs].all(axis=1), np.bool_)
        if shown.sum() < _MINIMUM_PAIRS:
            return 0.0
        at = places.astype(np.float32)
        values = cv2.remap(gray, at[:, :1], at[:, 1:], cv2.INTER_LINEAR).ravel().astype(np.float64)
        pairs, printed = self._pairs, self._printed
        if not shown.all():
            pairs, printed = pairs[shown], printed[:, shown]
        return _correlation(values[pairs[:, 1]] - values[pairs[:, 0]], printed)


def _correlation(seen: Floats, printed: Floats) -> float:
    """Return the correlation with the first of several patterns, 0 if another has a better one."""
    contrasts = np.sort(np.abs(seen[printed[0] != 0]))
    usual = float(contrasts[len(contrasts) // 2]) if len(contrasts) else 0.0
    seen = seen.clip(-_CLIP * usual, _CLIP * usual)
    lengths = np.sqrt((seen @ seen) * (printed**2).sum(axis=1))
    if not lengths.min() > 0:
        return 0.0
    correlations = printed @ seen / lengths
    # A pattern that has a symmetry fits just as well then, except for rounding.
    return float(correlations[0]) if correlations[0] > correlations.max() - 1e-9 else 0.0


def _pairs(count: int) -> npt.NDArray[np.intp]:
    """Return the indices of cells that are compared: (P, 2)."""
    index = np.arange(count * count).reshape(count, count)
    pairs = [
        np.stack([lines[:, :-step].ravel(), lines[:, step:].ravel()], axis=1)
        for lines in (index, index.T)
        for step in _STEPS
    ]
    return np.concatenate(pairs)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Sub-pixel positions of saddle points, as on chessboards, in the full image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.pose.intrinsics import Floats

Bools = npt.NDArray[np.bool_]

# Half sides of the search windows in pixels; nearer neighbors take the next smaller one.
WINDOWS = (2, 3, 4, 5, 6, 8, 10, 13)
# Places on the unit circle, and what gives the first two harmonics of values there.
_ANGLES = np.arange(16) * (2 * np.pi / 16)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
_HARMONICS = np.exp(-1j * np.outer((1, 2), _ANGLES))
_STOP = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.01)


def refine(
    gray: npt.NDArray[np.uint8], points: Floats, *, spacing: Floats, reach: float
) -> tuple[Floats, Bools, Bools]:
    """
    Move points to the saddle points next to them.

    :param gray: uint8 (height, width).
    :param points: (N, 2), pixels, the center of the upper left one at (0.5, 0.5); may be outside.
    :param spacing: (N,), pixels from each point to the nearest other corner of the pattern.
    :param reach: half side of a window as a share of that: up to 0.4 it holds no other corner.
    :return: new positions (N, 2); whether a saddle point was found there, within the window, and
        darker and brighter crosswise; whether the image could tell, because the point is inside
        and its neighbors not too near.
    """
    moved, windows = points.copy(), _windows(spacing * reach)
    tried = (windows > 0) & _inside(points, gray.shape, windows + 2)
    for window in set(windows[tried].tolist()):
        rows = tried & (windows == window)
        start = np.ascontiguousarray(points[rows] - 0.5, np.float32).reshape(-1, 1, 2)
        found = cv2.cornerSubPix(gray, start, (window, window), (-1, -1), _STOP)
        moved[rows] = np.asarray(found, np.float64).reshape(-1, 2) + 0.5
    good = tried & (_lengths(moved - points) <= 0.9 * windows)
    good[good] = _is_saddle(gray, moved[good], radius=np.maximum(1.5, 0.8 * windows[good]))
    return np.where(good[:, None], moved, points), good, tried


def _windows(reach: Floats) -> npt.NDArray[np.intp]:
    """Return the greatest window within the reach of each point, 0 where none is: (N,)."""
    return np.array((0, *WINDOWS), np.intp)[np.searchsorted(WINDOWS, reach, side='right')]


def _inside(points: Floats, shape: Sequence[int], margin: npt.NDArray[np.intp]) -> Bools:
    height, width = shape[:2]
    x, y = points.T
    low = (x >= margin) & (y >= margin)
    return np.asarray(low & (x < width - margin) & (y < height - margin))


def _lengths(vectors: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum('ni,ni->n', vectors, vectors)), np.float64)


def _is_saddle(gray: npt.NDArray[np.uint8], points: Floats, *, radius: Floats) -> Bools:
    """
    Tell where the brightness on a circle has the two waves of a saddle point.

    The second harmonic of the brightness along the circle has to outweigh the first, which is
    that of an edge, and to stand out from nothing.
    """
    if not len(points):
        return np.zeros(0, np.bool_)
    places = (points[:, None] + radius[:, None, None] * _CIRCLE - 0.5).astype(np.float32)
    values = cv2.remap(
        gray, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    first, second = np.abs(_HARMONICS @ values.T.astype(np.complex128)) / 8
    return np.asarray((second > 1.2 * first) & (second > 3.0))

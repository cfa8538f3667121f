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

# Half sides of the search windows in pixels; nearer neighbours take the next smaller one.
WINDOWS = (2, 3, 4, 5, 6, 8, 10, 13)
_STOP = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.01)


def refine(
    grey: npt.NDArray[np.uint8], points: Floats, *, spacing: Floats, reach: float
) -> tuple[Floats, Bools, Bools]:
    """
    Move points to the saddle points next to them.

    :param grey: uint8 (height, width).
    :param points: (N, 2), pixels, the centre of the upper left one at (0.5, 0.5); may be outside.
    :param spacing: (N,), pixels from each point to the nearest other corner of the pattern.
    :param reach: half side of a window as a share of that: up to 0.4 it holds no other corner.
    :return: new positions (N, 2); whether a saddle point was found there, within the window, and
        darker and brighter crosswise; whether the image could tell, because the point lies inside
        and its neighbours not too near.
    """
    moved = points.copy()
    good, tried = np.zeros(len(points), bool), np.zeros(len(points), bool)
    windows = np.array([_window(space * reach) for space in spacing])
    for window in sorted(set(windows) - {0}):
        rows = np.flatnonzero((windows == window) & _inside(points, grey.shape, window + 2))
        if not len(rows):
            continue
        tried[rows] = True
        start = np.ascontiguousarray(points[rows] - 0.5, np.float32).reshape(-1, 1, 2)
        found = cv2.cornerSubPix(grey, start.copy(), (int(window),) * 2, (-1, -1), _STOP)
        moved[rows] = np.asarray(found, np.float64).reshape(-1, 2) + 0.5
        near = np.linalg.norm(moved[rows] - points[rows], axis=1) <= 0.9 * window
        good[rows] = near & _is_saddle(grey, moved[rows], radius=max(1.5, 0.8 * float(window)))
    return np.where(good[:, None], moved, points), good, tried


def _window(reach: float) -> int:
    fitting = [window for window in WINDOWS if window <= reach]
    return fitting[-1] if fitting else 0


def _inside(points: Floats, shape: Sequence[int], margin: int) -> Bools:
    height, width = shape[:2]
    low = (points >= margin).all(axis=1)
    return np.asarray(low & (points[:, 0] < width - margin) & (points[:, 1] < height - margin))


def _is_saddle(grey: npt.NDArray[np.uint8], points: Floats, *, radius: float) -> Bools:
    """
    Tell where the brightness on a circle has the two waves of a saddle point.

    The second harmonic of the brightness along the circle has to outweigh the first, which is
    that of an edge, and to stand out from nothing.
    """
    angles = np.arange(16) * (2 * np.pi / 16)
    ring = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    places = (points[:, None] + ring[None] - 0.5).astype(np.float32)
    values = cv2.remap(
        grey, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    waves = np.abs(np.fft.rfft(values.astype(np.float64), axis=1)) / 8
    return np.asarray((waves[:, 2] > 1.2 * waves[:, 1]) & (waves[:, 2] > 3.0))

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Define the landing pad: its pattern, and the keypoints that the network finds.

The pad is a chessboard of 6 x 6 cells of which two blocks are painted over, one black and one
white, so that it looks different in every rotation, and bold even where it is 48 pixels wide. The
center holds a finer chessboard of 4 x 4 cells for views from near, again with one corner painted.
All keypoints are saddle points, where two black and two white cells meet: there, and at no other
kind of corner, blur moves nothing, and the position is found to a fraction of a pixel.

Frame of the pad (REP-103): origin in the center, x forward (to the top of the drawing), y left,
z up, towards the viewer; meters.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

# Sides that a pad can have, meters. From one of 2 cm a camera cannot keep the distance that it
# needs to be sharp; one of 20 m is seen from 190 m.
SMALLEST, LARGEST = 0.02, 20.0
# '#' is black, '.' white, 'o' the place of the fine pattern.
COARSE = (
    '#.###.',
    '.###.#',
    '#.oo..',
    '.#oo..',
    '#.#.#.',
    '.#.#.#',
)
FINE = (
    '#...',
    '.#..',
    '#.#.',
    '.#.#',
)
COARSE_CELL = 1 / len(COARSE)
FINE_CELL = 2 * COARSE_CELL / len(FINE)
FINE_ORIGIN = 2 * COARSE_CELL


@dataclass(frozen=True, slots=True)
class PadKeypoint:
    """
    A saddle point of the pattern.

    :param name: column and row as on a chessboard, a1 at the lower left; ``fine_`` in the center.
    :param right: distance from the left edge of the drawing in sides of the pad.
    :param down: distance from the upper edge.
    """

    name: str
    right: float
    down: float


def pattern() -> tuple[str, ...]:
    """Return the drawing in cells of the fine pattern, row by row: '#' is black, '.' white."""
    rows = [''.join(2 * mark for mark in marks) for marks in COARSE for _ in range(2)]
    for row, marks in enumerate(FINE, start=round(FINE_ORIGIN / FINE_CELL)):
        rows[row] = rows[row].replace('o' * len(marks), marks)
    return tuple(rows)


def raster(pixels: int) -> npt.NDArray[np.uint8]:
    """
    Draw the pattern.

    :param pixels: side of the image.
    :return: uint8 (pixels, pixels), 0 black and 255 white; edges between pixels are mixed.
    """
    cells = np.array([[255 * (mark == '.') for mark in row] for row in pattern()], np.uint8)
    exact = len(cells) * max(1, -(-pixels // len(cells)))
    image = cv2.resize(cells, (exact, exact), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA), np.uint8)


def _keypoints(names: str, *, steps: int, size: float, origin: float) -> tuple[PadKeypoint, ...]:
    """Return points named as on a chessboard: column from the left, row from below."""
    prefix = 'fine_' if origin else ''
    return tuple(
        PadKeypoint(
            name=prefix + name,
            right=origin + ('abcde'.index(name[0]) + 1) * size,
            down=origin + (steps - int(name[1])) * size,
        )
        for name in names.split()
    )


KEYPOINTS = _keypoints(
    'a5 e5 a4 a3 a2 b2 d2 a1 b1 c1 d1 e1', steps=len(COARSE), size=COARSE_CELL, origin=0.0
) + _keypoints('a3 a2 b2 a1 b1 c1', steps=len(FINE), size=FINE_CELL, origin=FINE_ORIGIN)


def object_points(side: float = 1.0) -> npt.NDArray[np.float64]:
    """
    Return the keypoints in the frame of the pad.

    :param side: of the pad in meters.
    :return: float64 (K, 3), meters, z is 0.
    """
    rows = [(0.5 - point.down, 0.5 - point.right, 0.0) for point in KEYPOINTS]
    return np.array(rows, np.float64) * side


def outline(side: float = 1.0) -> npt.NDArray[np.float64]:
    """
    Return the corners in the frame of the pad, clockwise in the drawing from its upper left.

    :return: float64 (4, 3), meters.
    """
    half = side / 2
    return np.array([[half, half, 0], [half, -half, 0], [-half, -half, 0], [-half, half, 0]])

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Draw flat objects that look like a landing pad: checkerboards, fiducials, signs, windows."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.rendering.textures import Random

SIZE = 384


def checkerboard(random: Random) -> Picture:
    """Return a chessboard of 3 to 10 fields."""
    count = int(random.integers(3, 11))
    return _enlarged((np.indices((count, count)).sum(0) + random.integers(0, 2)) % 2)


def fiducial(random: Random) -> Picture:
    """Return a marker of random cells in a black frame, often on a white margin."""
    count = int(random.integers(4, 9))
    cells = np.zeros((count + 2, count + 2))
    cells[1:-1, 1:-1] = random.integers(0, 2, (count, count))
    return _enlarged(np.pad(cells, int(random.integers(0, 3)), constant_values=1))


def code(random: Random) -> Picture:
    """Return random cells with the three finder squares of a two-dimensional code."""
    count = 21
    cells = random.integers(0, 2, (count, count))
    finder = np.zeros((8, 8))
    finder[1:6, 1:6] = 1
    finder[2:5, 2:5] = 0
    finder[7, :] = finder[:, 7] = 1
    cells[:8, :8] = finder
    cells[:8, -8:] = finder[:, ::-1]
    cells[-8:, :8] = finder[::-1]
    return _enlarged(np.pad(cells, 2, constant_values=1))


def almost_pad(random: Random) -> Picture:
    """Return the pattern of the pad with a third of its cells turned over, or mirrored."""
    pattern = pad.raster(12) // 255
    if random.random() < 0.4:
        return _enlarged(pattern[:, ::-1])
    flips = (random.random((6, 6)) < random.uniform(0.3, 0.6)).astype(np.uint8)
    return _enlarged(pattern ^ np.kron(flips, np.ones((2, 2), np.uint8)))


def helipad(random: Random) -> Picture:
    """Return an H, usually inside a circle or a square."""
    image = np.full((SIZE, SIZE), _dark(random), np.uint8)
    bright, width = _bright(random), int(random.integers(18, 50))
    frame = random.integers(0, 3)
    if frame == 0:
        cv2.circle(image, (SIZE // 2, SIZE // 2), SIZE // 2 - width, bright, width // 2)
    elif frame == 1:
        cv2.rectangle(image, (width, width), (SIZE - width, SIZE - width), bright, width // 2)
    left, right, top, bottom = (round(SIZE * v) for v in (0.33, 0.67, 0.24, 0.76))
    cv2.line(image, (left, top), (left, bottom), bright, width)
    cv2.line(image, (right, top), (right, bottom), bright, width)
    cv2.line(image, (left, SIZE // 2), (right, SIZE // 2), bright, width)
    return _either(image, random)


def rings(random: Random) -> Picture:
    """Return concentric discs, sometimes with quadrants like a test target."""
    image = np.full((SIZE, SIZE), _dark(random), np.uint8)
    count, bright = int(random.integers(2, 6)), _bright(random)
    for index in range(count):
        radius = round(SIZE / 2 * (1 - index / count))
        cv2.circle(image, (SIZE // 2,) * 2, radius, bright if index % 2 == 0 else 20, -1)
    if random.random() < 0.4:
        half = SIZE // 2
        image[:half, :half] = 255 - image[:half, :half]
        image[half:, half:] = 255 - image[half:, half:]
    return _either(image, random)


def window(random: Random) -> Picture:
    """Return panes between bright or dark bars."""
    image = np.full((SIZE, SIZE), _bright(random), np.uint8)
    columns, rows = random.integers(1, 6, 2)
    bar = int(random.integers(6, 22))
    for row in range(rows):
        for column in range(columns):
            top, bottom = row * SIZE // rows + bar, (row + 1) * SIZE // rows - bar
            left, right = column * SIZE // columns + bar, (column + 1) * SIZE // columns - bar
            image[top:bottom, left:right] = _dark(random) + int(random.integers(0, 50))
    return _either(image, random)


def marking(random: Random) -> Picture:
    """Return stripes, an arrow, a cross or letters, as painted on roads."""
    image = np.full((SIZE, SIZE), _dark(random), np.uint8)
    bright, width = _bright(random), int(random.integers(20, 70))
    kind = random.integers(0, 4)
    if kind == 0:
        for left in range(0, SIZE, 2 * width):
            image[:, left : left + width] = bright
    elif kind == 1:
        cv2.arrowedLine(
            image, (SIZE // 2, SIZE - 30), (SIZE // 2, 30), bright, width, tipLength=0.4
        )
    elif kind == 2:
        cv2.line(image, (30, 30), (SIZE - 30, SIZE - 30), bright, width)
        cv2.line(image, (SIZE - 30, 30), (30, SIZE - 30), bright, width)
    else:
        letters = ''.join(random.choice(list('ABEFHKLMNPRSTXZ2345789'), 2))
        cv2.putText(image, letters, (20, 280), cv2.FONT_HERSHEY_SIMPLEX, 7, bright, 40)
    return _either(image, random)


def _enlarged(cells: np.ndarray) -> Picture:
    image = cells.astype(np.uint8) * 255
    return np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST), np.uint8)


def _dark(random: Random) -> int:
    return int(random.integers(5, 90))


def _bright(random: Random) -> int:
    return int(random.integers(150, 256))


def _either(image: Picture, random: Random) -> Picture:
    return 255 - image if random.random() < 0.3 else image


Kind = Callable[[Random], Picture]
KINDS: tuple[Kind, ...] = (
    checkerboard, fiducial, code, almost_pad, helipad, rings, window, marking,
)  # fmt: skip

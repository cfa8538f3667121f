# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Draw grounds: grass, asphalt, concrete, tiles, sand, foliage and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Random = np.random.Generator

SIZE = 1024


def _noise(random: Random, *, cells: float, size: int = SIZE) -> Floats:
    """Return smooth noise with about ``cells`` bumps along a side, mean 0, deviation 1."""
    nodes = max(2, min(size, round(cells)))
    coarse = random.standard_normal((nodes + 3, nodes + 3)).astype(np.float32)
    if nodes >= size:
        return coarse[:size, :size]
    fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine / max(float(fine.std()), 1e-3), np.float32)


def _octaves(random: Random, *, first: float, count: int, decay: float) -> Floats:
    """Return noise of several scales, each twice as fine as the one before, deviation 1."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(count):
        total += decay**octave * _noise(random, cells=first * 2**octave)
    return np.asarray(total / total.std(), np.float32)


def _colored(values: Floats, *, low: tuple[int, ...], high: tuple[int, ...]) -> Picture:
    """Map -2 .. 2 to colors between two BGR colors."""
    share = np.clip(values * 0.25 + 0.5, 0, 1)[..., None]
    color = np.asarray(low, np.float32) * (1 - share) + np.asarray(high, np.float32) * share
    return np.asarray(np.clip(color, 0, 255), np.uint8)


def _picture(values: npt.NDArray[Any]) -> Picture:
    return np.asarray(np.clip(values, 0, 255).astype(np.uint8))


def grass(random: Random) -> Picture:
    """Return short and long blades over patches."""
    blades = cv2.blur(_noise(random, cells=SIZE), (1, int(random.integers(3, 12))))
    values = 1.2 * _octaves(random, first=4, count=5, decay=0.7) + 3 * blades
    low = (20, 45 + int(random.integers(0, 30)), 20)
    return _colored(values, low=low, high=(70, 190, 120 + int(random.integers(0, 60))))


def asphalt(random: Random) -> Picture:
    """Return fine grain with stains and cracks."""
    values = _octaves(random, first=256, count=3, decay=0.9)
    values += 0.8 * _octaves(random, first=2, count=4, decay=0.6)
    level = int(random.integers(30, 90))
    image = _colored(values, low=(level - 25,) * 3, high=(level + 70,) * 3)
    for _ in range(int(random.integers(0, 6))):
        _crack(image, random, tone=int(random.integers(5, 40)))
    return image


def concrete(random: Random) -> Picture:
    """Return bright slabs with joints, stains and grain."""
    values = 1.2 * _octaves(random, first=3, count=6, decay=0.7)
    level = int(random.integers(110, 190))
    image = _colored(values, low=(level - 45,) * 3, high=(level + 45, level + 48, level + 52))
    pitch = int(random.integers(150, 600))
    for offset in range(int(random.integers(0, pitch)), SIZE, pitch):
        tone = (int(random.integers(40, 110)),) * 3
        cv2.line(image, (offset, 0), (offset, SIZE), tone, int(random.integers(2, 7)))
        cv2.line(image, (0, offset), (SIZE, offset), tone, int(random.integers(2, 7)))
    return image


def tiles(random: Random) -> Picture:
    """Return square tiles of one or two colors, like a floor or a chessboard."""
    count = int(random.integers(4, 24))
    first, second = random.integers(20, 236, (2, 3)).astype(np.float32)
    mix = (
        np.indices((count, count)).sum(0) % 2
        if random.random() < 0.6
        else random.random((count, count))
    )
    small = first + mix[..., None].astype(np.float32) * (second - first)
    small += random.normal(0, 8, (count, count, 1)).astype(np.float32)
    image = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
    image += 6 * _octaves(random, first=8, count=5, decay=0.8)[..., None]
    picture = _picture(image)
    for step in range(count + 1):
        at = step * SIZE // count
        joint = tuple(int(v) for v in random.integers(20, 200, 3))
        width = int(random.integers(1, 5))
        cv2.line(picture, (at, 0), (at, SIZE), joint, width)
        cv2.line(picture, (0, at), (SIZE, at), joint, width)
    return picture


def clouds(random: Random) -> Picture:
    """Return noise at random scales in random colors."""
    values = _octaves(
        random,
        first=2 ** random.uniform(1, 6),
        count=int(random.integers(3, 8)),
        decay=random.uniform(0.5, 1.1),
    )
    low, high = (tuple(int(v) for v in row) for row in random.integers(0, 256, (2, 3)))
    return _colored(values * random.uniform(0.5, 2), low=low, high=high)


def shapes(random: Random) -> Picture:
    """Return overlapping polygons, discs and bars of all sizes."""
    image = np.full((SIZE, SIZE, 3), random.integers(0, 256, 3), np.uint8)
    for _ in range(int(random.integers(30, 250))):
        color = tuple(int(v) for v in random.integers(0, 256, 3))
        center = random.integers(0, SIZE, 2)
        radius = int(2 ** random.uniform(3, 7.5))
        kind = random.integers(0, 3)
        if kind == 0:
            corners = center + random.integers(
                -radius, radius + 1, (int(random.integers(3, 7)), 2)
            )
            cv2.fillPoly(image, [corners.astype(np.int32)], color)
        elif kind == 1:
            cv2.circle(image, (int(center[0]), int(center[1])), radius, color, -1)
        else:
            box = (
                (float(center[0]), float(center[1])),
                (radius, radius / 3),
                random.uniform(0, 180),
            )
            cv2.fillPoly(image, [cv2.boxPoints(box).astype(np.int32)], color)
    grain = 5 * _octaves(random, first=16, count=5, decay=0.9)
    return _picture(image + grain[..., None])


def sand(random: Random) -> Picture:
    """Return ripples and grain."""
    wave = np.sin(
        np.linspace(0, random.uniform(60, 250), SIZE, dtype=np.float32)[:, None]
        + 2 * _octaves(random, first=3, count=3, decay=0.5)
    )
    values = 0.6 * wave + _octaves(random, first=128, count=4, decay=1.0) * 0.8
    return _colored(values, low=(70, 110, 140), high=(170, 215, 240))


def foliage(random: Random) -> Picture:
    """Return leaves over leaves."""
    image = np.full((SIZE, SIZE, 3), (15, 30, 20), np.uint8)
    for _ in range(1200):
        tone = random.uniform(0.3, 1.0)
        color = (
            int(40 * tone),
            int(random.uniform(110, 220) * tone),
            int(random.uniform(40, 190) * tone),
        )
        center = tuple(int(v) for v in random.integers(0, SIZE, 2))
        axes = (int(random.integers(8, 48)), int(random.integers(4, 18)))
        cv2.ellipse(image, center, axes, random.uniform(0, 180), 0, 360, color, -1)
    return image


def bricks(random: Random) -> Picture:
    """Return rows of pavers, shifted by half a stone."""
    image = np.full((SIZE, SIZE, 3), random.integers(90, 190), np.uint8)
    height = int(random.integers(24, 90))
    width = int(height * random.uniform(1.5, 2.6))
    base = random.integers((30, 40, 90), (110, 120, 210))
    for row in range(SIZE // height + 1):
        for left in range(-(row % 2) * width // 2, SIZE, width):
            color = tuple(int(v) for v in np.clip(base + random.normal(0, 14), 0, 255))
            top = row * height
            cv2.rectangle(
                image, (left + 2, top + 2), (left + width - 2, top + height - 2), color, -1
            )
    grain = 7 * _octaves(random, first=32, count=5, decay=0.9)
    return _picture(image + grain[..., None])


def planks(random: Random) -> Picture:
    """Return boards with grain along them, like a deck or pallets."""
    grain = cv2.resize(
        random.standard_normal((SIZE, 12)).astype(np.float32),
        (SIZE, SIZE),
        interpolation=cv2.INTER_CUBIC,
    )
    image = _colored(grain + _noise(random, cells=6), low=(40, 60, 80), high=(120, 165, 205))
    pitch = int(random.integers(50, 160))
    for top in range(0, SIZE, pitch):
        image[top : top + pitch] = np.clip(
            image[top : top + pitch] * random.uniform(0.75, 1.2), 0, 255
        ).astype(np.uint8)
        cv2.line(image, (0, top), (SIZE, top), (15, 20, 25), int(random.integers(2, 9)))
    return image


def _crack(image: Picture, random: Random, *, tone: int) -> None:
    steps = np.cumsum(random.normal(0, 25, (40, 2)), axis=0) + random.integers(0, SIZE, 2)
    cv2.polylines(image, [steps.astype(np.int32)], False, (tone,) * 3, int(random.integers(1, 4)))


Family = Callable[[Random], Picture]
TRAINING_FAMILIES: tuple[Family, ...] = (grass, asphalt, concrete, tiles, clouds, shapes)
# Never seen in training.
HELD_OUT_FAMILIES: tuple[Family, ...] = (sand, foliage, bricks, planks)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Draw the grounds of the worlds for Gazebo.

Drawn by other procedures than those of ``textures``, from which the landing pad's network learns,
so that the worlds stay something that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.rendering.textures import Random

# Texels; the image covers 4 m and is repeated in mirror image.
SIZE = 1024


def grass(random: Random) -> Picture:
    """Return blades drawn one by one over soil, with bare and yellow spots."""
    image = _soil(random, (38, 62, 70))
    patches = cv2.resize(random.random((9, 9)).astype(np.float32), (SIZE, SIZE))
    for _ in range(42000):
        x, y = (int(v) for v in random.integers(0, SIZE, 2))
        dry = float(patches[y, x])
        tone = random.uniform(0.55, 1.15)
        color = (30 * tone, (125 - 15 * dry) * tone, (55 + 85 * dry * dry) * tone)
        length, angle = random.uniform(6, 20), random.uniform(0, 2 * np.pi)
        end = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        cv2.line(image, (x, y), end, color, 1, cv2.LINE_AA)
    return image


def asphalt(random: Random) -> Picture:
    """Return pressed stones in bitumen, with a repaired strip and oil stains."""
    image = np.full((SIZE, SIZE, 3), 52, np.uint8)
    for _ in range(26000):
        level = int(np.clip(random.normal(88, 24), 30, 170))
        center = tuple(int(v) for v in random.integers(0, SIZE, 2))
        warm = int(random.integers(0, 7))
        cv2.circle(image, center, int(random.integers(1, 4)), (level - warm, level, level), -1)
    strip = image[:, 300:420]
    strip[:] = cv2.convertScaleAbs(strip, alpha=0.62)
    for _ in range(6):
        layer = image.copy()
        center = tuple(int(v) for v in random.integers(0, SIZE, 2))
        axes = tuple(int(v) for v in random.integers(20, 80, 2))
        cv2.ellipse(layer, center, axes, random.uniform(0, 180), 0, 360, (34, 32, 32), -1)
        image = np.asarray(cv2.addWeighted(image, 0.55, layer, 0.45, 0), np.uint8)
    return image


def roof(random: Random) -> Picture:
    """Return sheets of roofing felt with seams, puddle marks and gravel along the edges."""
    image = _soil(random, (118, 122, 126))
    for top in range(0, SIZE, 256):
        sheet = image[top : top + 256]
        sheet[:] = cv2.convertScaleAbs(sheet, alpha=random.uniform(0.85, 1.1))
        cv2.line(image, (0, top), (SIZE, top), (66, 66, 70), 6)
        cv2.line(image, (0, top + 7), (SIZE, top + 7), (150, 152, 156), 2)
        for _ in range(260):
            at = (int(random.integers(0, SIZE)), top + int(random.normal(0, 14)))
            level = int(random.integers(70, 205))
            cv2.circle(image, at, int(random.integers(1, 4)), (level, level, level), -1)
    for _ in range(5):
        center = tuple(int(v) for v in random.integers(0, SIZE, 2))
        axes = tuple(int(v) for v in random.integers(40, 150, 2))
        cv2.ellipse(image, center, axes, random.uniform(0, 180), 0, 360, (138, 146, 150), 3)
    return image


def _soil(random: Random, color: tuple[int, int, int]) -> Picture:
    """Return a color with grain."""
    grain = random.normal(0, 10, (SIZE, SIZE, 1)) + np.asarray(color, np.float64)
    return np.asarray(np.clip(cv2.GaussianBlur(grain + np.zeros(3), (3, 3), 0), 0, 255), np.uint8)


GROUNDS: dict[str, Callable[[Random], Picture]] = {
    'grass': grass,
    'asphalt': asphalt,
    'roof': roof,
}

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Apply shadows, occluders, lens and sensor to a rendered image."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.simulation.rendering.pinhole import FloatMap
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.rendering.textures import Random

Points = npt.NDArray[np.int32]

# Fixed-point bits of coordinates in cv2's drawing functions.
_SHIFT = 4


@dataclass(frozen=True)
class Shadow:
    """
    A shadow with a soft edge.

    :param polygon: int32 (N, 2), pixels.
    :param factor: light that is left, for B, G, R.
    :param softness: standard deviation of the edge in pixels.
    """

    polygon: Points
    factor: tuple[float, float, float]
    softness: float


@dataclass(frozen=True)
class Occluder:
    """
    Something between camera and ground.

    :param polygon: int32 (N, 2), pixels.
    :param color: BGR.
    """

    polygon: Points
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Effects:
    """
    Everything that is done to one image; the defaults do nothing.

    :param gradient: change of brightness over the image along x and along y, as a share.
    :param glare: x, y, radius in pixels, and gray levels added; radius 0 for none.
    :param vignetting: share of light lost in the corners.
    :param defocus: standard deviation in pixels.
    :param motion: x and y in pixels by which the image moves during the exposure.
    :param noise: standard deviation in gray levels.
    :param jpeg: quality 1 to 100; 0 leaves the image uncompressed.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: float = 0.0
    gradient: tuple[float, float] = (0.0, 0.0)
    glare: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    shadows: tuple[Shadow, ...] = field(default=())
    occluders: tuple[Occluder, ...] = field(default=())
    vignetting: float = 0.0
    defocus: float = 0.0
    motion: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    jpeg: int = 0


def hidden(effects: Effects, *, width: int, height: int) -> FloatMap:
    """Return the share of each pixel that occluders cover: float32 (height, width), 0 to 1."""
    mask = np.zeros((height, width), np.uint8)
    for occluder in effects.occluders:
        cv2.fillPoly(mask, [occluder.polygon], 255, cv2.LINE_AA)
    return np.asarray(mask.astype(np.float32) / 255, np.float32)


def expose(image: FloatMap, effects: Effects, random: Random) -> Picture:
    """
    Convert the light of a scene to an image.

    :param image: float32 (height, width, 3), BGR, gray levels; written into.
    :param random: draws the noise.
    :return: a new uint8 array of the same shape.
    """
    _shade(image, effects)
    for occluder in effects.occluders:
        _paint(image, occluder)
    image *= _lens(image.shape[1], image.shape[0], effects)[..., None]
    image = _blur(image, effects)
    image *= np.asarray(effects.gain, np.float32)
    image += effects.offset
    if effects.noise > 0:
        noise = np.empty(image.shape, np.float32)
        cv2.setRNGSeed(int(random.integers(0, 2**31 - 1)))
        cv2.randn(noise, np.zeros(3), np.full(3, effects.noise))
        image += noise
    picture = np.asarray(np.clip(image + 0.5, 0, 255), np.uint8)
    if effects.jpeg:
        _, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, effects.jpeg])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return picture


def _shade(image: FloatMap, effects: Effects) -> None:
    for shadow in effects.shadows:
        mask: npt.NDArray[Any] = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [shadow.polygon], 255, cv2.LINE_AA)
        if shadow.softness > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), shadow.softness)
        share = mask.astype(np.float32)[..., None] / 255
        image *= 1 - share * (1 - np.asarray(shadow.factor, np.float32))


def _paint(image: FloatMap, occluder: Occluder) -> None:
    left, top, width, height = cv2.boundingRect(occluder.polygon)
    left, right = max(left - 1, 0), min(left + width + 1, image.shape[1])
    top, bottom = max(top - 1, 0), min(top + height + 1, image.shape[0])
    if left >= right or top >= bottom:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [occluder.polygon - (left, top)], 255, cv2.LINE_AA)
    share = mask.astype(np.float32)[..., None] / 255
    part = image[top:bottom, left:right]
    part += share * (np.asarray(occluder.color, np.float32) - part)


def _lens(width: int, height: int, effects: Effects) -> FloatMap:
    """Return the factor for each pixel of gradient, glare and vignetting."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    factor = 1 + effects.gradient[0] / 2 * x + effects.gradient[1] / 2 * y
    factor *= 1 - effects.vignetting * (x * x + y * y) / 2
    glare_x, glare_y, radius, strength = effects.glare
    if radius > 0:
        columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        across = np.exp(-(((columns - glare_x) / radius) ** 2))
        down = np.exp(-(((rows - glare_y) / radius) ** 2))
        factor += strength * down[:, None] * across[None]
    return np.asarray(factor, np.float32)


def _blur(image: npt.NDArray[Any], effects: Effects) -> FloatMap:
    if effects.defocus > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), effects.defocus)
    length = math.hypot(*effects.motion)
    if length > 0.5:
        size = 2 * math.ceil(length / 2) + 3
        kernel = np.zeros((size, size), np.uint8)
        center, half = size // 2, np.array(effects.motion) / 2
        ends = np.round((center + np.array([-half, half])) * 2**_SHIFT).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 255, 1, cv2.LINE_AA, _SHIFT)
        weights = (kernel + kernel[::-1, ::-1].astype(np.float32)) / 2
        image = cv2.filter2D(image, -1, weights / weights.sum())
    return np.asarray(image, np.float32)

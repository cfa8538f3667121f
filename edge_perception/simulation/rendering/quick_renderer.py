# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Render the landing pad fast enough for a camera of 30 Hz on a busy machine.

``rendering`` cuts every ray of every pixel with the ground and knows lenses. Here the lens is
ideal, so that a plane comes into the image by one homography: the ground with all that lies on
it is drawn beforehand in several resolutions, and each image is one warp of the best of them.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.rendering import distractors
from edge_perception.simulation.rendering.pinhole import Floats
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.textures import HELD_OUT_FAMILIES
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.views import View

# Texels along the side of the pad in each resolution; at a distance of 9 m the pad of 1 m is
# about as many pixels wide as the last one says.
RESOLUTIONS = (768, 384, 192, 96, 48)
# Texels along the side of a map.
SIZE = 2048
# Sides of the pad that one tile of the ground covers; the tiles lie in mirror image.
TILE = 4
# Distractors beside the pad: what, center in sides of the pad (x forward, y left), its side.
BESIDE = (
    (distractors.helipad, (2.3, -1.7), 1.4),
    (distractors.checkerboard, (-2.0, 1.6), 1.0),
    (distractors.marking, (1.6, 2.6), 1.2),
)
# Gray levels of print and paper outdoors.
BLACK, WHITE = 24, 232
# Of the sensor: standard deviation of the noise in gray levels, of the defocus in pixels, share
# of light lost in the corners.
NOISE, DEFOCUS, VIGNETTING = 3.0, 0.6, 0.3


@dataclass(frozen=True)
class _Map:
    """The ground around the pad from above; x goes up in the image, y to the left."""

    picture: Picture
    texels_per_meter: float

    @property
    def from_ground(self) -> Floats:
        """Return the homography from (x, y, 1) in meters to texels, centers at integers."""
        scale, middle = self.texels_per_meter, SIZE / 2 - 0.5
        return np.array([[0, -scale, middle], [-scale, 0, middle], [0, 0, 1]])


class QuickRenderer:
    """
    Draws a pad on the ground with things beside it. Called from one thread.

    :param camera: without distortion.
    :param side: of the pad in meters.
    :param seed: decides ground, things and noise.
    :raises ValueError: the camera has distortion.
    """

    def __init__(self, camera: PinholeCamera, *, side: float = 1.0, seed: int = 0) -> None:
        if any(camera.distortion):
            raise ValueError(f'camera: got distortion {camera.distortion}, expected none')
        self._camera = camera
        self._random = np.random.default_rng(seed)
        family = HELD_OUT_FAMILIES[int(self._random.integers(len(HELD_OUT_FAMILIES)))]
        tile = family(self._random)
        beside = [(draw(self._random), center, size) for draw, center, size in BESIDE]
        self._maps = [
            _Map(_draw_map(tile, beside, texels), texels / side) for texels in RESOLUTIONS
        ]
        self._noise = _draw_noise(self._random, camera)
        self._light = _draw_vignette(camera)

    def __call__(self, view: View) -> Picture:
        """
        Draw what a camera sees.

        :param view: from the front of the pad, by the camera of this renderer.
        :return: a new array, uint8 (height, width, 3), BGR.
        """
        chosen = self._map(view)
        ground_to_picture = view.camera.matrix @ np.column_stack(
            [view.rotation[:, :2], view.position]
        )
        homography = ground_to_picture @ np.linalg.inv(chosen.from_ground)
        size = (self._camera.width, self._camera.height)
        image = cv2.warpPerspective(
            chosen.picture, homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        cv2.GaussianBlur(image, (3, 3), DEFOCUS, dst=image)
        cv2.multiply(image, self._light, dst=image, scale=1 / 255)
        # 128 stands for no noise.
        cv2.addWeighted(image, 1.0, self._take_noise(), 1.0, -128.0, dst=image)
        return np.asarray(image, np.uint8)

    def _map(self, view: View) -> _Map:
        """Return the map whose texels are closest in size to the pixels at the pad."""
        wanted = view.camera.focal / float(view.position[2])
        return min(self._maps, key=lambda each: abs(math.log(each.texels_per_meter / wanted)))

    def _take_noise(self) -> Picture:
        rows, columns = self._noise.shape[:2]
        top = int(self._random.integers(rows - self._camera.height + 1))
        left = int(self._random.integers(columns - self._camera.width + 1))
        return self._noise[top : top + self._camera.height, left : left + self._camera.width]


def _draw_map(
    tile: Picture, beside: list[tuple[Picture, tuple[float, float], float]], texels: int
) -> Picture:
    """Return ground, distractors and the pad, with ``texels`` along the side of the pad."""
    side = 2 * round(TILE * texels / 2)
    ground = tile if side == tile.shape[0] else _resized(tile, side)
    surplus = max(side - SIZE, 0) // 2
    ground = ground[surplus : side - surplus, surplus : side - surplus]
    missing = SIZE - ground.shape[0]
    before, after = missing // 2, missing - missing // 2
    edges = (before, after, before, after)
    ground = np.asarray(cv2.copyMakeBorder(ground, *edges, cv2.BORDER_REFLECT), np.uint8)
    for picture, center, size in beside:
        _lay(ground, picture, center=center, texels=texels, size=size)
    # The drawing is repeated texel by texel where it is exact, and averaged where it is not.
    _lay(ground, pad.raster(texels), center=(0.0, 0.0), texels=texels, size=1.0)
    return ground


def _lay(
    ground: Picture, picture: Picture, *, center: tuple[float, float], texels: int, size: float
) -> None:
    """Draw a gray square onto the ground, as far as it lies on it."""
    count = round(size * texels)
    left = round(SIZE / 2 - center[1] * texels - count / 2)
    top = round(SIZE / 2 - center[0] * texels - count / 2)
    rows = slice(max(top, 0), min(top + count, SIZE))
    columns = slice(max(left, 0), min(left + count, SIZE))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    gray = picture if picture.shape[0] == count else _resized(picture, count)
    part = gray[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    printed = BLACK + part.astype(np.float32) * ((WHITE - BLACK) / 255)
    ground[rows, columns] = printed.round().astype(np.uint8)[..., None]


def _resized(picture: Picture, side: int) -> Picture:
    shrinking = side < picture.shape[0]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (side, side), interpolation=method), np.uint8)


def _draw_noise(random: np.random.Generator, camera: PinholeCamera) -> Picture:
    """Return noise around 128, larger than an image so that each can take another part."""
    shape = (camera.height + 64, camera.width + 64, 3)
    noise = random.normal(128, NOISE, shape)
    return np.clip(noise.round(), 0, 255).astype(np.uint8)


def _draw_vignette(camera: PinholeCamera) -> Picture:
    """Return the light that is left at each pixel; 255 stands for all of it."""
    x = np.linspace(-1, 1, camera.width)[None]
    y = np.linspace(-1, 1, camera.height)[:, None]
    left = 1 - VIGNETTING * (x * x + y * y) / 2
    return np.repeat((left * 255).round().astype(np.uint8)[..., None], 3, axis=-1)

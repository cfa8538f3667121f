# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Render flat images on a flat ground, seen by a camera with lens distortion.

For every pixel the ray of the camera is cut with the ground; what lies there is read from a
image whose resolution was reduced beforehand to that of the camera (mipmap), so that far views
do not alias. Patches are rendered with several rays for each pixel and averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
import math

import cv2
import numpy as np

from edge_perception.simulation.rendering.pinhole import FloatMap
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.views import View

# Beyond this many meters there is nothing to see; keeps rays near the horizon finite.
_FAR = 1e3


class Texture:
    """An image in several resolutions, each half of the one before."""

    def __init__(self, image: Picture) -> None:
        """
        Take an image.

        :param image: uint8, (height, width) or (height, width, 3); not copied.
        """
        self._levels = [image]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in texels."""
        height, width = self._levels[0].shape[:2]
        return height, width

    def level(self, texels_per_sample: float) -> tuple[Picture, float]:
        """
        Return the image whose texels are about as far apart as the samples, never farther.

        :return: the image, and its texels for one texel of the full image.
        """
        wanted = max(0, math.floor(math.log2(max(texels_per_sample, 1e-6))))
        while len(self._levels) <= wanted and min(self._levels[-1].shape[:2]) >= 24:
            last = self._levels[-1]
            size = (last.shape[1] // 2, last.shape[0] // 2)
            half = cv2.resize(last, size, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(half, np.uint8))
        index = min(wanted, len(self._levels) - 1)
        return self._levels[index], 0.5**index


@dataclass(frozen=True)
class Ground:
    """
    An endless ground: a texture, repeated in mirror image.

    :param texel: meters.
    :param offset: meters by which it is moved under the pad.
    """

    texture: Texture
    texel: float = 0.004
    offset: tuple[float, float] = (0.0, 0.0)
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Patch:
    """
    A square image that lies on the ground.

    :param texture: gray.
    :param center: x and y in meters in the frame of the pad.
    :param angle: radians by which it is turned on the ground.
    :param dark: BGR color of black.
    :param bright: BGR color of white.
    """

    texture: Texture
    side: float = 1.0
    center: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    dark: tuple[float, float, float] = (20.0, 20.0, 20.0)
    bright: tuple[float, float, float] = (235.0, 235.0, 235.0)


class Renderer:
    """
    Draws grounds and patches for one camera; keeps the rays of its pixels.

    :param supersampling: rays for each pixel in x and in y, for patches.
    """

    def __init__(self, camera: PinholeCamera, *, supersampling: int = 2) -> None:
        self.camera = camera
        self.supersampling = supersampling

    @cached_property
    def _rays(self) -> FloatMap:
        return self.camera.rays()

    @cached_property
    def _fine_rays(self) -> FloatMap:
        return self.camera.rays(supersampling=self.supersampling)

    def ground(self, ground: Ground, view: View) -> FloatMap:
        """Return the image of the ground: a new float32 array (height, width, 3)."""
        x, y = _cut(self._rays, view)
        footprint = view.distance / self.camera.focal / ground.texel
        picture, scale = ground.texture.level(footprint)
        columns = (ground.offset[1] - y) * (scale / ground.texel)
        rows = (ground.offset[0] - x) * (scale / ground.texel)
        image = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return image.astype(np.float32) * np.asarray(ground.gain, np.float32)

    def patch(self, patch: Patch, view: View, image: FloatMap) -> FloatMap:
        """
        Draw a patch.

        :param image: float32 (height, width, 3), drawn into.
        :return: float32 (height, width), share of each pixel that the patch covers.
        """
        cover = np.zeros(image.shape[:2], np.float32)
        window = self._window(patch, view)
        if window is None:
            return cover
        rows, columns = window
        fine, mask = self._samples(patch, view, rows, columns)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        bright = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)[..., None]
        dark_color = np.asarray(patch.dark, np.float32)
        span = (np.asarray(patch.bright, np.float32) - dark_color) / 255
        part = image[rows, columns]
        part *= 1 - share[..., None]
        part += share[..., None] * dark_color + bright * span
        cover[rows, columns] = share
        return cover

    def _samples(
        self, patch: Patch, view: View, rows: slice, columns: slice
    ) -> tuple[FloatMap, FloatMap]:
        """Return gray values (0 outside) and membership of the fine samples of a window."""
        step = self.supersampling
        rays = self._fine_rays[
            rows.start * step : rows.stop * step, columns.start * step : columns.stop * step
        ]
        x, y = _cut(rays, view)
        cosine, sine = math.cos(patch.angle), math.sin(patch.angle)
        x, y = x - np.float32(patch.center[0]), y - np.float32(patch.center[1])
        forward = (x * np.float32(cosine) + y * np.float32(sine)) / np.float32(patch.side)
        left = (y * np.float32(cosine) - x * np.float32(sine)) / np.float32(patch.side)
        mask = ((np.abs(forward) <= 0.5) & (np.abs(left) <= 0.5)).astype(np.float32)
        texels = patch.texture.shape[0]
        footprint = view.distance / self.camera.focal / step / patch.side * texels
        picture, scale = patch.texture.level(footprint)
        u = (np.float32(0.5) - left) * np.float32(texels * scale) - np.float32(0.5)
        v = (np.float32(0.5) - forward) * np.float32(texels * scale) - np.float32(0.5)
        gray = cv2.remap(picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return gray.astype(np.float32) * mask, mask

    def _window(self, patch: Patch, view: View) -> tuple[slice, slice] | None:
        """Return the rows and columns of the image in which the patch may be seen."""
        edge = np.linspace(-0.5, 0.5, 9)
        near, far = np.full(9, -0.5), np.full(9, 0.5)
        square = np.concatenate(
            [np.stack(pair, -1) for pair in ((edge, near), (edge, far), (near, edge), (far, edge))]
        )
        cosine, sine = math.cos(patch.angle), math.sin(patch.angle)
        turned = square @ np.array([[cosine, sine], [-sine, cosine]]) * patch.side + patch.center
        points = np.concatenate([turned, np.zeros((len(turned), 1))], axis=1)
        depth = (points @ view.rotation.T + view.position)[:, 2]
        if depth.min() < 0.05:
            return slice(0, self.camera.height), slice(0, self.camera.width)
        pixels = view.project(points)
        left, top = np.floor(pixels.min(axis=0)).astype(int) - 2
        right, bottom = np.ceil(pixels.max(axis=0)).astype(int) + 2
        # Far outside of the image the lens model folds back; look everywhere then.
        rows = slice(max(int(top), 0), min(int(bottom), self.camera.height))
        columns = slice(max(int(left), 0), min(int(right), self.camera.width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return rows, columns


def _cut(rays: FloatMap, view: View) -> tuple[FloatMap, FloatMap]:
    """
    Cut rays with the ground.

    :return: x and y on the ground in meters, float32.
    """
    plane = np.column_stack([view.rotation[:, :2], view.position])
    back = np.linalg.inv(plane).astype(np.float32)
    a, b = rays[..., 0], rays[..., 1]
    depth = back[2, 0] * a + back[2, 1] * b + back[2, 2]
    # Rays that miss the ground are sent far away.
    np.maximum(depth, np.float32(1 / _FAR), out=depth)
    x = (back[0, 0] * a + back[0, 1] * b + back[0, 2]) / depth
    y = (back[1, 0] * a + back[1, 1] * b + back[1, 2]) / depth
    return x, y

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From boxes of an image to boxes of its depth image, and with a distance to boxes in space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_perception.contract import Boxes3D
from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import FrameTransform
from edge_perception.depth.depth_options import DepthOptions
from edge_perception.depth.depth_options import Floats
from edge_perception.depth.surfaces import Bools
from edge_perception.depth.surfaces import Surfaces
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.solver import quaternion

# Error of the edge of a box: pixels, and a share of its side.
_EDGE_PIXELS, _EDGE_SHARE = 1.0, 0.02
# A box within so many pixels of the edge of the image is cut off there.
_CUT_PIXELS = 1.0
# Variance of a rotation that is not known, rad2.
_UNKNOWN = 1e3


class Lifter:
    """
    The camera of images and depth images of one size each.

    :param size: width and height of the depth image.
    :param rectified: the depth image has no lens distortion, as images that are rectified.
    :raises IntrinsicsError: the camera is not calibrated, or not for frames of this size.
    """

    def __init__(
        self, calibration: Calibration, frame: Frame, *, size: tuple[int, int], rectified: bool
    ) -> None:
        self._camera = Intrinsics.of(calibration, frame)
        self._scale = np.array([size[0] / frame.width, size[1] / frame.height] * 2)
        self._size = np.array([*size] * 2)
        self.same_lens = calibration.rectified or not rectified
        if not self.same_lens:
            straight = Intrinsics.of(replace(calibration, rectified=True), frame)
            self._straight = straight.fitted(*size)

    def place(self, xyxy: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Bools]:
        """
        Return where the part of boxes (N, 4) is that the image shows.

        :return: pixels of the depth image (N, 4), without area where there is no ray; their edges
            at z = 1, each by its middle (N, 4); whether they are cut off in x and in y (N, 2).
        """
        ends = self._size / self._scale
        boxes = np.clip(np.nan_to_num(xyxy.astype(np.float64)), 0, ends)
        cut = (boxes[:, :2] < _CUT_PIXELS) | (boxes[:, 2:] > ends[2:] - _CUT_PIXELS)
        if not len(boxes):
            return boxes, boxes, cut  # OpenCV takes no empty array
        left, upper, right, lower = boxes.T
        x, y = (left + right) / 2, (upper + lower) / 2
        middles = np.stack([left, y, x, upper, right, y, x, lower], axis=1)
        rays = self._camera.rays(middles.reshape(-1, 2)).reshape(-1, 8)[:, [0, 3, 4, 7]]
        pixels = boxes * self._scale
        if not self.same_lens:
            corners = np.insert(rays.reshape(-1, 2), 2, 1, axis=1)
            pixels = self._straight.pixels(corners).reshape(-1, 4)
        pixels[~np.isfinite(rays).all(axis=1)] = 0
        return np.asarray(np.clip(pixels, 0, self._size)), rays, cut

    def lift(
        self,
        rays: Floats,
        cut: Bools,
        surfaces: Surfaces,
        *,
        options: DepthOptions,
        target: FrameTransform | None,
    ) -> Boxes3D:
        """
        Return boxes whose front is the front of the surfaces, of those that have one.

        The center is behind the front by half of what is seen or assumed of the object.

        :param target: to the frame that the options ask for; None: none.
        """
        known = np.flatnonzero(np.isfinite(surfaces.front))
        rays, cut, front = rays[known], cut[known], surfaces.front[known]
        thick = np.maximum(surfaces.back[known] - front, options.assumed_extent)
        middle, side = (rays[:, :2] + rays[:, 2:]) / 2, rays[:, 2:] - rays[:, :2]
        center = np.column_stack([middle * front[:, None], front + thick / 2]) - self._camera.shift
        edge = _EDGE_PIXELS / np.diag(self._camera.matrix)[:2] + (_EDGE_SHARE + cut) * side
        direction = np.column_stack([middle, np.ones(len(front))])
        # The middle of an object is anywhere within what is assumed of it.
        own = np.column_stack([(edge * front[:, None]) ** 2, thick**2 / 12])
        along = surfaces.sigma[known, None, None] ** 2
        place = along * direction[:, :, None] * direction[:, None, :]
        place = place + own[:, :, None] * np.eye(3)
        rotation, translation = np.eye(3), np.zeros(3)
        if target is not None:
            rotation, translation = target.rotation, target.translation
            place = rotation @ place @ rotation.T
        covariance = np.tile(_UNKNOWN * np.eye(6), (len(front), 1, 1))
        covariance[:, :3, :3] = (place + place.transpose(0, 2, 1)) / 2
        return Boxes3D(
            center=center @ rotation.T + translation,
            size=np.column_stack([side * front[:, None], thick]),
            orientation=np.tile(quaternion(rotation), (len(front), 1)),
            covariance=covariance,
            instance=known.astype(np.int32),
            frame_id=options.target_frame,
        )

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Model the rendered camera: a pinhole with the distortion model plumb_bob.

Two conventions of pixels meet here. The intrinsics have OpenCV's and ROS's: the center of the
upper left pixel is (0, 0). Everything that this package calls "pixels" elsewhere has it at
(0.5, 0.5), as ``contract.ImageTransform`` says.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import Calibration

Floats = npt.NDArray[np.float64]
FloatMap = npt.NDArray[np.float32]

# The field of rays is smooth: computed at every eighth pixel and interpolated in between.
_RAY_STEP = 8


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """
    Intrinsics of the rendered camera.

    :param focal: focal length in pixels, equal in x and y.
    :param distortion: plumb_bob: k1, k2, p1, p2, k3.
    """

    width: int = 640
    height: int = 480
    focal: float = 457.0
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def from_field_of_view(
        cls,
        degrees: float,
        *,
        width: int = 640,
        height: int = 480,
        distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0),
    ) -> PinholeCamera:
        """
        Return a camera with this horizontal field of view.

        :param degrees: of the undistorted image.
        """
        focal = width / 2 / math.tan(math.radians(degrees) / 2)
        return cls(width=width, height=height, focal=focal, distortion=distortion)

    @property
    def matrix(self) -> Floats:
        """Return K, 3 x 3, with pixel centers at integers."""
        x, y = (self.width - 1) / 2, (self.height - 1) / 2
        return np.array([[self.focal, 0, x], [0, self.focal, y], [0, 0, 1]], np.float64)

    @property
    def calibration(self) -> Calibration:
        """Return what its CameraInfo says."""
        k = tuple(self.matrix.ravel().tolist())
        return Calibration(self.width, self.height, k, self.distortion)

    def project(self, points: Floats, *, rotation: Floats, position: Floats) -> Floats:
        """
        Project points of an object.

        :param points: (N, 3), meters, in the frame of the object.
        :param rotation: (3, 3), object to optical frame.
        :param position: (3,), origin of the object in the optical frame.
        :return: (N, 2), pixels, the center of the upper left one at (0.5, 0.5).
        """
        vector, _ = cv2.Rodrigues(rotation)
        pixels, _ = cv2.projectPoints(
            points, vector, position, self.matrix, np.array(self.distortion)
        )
        return np.asarray(pixels, np.float64).reshape(-1, 2) + 0.5

    def rays(self, *, supersampling: int = 1) -> FloatMap:
        """
        Return where each pixel looks.

        :param supersampling: rays for each pixel in x and in y.
        :return: float32 (height * s, width * s, 2): x and y at z = 1 in the optical frame.
        """
        columns = np.arange(-_RAY_STEP, self.width + 2 * _RAY_STEP, _RAY_STEP).astype(np.float64)
        rows = np.arange(-_RAY_STEP, self.height + 2 * _RAY_STEP, _RAY_STEP).astype(np.float64)
        grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 1, 2)
        flat = cv2.undistortPoints(grid, self.matrix, np.array(self.distortion))
        coarse = flat.reshape(len(rows), len(columns), 2).astype(np.float32)
        # Pixel (u, v) lies at node (u + step) / step of the coarse grid.
        u = _sample_positions(self.width, supersampling)
        v = _sample_positions(self.height, supersampling)
        return np.asarray(
            cv2.remap(coarse, *np.meshgrid(u, v), interpolation=cv2.INTER_LINEAR), np.float32
        )


def _sample_positions(size: int, supersampling: int) -> FloatMap:
    pixels = (np.arange(size * supersampling) + 0.5) / supersampling - 0.5
    return ((pixels + _RAY_STEP) / _RAY_STEP).astype(np.float32)

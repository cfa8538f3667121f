# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of objects in space: poses, and boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ObjectPose:
    """
    Position and orientation of one object in the optical frame of the camera (REP-103).

    :param position: float64 (3,), meters; x right, y down, z forward.
    :param orientation: float64 (4,), unit quaternion x, y, z, w.
    :param covariance: float64 (6, 6), order x, y, z, rotation about x, y, z; meters and radians;
        never zeros, because zeros read as certainty.
    :param instance: row of the detections or keypoints that the pose belongs to.
    :param axes: float64 (4, 2), where the origin and the ends of x, y, z are in the source image,
        pixels, for drawing; None where the stage does not say.
    :param alternatives: the poses between which the image does not decide, the likelier first,
        each with its own covariance, while that of this pose covers all; empty where it decides.
    """

    position: npt.NDArray[np.float64]
    orientation: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]
    instance: int = 0
    axes: npt.NDArray[np.float64] | None = None
    alternatives: tuple[ObjectPose, ...] = ()


@dataclass(frozen=True, slots=True)
class Boxes3D:
    """
    Boxes in space of some of the detections of one frame.

    :param center: float64 (N, 3), meters.
    :param size: float64 (N, 3), meters along the axes of the box.
    :param orientation: float64 (N, 4), unit quaternions x, y, z, w.
    :param covariance: float64 (N, 6, 6), of center and rotation, as that of an ``ObjectPose``.
    :param instance: int32 (N,), rows of the detections.
    :param frame_id: what they are in; empty: the optical frame of the camera.
    """

    center: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    orientation: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]
    instance: npt.NDArray[np.int32]
    frame_id: str = ''

    def __post_init__(self) -> None:
        shapes = {'center': (3,), 'size': (3,), 'orientation': (4,), 'covariance': (6, 6)}
        for name, shape in shapes.items():
            got, expected = getattr(self, name).shape, (len(self.instance), *shape)
            if got != expected:
                raise ValueError(f'Boxes3D.{name}: got shape {got}, expected {expected}')

    def __len__(self) -> int:
        return len(self.instance)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compute how far an estimated pose of a flat object is from the truth.

The difference of two orientations is taken apart into a turn about the object's own axis and a
tilt of that axis (swing and twist), because the two are seen differently well: a turn moves every
point in the image, a small tilt hardly any.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PoseError:
    """
    What separates two poses.

    :param distance: meters from the camera to the true position.
    :param position: meters between the two positions.
    :param yaw: radians, -pi to pi, about the z axis of the object; positive when the estimate is
        turned further.
    :param tilt: radians, 0 to pi, between the two z axes.
    """

    distance: float
    position: float
    yaw: float
    tilt: float

    @property
    def share(self) -> float:
        """Return the error of the position as a share of the distance."""
        return self.position / self.distance


def pose_error(
    *,
    position: npt.ArrayLike,
    orientation: npt.ArrayLike,
    true_position: npt.ArrayLike,
    true_orientation: npt.ArrayLike,
) -> PoseError:
    """
    Compare two poses of an object in the frame of a camera.

    :param position: (3,), meters.
    :param orientation: (4,), quaternion x, y, z, w of any length but 0; its sign does not matter.
    :raises ValueError: not finite, a quaternion of length 0, or the truth in the camera itself.
    """
    estimated, true = _position(position), _position(true_position)
    distance = float(np.linalg.norm(true))
    if distance == 0:
        raise ValueError('true_position: got 0 meters from the camera, expected more')
    x, y, z, w = _difference(_quaternion(true_orientation), _quaternion(orientation))
    # Twist about z first, swing afterwards: q = swing * twist.
    yaw = 2 * math.atan2(z, w)
    return PoseError(
        distance=distance,
        position=float(np.linalg.norm(estimated - true)),
        yaw=math.remainder(yaw, 2 * math.pi),
        tilt=2 * math.atan2(math.hypot(x, y), math.hypot(z, w)),
    )


def _position(values: npt.ArrayLike) -> Floats:
    position = np.asarray(values, np.float64)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise ValueError(f'position: got {position.tolist()}, expected 3 finite numbers')
    return position


def _quaternion(values: npt.ArrayLike) -> Floats:
    quaternion = np.asarray(values, np.float64)
    length = float(np.linalg.norm(quaternion)) if quaternion.shape == (4,) else 0.0
    if not (math.isfinite(length) and length > 0):
        raise ValueError(
            f'orientation: got {quaternion.tolist()}, expected a quaternion x, y, z, w'
        )
    return np.asarray(quaternion / length, np.float64)


def _difference(first: Floats, second: Floats) -> tuple[float, float, float, float]:
    """Return the rotation from the first to the second in the frame of the object."""
    # Hamilton product of the conjugate of the first with the second.
    a, b = -first[:3], second[:3]
    x, y, z = (first[3] * b + second[3] * a + np.cross(a, b)).tolist()
    return x, y, z, float(first[3] * second[3] - a @ b)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Convert measurements between the frames of camera, vehicle and world.

optical: x right, y down, z forward. FLU: x forward, y left, z up (REP-103, ``base_link``). FRD: x
forward, y right, z down (MAVLink BODY_FRD). NED and ENU: north, east, down; east, north, up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Its own inverse, each of them.
FRD_FROM_FLU: Floats = np.diag([1.0, -1.0, -1.0])
NED_FROM_ENU: Floats = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
# camera_link (x forward) from the optical frame.
_LINK_FROM_OPTICAL: Floats = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


@dataclass(frozen=True, slots=True)
class TargetMeasurement:
    """
    Where the target was seen in one image.

    :param stamp_ns: when the image was taken, by the clock of this computer.
    :param position: float64 (3,), meters, of the target's origin.
    :param rotation: float64 (3, 3), from the frame of the target, which is x right, y to the top
        of the print, z out of it.
    :param covariance: float64 (6, 6), order x, y, z, rotation about x, y, z; meters and radians.
    """

    stamp_ns: int
    position: Floats
    rotation: Floats
    covariance: Floats

    def moved(self, rotation: Floats, shift: npt.ArrayLike = (0.0, 0.0, 0.0)) -> TargetMeasurement:
        """Return it in another frame, into which ``rotation @ point + shift`` takes points."""
        both = np.kron(np.eye(2), rotation)
        return TargetMeasurement(
            self.stamp_ns,
            rotation @ self.position + np.asarray(shift, np.float64),
            rotation @ self.rotation,
            both @ self.covariance @ both.T,
        )


@dataclass(frozen=True, slots=True)
class CameraMount:
    """
    Where the camera is on the vehicle.

    :param rotation: float64 (3, 3), optical frame to FRD.
    :param lever_arm: float64 (3,), meters in FRD, from the vehicle's origin to the camera.
    """

    rotation: Floats
    lever_arm: Floats

    @classmethod
    def of(cls, rpy_deg: npt.ArrayLike, xyz: npt.ArrayLike) -> CameraMount:
        """
        Return the mount that a URDF would state.

        :param rpy_deg: of ``camera_link`` in ``base_link``, degrees; 0, 90, 0 looks down with the
            top of the image at the nose, 0, 0, 0 looks forward.
        :param xyz: of the camera in ``base_link``, meters forward, left, up.
        """
        link = from_rpy(*np.radians(np.asarray(rpy_deg, np.float64)))
        return cls(
            FRD_FROM_FLU @ link @ _LINK_FROM_OPTICAL, FRD_FROM_FLU @ np.asarray(xyz, np.float64)
        )

    @classmethod
    def of_transform(cls, rotation: Floats, xyz: npt.ArrayLike) -> CameraMount:
        """Return the mount from what takes points of the optical frame into ``base_link``."""
        return cls(FRD_FROM_FLU @ rotation, FRD_FROM_FLU @ np.asarray(xyz, np.float64))

    def body(self, measurement: TargetMeasurement) -> TargetMeasurement:
        """Return a measurement of the optical frame in FRD, from the vehicle's origin."""
        return measurement.moved(self.rotation, self.lever_arm)


def from_rpy(roll: float, pitch: float, yaw: float) -> Floats:
    """Return Rz(yaw) Ry(pitch) Rx(roll), radians: of a vehicle, body to world."""
    (cr, cp, cy), (sr, sp, sy) = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def heading(rotation: Floats) -> float:
    """Return the yaw of a body-to-world rotation, radians."""
    return float(np.arctan2(rotation[1, 0], rotation[0, 0]))

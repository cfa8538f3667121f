# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Fields of the messages that autopilots take, from a measurement in FRD from the vehicle's origin.

What they accept: ArduPilot ``AC_PrecLand_MAVLink.cpp``, PX4 ``MavlinkReceiver`` and its vision
target estimator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_perception.bridges.vehicle_frames import Floats
from edge_perception.bridges.vehicle_frames import from_rpy
from edge_perception.bridges.vehicle_frames import heading
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import VehicleState
from edge_perception.pose import quaternion

# MAV_FRAME, LANDING_TARGET_TYPE, TARGET_OBS_FRAME.
LOCAL_NED, BODY_FRD, LOCAL_FRD = 1, 12, 20
VISION_FIDUCIAL = 2
OBSERVED_IN_BODY_FRD = 1
# The target as autopilots see it: x to the top of the print, y to its right, z into it.
_FRD_OF_PRINT: Floats = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])


def body_frd(body: TargetMeasurement, *, target_num: int) -> dict[str, Any]:
    """Return LANDING_TARGET in BODY_FRD, for ArduPilot."""
    return _landing_target(body, BODY_FRD, target_num)


def local_frd(body: TargetMeasurement, attitude: Floats, *, target_num: int) -> dict[str, Any]:
    """
    Return LANDING_TARGET in LOCAL_FRD, level and along the heading, for newer ArduPilots.

    :param attitude: float64 (3, 3), FRD to NED at the stamp.
    """
    level = from_rpy(0, 0, heading(attitude)).T @ attitude
    return _landing_target(body.moved(level), LOCAL_FRD, target_num)


def local_ned(
    body: TargetMeasurement, vehicle: VehicleState, *, target_num: int
) -> dict[str, Any]:
    """
    Return LANDING_TARGET in LOCAL_NED, for PX4.

    :param vehicle: its state at the stamp.
    """
    fields = _landing_target(body, LOCAL_NED, target_num)
    world = body.moved(vehicle.rotation, vehicle.position)
    return {**fields, **_xyz(world), 'q': _wxyz(world)}


def target_relative(body: TargetMeasurement, *, target_num: int) -> dict[str, Any]:
    """
    Return TARGET_RELATIVE in BODY_FRD, for PX4's vision target estimator.

    Attitude of the sensor zero: the estimator takes the vehicle's own.
    """
    deviation = np.sqrt(np.diag(body.covariance))
    return {
        'timestamp': body.stamp_ns // 1000,
        **_xyz(body),
        'pos_std': deviation[:3].tolist(),
        'yaw_std': float(deviation[5]),
        'q_target': _wxyz(body),
        'q_sensor': (0.0, 0.0, 0.0, 0.0),
        'id': target_num,
        'frame': OBSERVED_IN_BODY_FRD,
        'type': VISION_FIDUCIAL,
    }


def _landing_target(measured: TargetMeasurement, frame: int, target_num: int) -> dict[str, Any]:
    x, y, z = measured.position
    return {
        'time_usec': measured.stamp_ns // 1000,
        # Right of the axis; then to the rear, as the tangents of PX4 and ArduPilot have it.
        'angle_x': float(np.arctan2(y, z)),
        'angle_y': float(np.arctan2(-x, z)),
        # ArduPilot divides by it and multiplies later: it has to be the length.
        'distance': float(np.linalg.norm(measured.position)),
        'size_x': 0.0,
        'size_y': 0.0,
        'target_num': target_num,
        'frame': frame,
        **_xyz(measured),
        'q': _wxyz(measured),
        'type': VISION_FIDUCIAL,
        'position_valid': 1,
    }


def _xyz(measured: TargetMeasurement) -> dict[str, float]:
    return dict(zip('xyz', measured.position.tolist()))


def _wxyz(measured: TargetMeasurement) -> tuple[float, ...]:
    x, y, z, w = quaternion(measured.rotation @ _FRD_OF_PRINT).tolist()
    return w, x, y, z

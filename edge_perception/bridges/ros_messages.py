# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements from ROS messages, and into those of MAVROS."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
from std_msgs.msg import Header

from edge_perception.bridges import landing_target as autopilot
from edge_perception.bridges.vehicle_frames import FRD_FROM_FLU
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError
from edge_perception.pose import quaternion
from edge_perception.pose import rotation_matrix
from edge_perception.ros.input.raw_images import stamp_ns

DOCKING_ADVICE = (
    'docking: set use_external_detection_pose: true, external_detection_rotation_roll: -1.57, '
    '_pitch: 1.57, _yaw: 0.0 (the defaults), and detector_service_name to ~/switch of this node '
    'if detection is to run only while docking'
)
MAVROS_ADVICE = 'mavros: set listen_lt: true of its plugin landing_target, or it takes nothing'


def measurement(message: PoseWithCovarianceStamped) -> TargetMeasurement:
    """
    Return what a message says.

    :raises NotSentError: its orientation is none.
    """
    place, turn = message.pose.pose.position, message.pose.pose.orientation
    orientation = np.array([turn.x, turn.y, turn.z, turn.w])
    if not 0.5 < np.linalg.norm(orientation) < 2:
        raise NotSentError('its orientation is no unit quaternion')
    return TargetMeasurement(
        stamp_ns(message.header),
        np.array([place.x, place.y, place.z]),
        rotation_matrix(orientation),
        np.array(message.pose.covariance).reshape(6, 6),
    )


def landing_target(message: Any, body: TargetMeasurement, header: Header, target_num: int) -> Any:
    """
    Fill a ``mavros_msgs/LandingTarget`` for ``landing_target/raw``, which turns FLU into FRD.

    By numbers: the message names one of its constants wrongly.

    :param body: in FRD from the vehicle's origin.
    """
    fields = autopilot.body_frd(body, target_num=target_num)
    message.header.stamp, message.header.frame_id = header.stamp, 'base_link'
    for name in ('target_num', 'frame', 'distance', 'type'):
        setattr(message, name, fields[name])
    message.angle = [fields['angle_x'], fields['angle_y']]
    message.size = [fields['size_x'], fields['size_y']]
    flu = body.moved(FRD_FROM_FLU)
    x, y, z = flu.position.tolist()
    message.pose.position.x, message.pose.position.y, message.pose.position.z = x, y, z
    x, y, z, w = quaternion(flu.rotation).tolist()
    turn = message.pose.orientation
    turn.x, turn.y, turn.z, turn.w = x, y, z, w
    return message

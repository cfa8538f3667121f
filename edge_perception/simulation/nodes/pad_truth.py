# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Publish the true pose of the landing pad in the images of a simulated camera, as a node.

Simulators publish the pose of the vehicle. For every image, known by its CameraInfo, this node
publishes the pose of the pad in the optical frame of the camera, with the stamp of the image.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
import sys
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from edge_perception.pose.solver import quaternion
from edge_perception.pose.solver import rotation_matrix
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.parameters.unknown_parameters import warn_of_unknown
from edge_perception.ros.system import qos
from edge_perception.ros.system.spinning import run_until_shutdown
from edge_perception.simulation.gazebo.worlds import OPTICAL_IN_BODY
from edge_perception.simulation.gazebo.worlds import PAD_HEIGHT
from edge_perception.simulation.nodes.readback import placement
from edge_perception.simulation.nodes.rendered_camera import truth_message
from edge_perception.simulation.rendering.pinhole import Floats

# A few seconds of a simulator that reports each of its steps.
REMEMBERED = 4000
# Images that wait for a place of the vehicle after their stamp.
WAITING = 60


class PadTruth(Node):
    """
    Topics: ``ground_truth/odometry`` and ``camera/camera_info`` in, ``ground_truth/pose`` out.

    A pose with the exact stamp of the image is taken as it is, else it is interpolated.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('pad_truth', **node_arguments)
        warn_of_unknown(self, [])
        self._places: deque[tuple[int, Floats, Floats]] = deque(maxlen=REMEMBERED)
        self._waiting: deque[CameraInfo] = deque(maxlen=WAITING)
        self._truths = self.create_publisher(PoseStamped, 'ground_truth/pose', qos.RESULT)
        every = qos.EVERY
        self.create_subscription(Odometry, 'ground_truth/odometry', self._on_place, every)
        self.create_subscription(CameraInfo, 'camera/camera_info', self._on_info, every)

    def _on_place(self, message: Odometry) -> None:
        pose = placement(message.pose.pose)
        stamp = stamp_ns(message.header)
        if self._places and stamp < self._places[-1][0]:
            self._places.clear()  # the simulation was started again
        self._places.append((stamp, np.array(pose.position), np.array(pose.orientation)))
        while self._waiting and stamp_ns(self._waiting[0].header) <= stamp:
            self._answer(self._waiting.popleft())

    def _on_info(self, message: CameraInfo) -> None:
        if self._places and stamp_ns(message.header) <= self._places[-1][0]:
            self._answer(message)
        else:
            self._waiting.append(message)

    def _answer(self, info: CameraInfo) -> None:
        place = self._place(stamp_ns(info.header))
        if place is None:
            return
        self._truths.publish(truth_message(*pad_in_image(*place), header=info.header))

    def _place(self, stamp: int) -> tuple[Floats, Floats] | None:
        """Return position and orientation of the vehicle at a time that is not after the last."""
        stamps = [each[0] for each in self._places]
        after = bisect_left(stamps, stamp)
        if stamps[after] == stamp:
            return self._places[after][1:]
        if after == 0:
            return None  # before the first one
        (first, a, p), (last, b, q) = self._places[after - 1], self._places[after]
        share = (stamp - first) / (last - first)
        # The two are a step of the simulation apart: linear interpolation is exact enough.
        mixed = p * (1 - share) + q * (share if p @ q >= 0 else -share)
        return a * (1 - share) + b * share, mixed / np.linalg.norm(mixed)


def pad_in_image(position: Floats, orientation: Floats) -> tuple[Floats, Floats]:
    """
    Return position (3,) and orientation (4,) of the pad in the optical frame.

    :param position: of the vehicle in the world, meters.
    :param orientation: of the vehicle, quaternion x, y, z, w.
    """
    to_optical = OPTICAL_IN_BODY.T @ rotation_matrix(orientation).T
    offset = np.array([0.0, 0.0, PAD_HEIGHT]) - position
    return np.asarray(to_optical @ offset), np.asarray(quaternion(to_optical))


if __name__ == '__main__':
    sys.exit(run_until_shutdown(PadTruth, None))

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Fly a simulated camera down to the pad, as a node.

For Gazebo from Fortress on, whose vehicle is steered by velocities; in Gazebo Classic the world
itself holds the way. Subscribes to ``ground_truth/odometry``, publishes ``carrier/velocity``.
"""

from __future__ import annotations

import sys
from typing import Any

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
import numpy as np
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from edge_perception.pose import rotation_matrix
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.parameters.unknown_parameters import warn_of_unknown
from edge_perception.ros.system import qos
from edge_perception.ros.system.spinning import run_until_shutdown
from edge_perception.simulation.approach import velocities
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.nodes.readback import placement


class ApproachPilot(Node):
    """Answers each place of the vehicle with a velocity; time counts from the first one."""

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('approach_pilot', **node_arguments)
        warn_of_unknown(self, ['approach', 'pad_size'])
        free = ParameterDescriptor(dynamic_typing=True)
        approach = int(self.declare_parameter('approach', 1, free).value)
        pad_size = float(self.declare_parameter('pad_size', 1.0, free).value)
        self._waypoints = World(approach=approach, pad_size=pad_size).waypoints()
        self._start_ns: int | None = None
        self._velocities = self.create_publisher(Twist, 'carrier/velocity', qos.RESULT)
        self.create_subscription(Odometry, 'ground_truth/odometry', self._on_place, qos.CAMERA)

    def _on_place(self, message: Odometry) -> None:
        stamp = stamp_ns(message.header)
        if self._start_ns is None or stamp < self._start_ns:
            self._start_ns = stamp
        place = placement(message.pose.pose)
        linear, angular = velocities(
            self._waypoints,
            (stamp - self._start_ns) / 1e9,
            position=np.array(place.position),
            rotation=rotation_matrix(place.orientation),
        )
        velocity = Twist()
        velocity.linear.x, velocity.linear.y, velocity.linear.z = linear.tolist()
        velocity.angular.x, velocity.angular.y, velocity.angular.z = angular.tolist()
        self._velocities.publish(velocity)


if __name__ == '__main__':
    sys.exit(run_until_shutdown(ApproachPilot, None))

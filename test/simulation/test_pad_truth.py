# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Places of a vehicle and CameraInfo go in over DDS, the truth about each image comes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo

from edge_perception.pose.solver import quaternion
from edge_perception.pose.solver import rotation_matrix
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.system import qos
from edge_perception.simulation.gazebo.worlds import PAD_HEIGHT
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.nodes.approach_pilot import ApproachPilot
from edge_perception.simulation.nodes.pad_truth import pad_in_image
from edge_perception.simulation.nodes.pad_truth import PadTruth
from test.support.graph import PATIENCE_S
from test.support.graph import Spinner
from test.support.graph import Tester

LEVEL = np.eye(3)


class Rig:
    def __init__(self, tester: Tester, node: Any, answer: type, topic: str) -> None:
        self.answers = tester.collect(answer, topic, qos.RECORD)
        self._places = tester.publisher(Odometry, '/ground_truth/odometry', qos.RECORD)
        self._infos = tester.publisher(CameraInfo, '/camera/camera_info', qos.RECORD)
        self._places.wait(node)
        if answer is PoseStamped:
            self._infos.wait(node)
        self.answers.wait(node)

    def place(self, stamp: int, position, rotation=LEVEL) -> None:
        message = Odometry()
        message.header.stamp.nanosec = stamp
        to, turned = message.pose.pose.position, message.pose.pose.orientation
        to.x, to.y, to.z = (float(value) for value in position)
        turned.x, turned.y, turned.z, turned.w = quaternion(rotation).tolist()
        self._places.publish(message)

    def image(self, stamp: int) -> None:
        message = CameraInfo()
        message.header.stamp.nanosec = stamp
        message.header.frame_id = 'camera'
        self._infos.publish(message)

    def truth(self) -> tuple[int, tuple[float, ...]]:
        message = self.answers.get(timeout=PATIENCE_S)
        assert message.header.frame_id == 'camera'
        to = message.pose.position
        return stamp_ns(message.header), (to.x, to.y, to.z)


@contextmanager
def rig(make, answer: type, topic: str) -> Iterator[Rig]:
    spinners = Spinner(), Spinner()
    try:
        node = spinners[0].add(make)
        yield Rig(Tester(spinners[1]), node, answer, topic)
    finally:
        for spinner in spinners:
            spinner.close()


@pytest.fixture
def truth() -> Iterator[Rig]:
    with rig(lambda context: PadTruth(context=context), PoseStamped, '/ground_truth/pose') as made:
        yield made


def test_the_place_of_the_very_image_counts(truth):
    truth.place(100, (0, 0, 2 + PAD_HEIGHT))
    truth.place(200, (0, 0, 3 + PAD_HEIGHT))
    truth.image(100)
    assert truth.truth() == (100, pytest.approx((0, 0, 2)))


def test_between_two_places_they_are_mixed_once_the_second_is_there(truth):
    truth.place(100, (0, 0, 2 + PAD_HEIGHT))
    truth.image(175)
    truth.place(200, (0, 0, 4 + PAD_HEIGHT))
    assert truth.truth() == (175, pytest.approx((0, 0, 3.5)))


def test_before_the_first_place_nothing_is_said_and_after_a_reset_time_begins_anew(truth):
    truth.place(500, (0, 0, 2 + PAD_HEIGHT))
    truth.image(400)
    truth.place(100, (0, 0, 5 + PAD_HEIGHT))
    truth.image(100)
    assert truth.truth() == (100, pytest.approx((0, 0, 5)))


def test_the_pad_lies_where_the_camera_sees_it():
    """A vehicle that looks along x, behind and to the right of the pad: it is ahead and left."""
    position, turned = pad_in_image(np.array([-1.0, -0.5, 4.0]), quaternion(LEVEL))
    # Right, down in the picture, away from the camera.
    assert position == pytest.approx((-0.5, -1.0, 4.0 - PAD_HEIGHT))
    # Seen from above with the front at the top: its x axis up in the picture, y to the left.
    seen = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1]], np.float64)
    assert rotation_matrix(turned) == pytest.approx(seen, abs=1e-9)


@pytest.mark.parametrize('size', [1.0, 0.5])
def test_the_pilot_steers_towards_its_way(size):
    _, start, rotation = World(pad_size=size).waypoints()[0]

    def make(context):
        values = [Parameter('pad_size', value=size)]
        return ApproachPilot(context=context, parameter_overrides=values)

    with rig(make, Twist, '/carrier/velocity') as made:
        made.place(1, start + (0, 0, 1.0), rotation)
        velocity = made.answers.get(timeout=PATIENCE_S).linear
    down = rotation @ (velocity.x, velocity.y, velocity.z)
    assert down[2] < -4

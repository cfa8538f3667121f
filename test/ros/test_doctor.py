# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The doctor's look at ROS, beside real nodes."""

from __future__ import annotations

import pytest
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from edge_perception.ros.system import ros_checks as doctor
from edge_perception.runtime.findings import Level
from edge_perception.testing import FakeClock
from edge_perception.testing import FakeDecoder


class Classifier(FakeDecoder):
    """Sees classes where the fake decoder sees objects."""

    tasks = frozenset({'classes'})


def found(checks, subject):
    return [check for check in checks if check.subject == subject]


def test_cameras_and_nodes_are_found_and_a_camera_that_is_missing_is_yellow(world):
    here = world()
    node = here.tester.node
    node.create_publisher(Image, '/front/image_raw', qos_profile_sensor_data)
    node.create_subscription(Image, '/rear/image_raw', print, qos_profile_sensor_data)
    assert here.tester.transition('configure')
    checks = doctor.graph()
    (front,) = found(checks, 'topic /front/image_raw')
    assert front.level is Level.GREEN
    assert front.found == f'published by {node.get_name()}, best effort'
    (rear,) = found(checks, 'topic /rear/image_raw')
    assert rear.level is Level.YELLOW
    assert rear.found.startswith('no node publishes it')
    (ours,) = found(checks, 'node /perception')
    assert ours.found == 'publishes /perception/detections, 1 listen'


def test_a_classifier_is_found(world):
    here = world(decoder=Classifier)
    assert here.tester.transition('configure')
    (ours,) = found(doctor.graph(), 'node /perception')
    assert ours.found == 'publishes /perception/classification, 0 listen'


def test_a_camera_that_loses_images_is_yellow_with_the_remedy(world):
    here = world(clock=FakeClock())
    here.start()
    losses = here.node.session.cameras[0].input._losses
    # As the middleware numbers them when half of them are lost.
    for number in range(2, 200, 2):
        losses.note({'publication_sequence_number': number})
    (lossy,) = found(doctor.graph(), 'camera of /perception')
    assert lossy.level is Level.YELLOW
    assert 'images are lost before they reach this node' in lossy.found
    assert 'fastdds_large_images.xml' in lossy.remedy


def test_a_node_that_cannot_configure_is_red(world):
    here = world(model='/no/such/model')
    assert not here.tester.transition('configure')
    (broken,) = found(doctor.graph(), 'engine of /perception')
    assert broken.level is Level.RED


def test_the_same_node_twice_is_yellow(world):
    here = world()
    other = Node('perception', context=here.tester.node.context, start_parameter_services=False)
    try:
        (twice,) = found(doctor.graph(), 'name of /perception')
        assert twice.level is Level.YELLOW
    finally:
        other.destroy_node()


@pytest.mark.parametrize(
    ('environ', 'sentence'),
    [
        ({'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}, 'never find each other'),
        ({'FASTDDS_DEFAULT_PROFILES_FILE': '/no/such.xml'}, 'no file /no/such.xml'),
    ],
)
def test_settings_that_cut_the_node_off_are_red(environ, sentence):
    red = [check for check in doctor.settings(environ) if check.level is Level.RED]
    assert [sentence in check.found for check in red] == [True]

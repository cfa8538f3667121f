# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A stage that reads the camera's pose in another frame and how fast it turns, over DDS."""

from __future__ import annotations

from collections.abc import Iterator
import queue
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
import numpy as np
import pytest
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from tf2_msgs.msg import TFMessage

from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.ros.system import qos
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import PATIENCE_S
from test.support.graph import Tester
from test.support.graph import until
from test.support.stage_rig import stage_type
from test.support.world import ROSOUT

CAMERA = 'camera_optical_frame'
NS = 1_000_000_000
READS = Reads(transforms=('odom',), angular_rate='imu')
# About z by 90 degrees.
TURNED = (0.0, 0.0, 0.5**0.5, 0.5**0.5)


class World:
    """A node with the stage, and what publishes camera, /tf, /tf_static and IMU."""

    def __init__(self, node: Any, tester: Tester, spinner: Any, seen: Any) -> None:
        self.node, self.tester, self.spinner, self.seen = node, tester, spinner, seen
        assert tester.transition('configure')
        self.camera = tester.publisher(Image, '/image_raw')
        self.tf = tester.publisher(TFMessage, '/tf', qos.TF)
        self.static = tester.publisher(TFMessage, '/tf_static', qos.TF_STATIC)
        self.imu = tester.publisher(Imu, '/imu')
        # Latched: sent before the node listens.
        self.static.publish(TFMessage(transforms=[transform('base', CAMERA, 0, z=0.5)]))
        assert tester.transition('activate')
        for each in (self.camera, self.tf, self.static, self.imu):
            each.wait(node)
        self.topics = node.session.cameras[0].stage_topics
        until(lambda: self.topics._transforms.received, bool)

    def move(self, stamp: float, **changes: Any) -> None:
        """Publish where the base is, and wait until the node has it."""
        self.tf.publish(TFMessage(transforms=[transform('odom', 'base', stamp, **changes)]))
        buffer = self.topics._transforms.buffer
        until(lambda: buffer._links.get('base'), lambda link: link and at(stamp) in link.stamps)

    def rotate(self, stamp: float, *rate: float, frame: str = CAMERA) -> None:
        """Publish an angular rate, and wait until the node has it."""
        message = Imu()
        set_stamp(message.header, stamp)
        message.header.frame_id = frame
        rates = message.angular_velocity
        rates.x, rates.y, rates.z = rate
        source = self.topics._rate
        dropped = source.dropped
        self.imu.publish(message)
        until(lambda: source.dropped > dropped or at(stamp) in dict(source._samples), bool)

    def look(self, stamp: float) -> StageInputs:
        """Publish an image, and return what the stage got with it."""
        message = picture(None)
        set_stamp(message.header, stamp)
        self.camera.publish(message)
        return self.seen.get(timeout=PATIENCE_S)

    def status(self) -> Any:
        array = self.tester.collect(DiagnosticArray, '/diagnostics').get(timeout=PATIENCE_S)
        (found,) = [each for each in array.status if each.name.endswith(' given')]
        return found.message, {each.key: each.value for each in found.values}


def at(stamp: float) -> int:
    return int(round(stamp * 1000)) * (NS // 1000)


def set_stamp(header: Any, stamp: float) -> None:
    header.stamp.sec, header.stamp.nanosec = divmod(at(stamp), NS)


def transform(
    parent: str,
    child: str,
    stamp: float,
    *,
    x: float = 0.0,
    z: float = 0.0,
    turned: tuple[float, ...] = (0.0, 0.0, 0.0, 1.0),
) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    set_stamp(message.header, stamp)
    message.transform.translation.x, message.transform.translation.z = x, z
    rotation = message.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = turned
    return message


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    seen: queue.Queue[StageInputs] = queue.Queue()

    def run(inputs: StageInputs) -> Perception:
        seen.put(inputs)
        return inputs.perception

    given: type[Stage] = stage_type('given', run, reads=READS, publishes={'x': 'detections'})
    context = graph(fake_node(tmp_path, stages=[given]))
    made = World(*context.__enter__(), seen)
    yield made
    # pytest still has it, and the node may not be held by it when the graph is closed.
    vars(made).clear()
    context.__exit__(None, None, None)


def test_the_pose_of_the_camera_comes_at_the_stamp_of_the_image(world):
    missing = world.look(0.5)
    assert not missing.transforms and missing.angular_rate is None
    assert set(missing.missing) == {'odom', 'angular_rate'}
    world.move(1.0)
    world.move(1.1, x=2.0, turned=TURNED)
    found = world.look(1.05)
    np.testing.assert_allclose(found.transforms['odom'].translation, [1, 0, 0.5])
    half = 0.5**0.5
    turned = [[half, -half, 0], [half, half, 0], [0, 0, 1]]
    np.testing.assert_allclose(found.transforms['odom'].rotation, turned, atol=1e-9)
    assert not found.transforms['odom'].rotation.flags.writeable
    assert set(found.missing) == {'angular_rate'}
    # A transform that comes after the stages ran does not count for that image.
    late = world.look(1.15)
    assert '(by 50.0 ms)' in late.missing['odom'] and not late.transforms
    world.move(1.2, x=2.0, turned=TURNED)
    assert not world.look(1.18).missing.get('odom')


def test_malformed_transforms_are_counted_and_cost_nothing_else(world):
    bad = transform('odom', 'base', 1.0, turned=(0.0, 0.0, 0.0, 0.0))
    world.tf.publish(TFMessage(transforms=[bad, transform('a', 'a', 1.0)]))
    world.move(1.0, x=3.0)
    np.testing.assert_allclose(world.look(1.0).transforms['odom'].translation, [3, 0, 0.5])
    _, values = world.status()
    assert (values['tf_topic'], values['tf_dropped']) == ('/tf', '2')


def test_a_problem_whose_figures_change_is_said_once(world):
    log = world.tester.collect(Log, '/rosout', ROSOUT)
    world.move(1.0)
    world.rotate(1.0, 0.0, 0.0, 0.0)
    (stage,) = world.node.session.cameras[0].stages
    for stamp, problem in ((1.1, 'late (by 1 ms)'), (1.2, 'late (by 2 ms)'), (1.3, 'other')):
        stage.problem = problem
        world.look(stamp)
    said = []
    until(lambda: said.append(log.get(timeout=PATIENCE_S).msg) or said[-1], lambda w: 'other' in w)
    assert sum('given: late' in each for each in said) == 1


def test_the_angular_rate_is_the_mean_since_the_frame_before(world):
    world.static.publish(TFMessage(transforms=[transform(CAMERA, 'imu', 0, turned=TURNED)]))
    until(lambda: world.topics._transforms.buffer._links, lambda links: 'imu' in links)
    for stamp, rate in ((0.9, 9.0), (1.02, 1.0), (1.04, float('nan')), (1.06, 2.0), (1.2, 9.0)):
        world.rotate(stamp, rate, 0.0, 0.5, frame='imu')
    assert world.look(1.0).angular_rate is None
    found = world.look(1.1)
    # What turns about x of the IMU turns about y of the camera.
    np.testing.assert_allclose(found.angular_rate, [0, 1.5, 0.5], atol=1e-9)
    assert found.angular_rate.dtype == np.float64 and 'angular_rate' not in found.missing
    assert world.status()[1]['angular_rate_dropped'] == '1'
    world.rotate(1.3, 1.0, 0.0, 0.0, frame='elsewhere')
    assert "'elsewhere' is not on /tf" in world.look(1.3).missing['angular_rate']


def test_a_clock_that_is_set_back_begins_anew_and_keeps_what_is_static(world):
    world.move(5.0)
    world.rotate(5.0, 1.0, 0.0, 0.0)
    assert world.look(5.0).transforms
    world.spinner.call(world.node.session.cameras[0].clock_was_set_back)
    assert set(world.look(2.0).missing) == {'odom', 'angular_rate'}
    world.move(2.1, x=1.0)
    world.rotate(2.1, 0.0, 0.0, 3.0)
    found = world.look(2.1)
    np.testing.assert_allclose(found.transforms['odom'].translation, [1, 0, 0.5])
    np.testing.assert_allclose(found.angular_rate, [0, 0, 3])


@pytest.mark.parametrize(
    ('reads', 'expected'),
    [(Reads(), []), (READS, ['/left/imu', '/right/imu', '/tf', '/tf_static'])],
)
def test_cameras_share_transforms_and_nothing_is_subscribed_unasked(tmp_path, reads, expected):
    given = stage_type('given', reads=reads, publishes={'x': 'detections'})
    with graph(fake_node(tmp_path, stages=[given], cameras=['left', 'right'])) as (
        node,
        tester,
        _,
    ):
        for _ in range(2):
            for transition in ('configure', 'activate'):
                assert tester.transition(transition)
            topics = [each.topic_name for each in node.subscriptions]
            assert sorted(each for each in topics if 'imu' in each or 'tf' in each) == expected
            for transition in ('deactivate', 'cleanup'):
                assert tester.transition(transition)
            assert not {each.topic_name for each in node.subscriptions} & {'/tf', '/left/imu'}

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The node that hands measurements on, over real DDS and a real socket."""

from __future__ import annotations

import socket
import sys
import types

from geometry_msgs.msg import Pose
from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import PoseWithCovarianceStamped
from geometry_msgs.msg import TransformStamped
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from edge_perception.bridges.mavlink import MavlinkReader
from edge_perception.bridges.mavlink import MavlinkWriter
from edge_perception.bridges.target_bridge import TargetBridge
from edge_perception.contract import ConfigurationError
from edge_perception.ros.system import qos
from test.support.graph import graph
from test.support.graph import until

TOPIC = '/perception/target_measurement'


@pytest.fixture(scope='module')
def context():
    alone = Context()
    rclpy.init(context=alone)
    yield alone
    rclpy.try_shutdown(context=alone)


def made(context, parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    return TargetBridge(context=context, parameter_overrides=overrides)


@pytest.fixture
def bridge():
    """Make the node with parameters; it is gone after the test."""
    opened = []

    def start(**parameters):
        opened.append(graph(lambda context: made(context, parameters)))
        return opened[-1].__enter__()

    yield start
    for each in opened:
        each.__exit__(None, None, None)


class Autopilot:
    """The other end of the link."""

    def __init__(self, system=1):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.socket.settimeout(10)
        self.connection = f'udp:127.0.0.1:{self.socket.getsockname()[1]}'
        self._reader, self._writer = MavlinkReader(), MavlinkWriter(system, component=1)

    def next(self, name):
        """Return the next message of a name, and answer what comes with a heartbeat."""
        while True:
            data, address = self.socket.recvfrom(65536)
            for message in self._reader.feed(data):
                if message.name == name:
                    return message.fields
                self.socket.sendto(self._heartbeat(), address)

    def _heartbeat(self):
        fields = {'type': 2, 'autopilot': 3, 'base_mode': 0, 'custom_mode': 0}
        return self._writer.pack('HEARTBEAT', **fields, system_status=4, mavlink_version=3)


@pytest.fixture
def autopilot():
    other_end = Autopilot()
    yield other_end
    other_end.socket.close()


def measured(node, *, age_s=0.0, position=(0.5, -0.25, 5.0)):
    message = PoseWithCovarianceStamped()
    now_ns = node.get_clock().now().nanoseconds
    message.header.stamp = Time(nanoseconds=now_ns - int(age_s * 1e9)).to_msg()
    message.header.frame_id = 'camera_optical_frame'
    place = message.pose.pose.position
    place.x, place.y, place.z = position
    message.pose.pose.orientation.w = 1.0
    message.pose.covariance = [
        0.01 if row == column else 0.0 for row in range(6) for column in range(6)
    ]
    return message


def test_a_measurement_arrives_as_bytes(bridge, autopilot):
    node, tester, spinner = bridge(bridge='ardupilot', connection=autopilot.connection)
    publisher = tester.publisher(PoseWithCovarianceStamped, TOPIC)
    publisher.wait(node)
    assert autopilot.next('HEARTBEAT')['type'] == 18
    until(lambda: spinner.call(lambda: linked(node, autopilot)), bool)
    message = measured(node)
    publisher.publish(message)
    fields = autopilot.next('LANDING_TARGET')
    assert (fields['frame'], fields['position_valid']) == (12, 1)
    assert [fields[axis] for axis in 'xyz'] == pytest.approx((0.25, 0.5, 5))
    assert fields['time_usec'] == Time.from_msg(message.header.stamp).nanoseconds // 1000
    assert fields['distance'] == pytest.approx(5.031153, abs=1e-6)


def linked(node, autopilot):
    autopilot.socket.setblocking(False)
    try:
        autopilot.next('LANDING_TARGET')
    except BlockingIOError:
        pass
    finally:
        autopilot.socket.settimeout(10)
    return node._autopilot.linked(node.get_clock().now().nanoseconds)


@pytest.mark.parametrize(
    ('parameters', 'name'),
    [
        ({}, 'bridge'),
        ({'bridge': 'ardupilott'}, 'bridge'),
        ({'bridge': 'ardupilot'}, 'connection'),
        ({'bridge': 'px4', 'connection': 'tcp:127.0.0.1:5'}, 'connection'),
        ({'bridge': 'px4', 'connection': 'udp:no.such.host.invalid:14550'}, 'connection'),
        ({'bridge': 'px4', 'connection': 'udp:127.0.0.1:99999999'}, 'connection'),
        ({'bridge': 'px4', 'connection': 'serial:/dev/no_such_line:57600'}, 'connection'),
        ({'bridge': 'px4', 'connection': 'serial:/dev/null:57601'}, 'connection'),
        ({'bridge': 'px4', 'connection': 'udp:127.0.0.1:@5'}, 'connection'),
        ({'bridge': 'nav2_docking', 'mount_rpy': [0.0, 90.0]}, 'mount_rpy'),
        ({'bridge': 'nav2_docking', 'mount_rpy': [0.0, 90.0, float('nan')]}, 'mount_rpy'),
        ({'bridge': 'nav2_docking', 'system_id': 300}, 'system_id'),
        ({'bridge': 'nav2_docking', 'mount_ryp': [0.0, 90.0, 0.0]}, 'mount_rpy'),
        ({'bridge': 'mavros'}, 'mavros_msgs'),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(context, parameters, name):
    with pytest.raises(ConfigurationError) as refused:
        made(context, parameters)
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ('kind', 'words'), [('ardupilot', 'set PLND_LAG to 0.06'), ('px4', 'are 60 ms old')]
)
def test_the_age_of_measurements_is_said_once_while_it_stays(context, autopilot, kind, words):
    node, said = made(context, {'bridge': kind, 'connection': autopilot.connection}), []
    node.get_logger = lambda: types.SimpleNamespace(info=said.append)
    node._autopilot.ages_ns.extend(100 * [60_000_000])
    for _ in range(300):
        node._look_at_age()
    (sentence,) = said
    assert words in sentence
    node.destroy_node()


def test_docking_passes_the_pose_on_until_it_is_switched_off(bridge):
    node, tester, _ = bridge(bridge='nav2_docking')
    publisher = tester.publisher(PoseWithCovarianceStamped, TOPIC)
    poses = tester.collect(PoseStamped, '/detected_dock_pose')
    publisher.wait(node)
    poses.wait(node)
    message = measured(node)
    publisher.publish(message)
    dock = poses.get(timeout=10)
    assert dock.header == message.header
    assert dock.pose == message.pose.pose
    # Nav2 calls the same service to start and to stop.
    answers = [node._switch(None, Trigger.Response()).message for _ in range(2)]
    assert answers == ['detection is on', 'detection is off']
    node._on_measurement(measured(node))
    switch = tester.node.create_client(Trigger, '/target_bridge/switch')
    assert tester.call(switch, Trigger.Request()).message == 'detection is on'
    node._on_measurement(measured(node, position=(9.0, 0.0, 1.0)))
    assert poses.get(timeout=10).pose.position.x == 9


class LandingTarget:
    """The fields of mavros_msgs/LandingTarget, which cannot be had here, and no others."""

    __slots__ = ['header', 'target_num', 'frame', 'angle', 'distance', 'size', 'pose', 'type']

    def __init__(self):
        self.header, self.pose = Header(), Pose()


@pytest.fixture
def to_mavros(monkeypatch):
    """Let mavros_msgs be there; return what is published."""
    published = []
    module = types.ModuleType('mavros_msgs.msg')
    module.LandingTarget = LandingTarget
    monkeypatch.setitem(sys.modules, 'mavros_msgs', types.ModuleType('mavros_msgs'))
    monkeypatch.setitem(sys.modules, 'mavros_msgs.msg', module)

    def create_publisher(self, message_type, topic, *arguments, **more):
        if message_type is not LandingTarget:
            return Node.create_publisher(self, message_type, topic, *arguments, **more)
        return types.SimpleNamespace(publish=lambda message: published.append((topic, message)))

    monkeypatch.setattr(TargetBridge, 'create_publisher', create_publisher)
    return published


def test_mavros_gets_the_position_in_flu_and_the_frame_as_a_number(bridge, to_mavros):
    node, _, _ = bridge(bridge='mavros', target_num=3)
    message = measured(node)
    node._on_measurement(message)
    ((topic, sent),) = to_mavros
    assert topic == 'mavros/landing_target/raw'
    assert (sent.frame, sent.type, sent.target_num) == (12, 2, 3)
    assert sent.header.stamp == message.header.stamp
    place = sent.pose.position
    # Forward, left, up: MAVROS turns it into forward, right, down.
    assert (place.x, place.y, place.z) == pytest.approx((0.25, -0.5, -5))
    assert sent.distance == pytest.approx(5.031153)
    assert list(sent.angle) == pytest.approx((0.099669, -0.049958), abs=1e-6)
    assert list(sent.size) == [0, 0]


def test_the_mount_may_come_from_tf(bridge, to_mavros):
    node, tester, _ = bridge(bridge='mavros', base_frame='base_link')
    node._on_measurement(measured(node))
    assert to_mavros == []
    mount = TransformStamped(child_frame_id='camera_optical_frame')
    mount.header.frame_id = 'base_link'
    turn, place = mount.transform.rotation, mount.transform.translation
    turn.x, turn.y, turn.w = 0.5**0.5, -(0.5**0.5), 0.0
    place.x, place.z = 0.1, 0.5
    publisher = tester.publisher(TFMessage, '/tf_static', qos.LATCHED)
    publisher.publish(TFMessage(transforms=[mount]))
    until(lambda: node._transforms.received, bool)
    node._on_measurement(measured(node))
    ((_, sent),) = to_mavros
    place = sent.pose.position
    assert (place.x, place.y, place.z) == pytest.approx((0.35, -0.5, -4.5))


@pytest.mark.parametrize('kind', ['mavros', 'nav2_docking'])
def test_what_is_no_pose_is_not_handed_on(bridge, to_mavros, kind):
    node, tester, _ = bridge(bridge=kind)
    poses = tester.collect(PoseStamped, '/detected_dock_pose')
    if kind == 'nav2_docking':
        poses.wait(node)
    bad = [measured(node, age_s=age_s) for age_s in (0.6, -1.0)]
    bad += [measured(node, position=(float('nan'), 0.0, 1.0)), measured(node)]
    bad[-1].pose.pose.orientation.w = 0.0
    for message in bad:
        node._on_measurement(message)
    last = measured(node)
    node._on_measurement(last)
    if kind == 'nav2_docking':
        assert poses.get(timeout=10).header == last.header
    else:
        assert [message.header.stamp for _, message in to_mavros] == [last.header.stamp]

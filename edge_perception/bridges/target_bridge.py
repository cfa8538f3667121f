# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The executable ``target_bridge``: measurements of a target to an autopilot, MAVROS or Nav2.

It sends for a measurement or not at all: nothing is repeated, predicted or made up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import fields
import statistics
import sys
from typing import Any

from geometry_msgs.msg import PoseStamped
from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock
from rclpy.node import Node
from std_srvs.srv import Trigger

from edge_perception.bridges import ros_messages
from edge_perception.bridges.autopilot import AutopilotBridge
from edge_perception.bridges.autopilot import AUTOPILOTS
from edge_perception.bridges.autopilot import AXES
from edge_perception.bridges.link import FORMS
from edge_perception.bridges.link import Link
from edge_perception.bridges.link import open_link
from edge_perception.bridges.measurement_rules import MeasurementRules
from edge_perception.bridges.vehicle_frames import CameraMount
from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError
from edge_perception.contract import ConfigurationError
from edge_perception.contract import OptionError
from edge_perception.contract.errors import in_words
from edge_perception.contract.options import option
from edge_perception.contract.options import Options
from edge_perception.contract.options import parse_options
from edge_perception.ros.input.transform_input import TransformInput
from edge_perception.ros.log_once import LogOnce
from edge_perception.ros.parameters.unknown_parameters import refuse_misspelled
from edge_perception.ros.system import qos
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.ros.system.rclpy_versions import parameter_overrides
from edge_perception.ros.system.spinning import run_until_shutdown

BRIDGES = (*AUTOPILOTS, 'mavros', 'nav2_docking')
_POLL_S = 0.02
# Measurements between two looks at their age, and the change that is worth a line.
_LOOK, _NEWS_MS = 100, 20


@dataclass(frozen=True, slots=True)
class BridgeOptions(Options):
    """Parameters of the node; they are read at its start."""

    bridge: str = option('', 'consumer of the measurements', choices=('', *BRIDGES))
    connection: str = option('', f'connection to an autopilot: {FORMS}')
    measurement_topic: str = option(
        'perception/target_measurement',
        'topic of the measurements, PoseWithCovarianceStamped in the optical frame',
    )
    base_frame: str = option(
        '', 'frame of the vehicle on /tf_static, e.g. base_link (empty: mount_rpy and mount_xyz)'
    )
    mount_rpy: tuple[float, ...] = option(
        (0.0, 90.0, 0.0), 'roll, pitch, yaw of camera_link in base_link, degrees'
    )
    mount_xyz: tuple[float, ...] = option(
        (0.0, 0.0, 0.0), 'position of the camera in base_link: forward, left, up, m'
    )
    target_num: int = option(0, 'number of the target in the messages', minimum=0, maximum=255)
    system_id: int = option(1, 'MAVLink system id of the autopilot', minimum=1, maximum=255)
    axes: str = option('body_frd', 'axes of the LANDING_TARGET for ArduPilot', choices=AXES)
    age_limit: float = option(0.5, 'maximum age of a measurement, s', minimum=0.01, maximum=10.0)


class TargetBridge(Node):
    """
    Hands each measurement on in the form of its consumer. All runs in the executor's thread.

    :raises ConfigurationError: a parameter is wrong, or a message package is missing.
    """

    _link: Link | None = None

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('target_bridge', **node_arguments)
        self._options = options = self._read()
        self._once = LogOnce(self.get_logger().warning, variants={'silence': 8})
        self._mount = CameraMount.of(options.mount_rpy, options.mount_xyz)
        self._transforms = TransformInput(self)
        if options.base_frame:
            self._transforms.open()
        self._rules = MeasurementRules(int(options.age_limit * 1e9))
        self._sent = 0
        self._lag_ms: float | None = None
        # Nav2 starts what may run already: until it asks, docking is on.
        self._docking, self._switched = True, False
        self._hand_on = self._open()
        self.create_subscription(
            PoseWithCovarianceStamped, options.measurement_topic, self._on_measurement, qos.RECORD
        )
        topic = self.resolve_topic_name(options.measurement_topic)
        self.get_logger().info(f'{options.bridge} takes the measurements of {topic}')

    def _read(self) -> BridgeOptions:
        names = [field.name for field in fields(BridgeOptions)]
        refuse_misspelled(self, names)
        free = ParameterDescriptor(dynamic_typing=True)
        given = {}
        for name in names:
            default = getattr(BridgeOptions(), name)
            value = self.declare_parameter(name, default, free).value
            if name in parameter_overrides(self):
                given[name] = value
        try:
            options = parse_options(BridgeOptions, given, owner='target_bridge')
        except OptionError as error:
            raise ConfigurationError('parameter', [str(error)]) from None
        assert isinstance(options, BridgeOptions)
        problems = [
            f'{name}: got {len(getattr(options, name))} numbers, expected 3'
            for name in ('mount_rpy', 'mount_xyz')
            if len(getattr(options, name)) != 3
        ]
        if not options.bridge:
            problems.append(f'bridge: got nothing, expected one of {", ".join(BRIDGES)}')
        if problems:
            raise ConfigurationError('parameter', problems)
        return options

    def _open(self) -> Callable[[PoseWithCovarianceStamped], None]:
        """Return what takes the measurements."""
        options = self._options
        if options.bridge == 'mavros':
            return self._to_mavros()
        if options.bridge == 'nav2_docking':
            return self._to_docking()
        self._link = open_link(options.connection)
        self._autopilot = AutopilotBridge(
            options.bridge,
            rules=self._rules,
            say=self._once.say,
            axes=options.axes,
            target_num=options.target_num,
            system_id=options.system_id,
        )
        # Heartbeats are of wall time: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_POLL_S, self._poll, clock=steady)
        return self._to_autopilot

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_measurement(self, message: PoseWithCovarianceStamped) -> None:
        try:
            self._hand_on(message)
        except NotSentError as silence:
            self._once.say('silence', f'a measurement was not sent: {silence}')

    def _to_autopilot(self, message: PoseWithCovarianceStamped) -> None:
        self._poll()
        body = self._in_body(message)
        self._send(self._autopilot.measured(body, self._now_ns()))
        self._look_at_age()

    def _in_body(self, message: PoseWithCovarianceStamped) -> TargetMeasurement:
        """Return a measurement in FRD from the vehicle's origin."""
        mount, base = self._mount, self._options.base_frame
        if base:
            buffer = self._transforms.buffer
            try:
                camera = buffer.look_up(base, message.header.frame_id, stamp_ns=None)
            except LookupError as unknown:
                raise NotSentError(f'the mount of the camera is not known: {unknown}') from None
            mount = CameraMount.of_transform(camera.rotation, camera.translation)
        return mount.body(ros_messages.measurement(message))

    def _to_mavros(self) -> Callable[[PoseWithCovarianceStamped], None]:
        try:
            from mavros_msgs.msg import LandingTarget
        except ImportError:
            problem = 'mavros needs the package mavros_msgs; install ros-<distro>-mavros-msgs'
            raise ConfigurationError('bridge', [problem]) from None
        publisher = self.create_publisher(LandingTarget, 'mavros/landing_target/raw', qos.RESULT)
        self.get_logger().info(ros_messages.MAVROS_ADVICE)

        def hand_on(message: PoseWithCovarianceStamped) -> None:
            body = self._in_body(message)
            self._rules.check(body, self._now_ns())
            number = self._options.target_num
            publisher.publish(
                ros_messages.landing_target(LandingTarget(), body, message.header, number)
            )

        return hand_on

    def _to_docking(self) -> Callable[[PoseWithCovarianceStamped], None]:
        publisher = self.create_publisher(PoseStamped, 'detected_dock_pose', qos.RESULT)
        self.create_service(Trigger, '~/switch', self._switch)
        self.get_logger().info(ros_messages.DOCKING_ADVICE)

        def hand_on(message: PoseWithCovarianceStamped) -> None:
            self._rules.check(ros_messages.measurement(message), self._now_ns())
            if self._docking:
                publisher.publish(PoseStamped(header=message.header, pose=message.pose.pose))

        return hand_on

    def _switch(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Start or stop, in turns: Nav2 calls one service for both, first to start."""
        self._switched = self._docking = not self._switched
        response.success = True
        response.message = 'detection is on' if self._docking else 'detection is off'
        return response

    def _poll(self) -> None:
        assert self._link is not None
        now_ns = self._now_ns()
        self._send(self._autopilot.tick(now_ns))
        if data := self._link.receive():
            self._send(self._autopilot.received(data, now_ns))

    def _send(self, frames: list[bytes]) -> None:
        assert self._link is not None
        for frame in frames:
            try:
                self._link.send(frame)
            except OSError as error:
                self._once.say('link', f'{self._options.connection}: {in_words(error)}')

    def _look_at_age(self) -> None:
        """Say the age of measurements as they leave, which ArduPilot wants as a parameter."""
        self._sent += 1
        ages = self._autopilot.ages_ns
        if self._sent % _LOOK or not ages:
            return
        age_ms = statistics.median(ages) / 1e6
        if self._lag_ms is None or abs(age_ms - self._lag_ms) >= _NEWS_MS:
            self._lag_ms = age_ms
            advice = ''
            if self._options.bridge == 'ardupilot':
                advice = f'; set PLND_LAG to {float(np.clip(age_ms / 1e3, 0.02, 0.25)):.2f}'
            self.get_logger().info(
                f'measurements are {age_ms:.0f} ms old in the median when they are sent{advice}'
            )

    def destroy_node(self) -> None:
        """Give the link back, too."""
        if self._link is not None:
            self._link.close()
        super().destroy_node()


def main(arguments: list[str] | None = None) -> int:
    """Run the node until it is shut down; return its exit status."""
    return run_until_shutdown(TargetBridge, arguments)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Run a camera with a defect: ``python -m edge_perception.simulation.nodes.fault_injector``.

Stands between a camera and a node: ``camera/image_raw`` and ``camera/camera_info`` go in,
``faulty/image_raw`` and ``faulty/camera_info`` come out. The parameter ``faults`` is the schedule,
a list of strings as in ``edge_perception.simulation.faults``.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge_perception.contract import ConfigurationError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.ros.input.raw_images import image_to_frame
from edge_perception.ros.log_once import LogOnce
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.parameters.unknown_parameters import refuse_misspelled
from edge_perception.ros.system import qos
from edge_perception.ros.system.process_environment import transport_profile
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.ros.system.spinning import run_until_shutdown
from edge_perception.simulation.faults import Fault
from edge_perception.simulation.faults import FaultLine
from edge_perception.simulation.faults import parse_faults
from edge_perception.simulation.faults import Shot


class FaultInjector(Node):
    """
    Passes images on, with faults. All methods run in the thread of the executor.

    An image that cannot be read is passed on as it came, and is none of those that are counted.

    :raises ConfigurationError: the schedule is wrong, or a parameter is misspelled.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('fault_injector', **node_arguments)
        refuse_misspelled(self, ['faults'])
        free = ParameterDescriptor(dynamic_typing=True)
        given: Any = self.declare_parameter('faults', [''], free).value
        # Images that came, for those who have to know that one was swallowed.
        self.taken = 0
        self._line = FaultLine(_schedule(given))
        self._kinds: set[str] = set()
        self._reliable = False
        self._warnings = LogOnce(self.get_logger().warning, variants={'bad_image': 3})
        self._images: Publisher | None = self._advertise()
        self._infos = self.create_publisher(CameraInfo, 'faulty/camera_info', qos.RESULT)
        self._late: list[Timer] = []
        # Delays are of wall time: a simulated clock may stand still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_subscription(Image, 'camera/image_raw', self._on_image, qos.EVERY)
        self.create_subscription(CameraInfo, 'camera/camera_info', self._on_info, qos.EVERY)

    def _advertise(self) -> Publisher:
        profile = qos.RESULT if self._reliable else qos.CAMERA
        return self.create_publisher(Image, 'faulty/image_raw', profile)

    def _on_image(self, message: Image) -> None:
        try:
            frame = image_to_frame(message)
        except ImageError as error:
            sentence = f'{error}; such images are passed on as they come'
            self._warnings.say('bad_image', sentence, counted=False)
            self._publish(message)
        else:
            self._pass_on(frame)
        self.taken += 1

    def _pass_on(self, frame: Frame) -> None:
        shots = self._line.push(frame)
        self._say(frame.stamp_ns)
        self._follow_publisher()
        for shot in shots:
            if shot.delay_ns:
                self._send_later(shot)
            else:
                self._publish(_message(shot))

    def _say(self, stamp: int) -> None:
        """Log where faults begin and end."""
        before, self._kinds = self._kinds, self._line.kinds
        for kind in sorted(self._kinds - before):
            self.get_logger().info(f'{kind}: begins with the image of {stamp} ns')
        for kind in sorted(before - self._kinds):
            self.get_logger().info(f'{kind}: is over with the image of {stamp} ns')

    def _follow_publisher(self) -> None:
        """Let the publisher go, come back, or change its quality of service."""
        gone, reliable = self._line.active('restart'), self._line.active('qos')
        if self._images is not None and (gone or reliable != self._reliable):
            self.destroy_publisher(self._images)
            self._images = None
        if self._images is None and not gone:
            self._reliable = reliable
            self._images = self._advertise()

    def _send_later(self, shot: Shot) -> None:
        def send() -> None:
            self._late.remove(timer)
            self.destroy_timer(timer)
            self._publish(_message(shot))

        timer = self.create_timer(shot.delay_ns / 1e9, send, clock=self._steady_clock)
        self._late.append(timer)

    @property
    def listeners(self) -> int:
        """How many subscriptions get the images."""
        return 0 if self._images is None else int(self._images.get_subscription_count())

    def _publish(self, message: Image) -> None:
        if self._images is not None:
            self._images.publish(message)

    def _on_info(self, message: CameraInfo) -> None:
        if not self._line.active('info_lost'):
            self._infos.publish(message)


def _schedule(given: Any) -> tuple[Fault, ...]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, str) for each in given):
        problem = f"got {given!r}, expected a list of strings, as in ['black:30:10']"
        raise ConfigurationError('faults', [problem])
    return parse_faults([text for text in given if text])


def _message(shot: Shot) -> Image:
    header = Header(frame_id=shot.frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(shot.stamp_ns, 1_000_000_000)
    return image_message(shot.image, encoding=shot.encoding, header=header)


def main(arguments: list[str] | None = None) -> int:
    """
    Run the node until it is shut down.

    :return: exit status: 0, or 2 when the schedule is wrong or a parameter misspelled.
    """
    # Read by the first participant of a process.
    os.environ.update(transport_profile(os.environ))
    return run_until_shutdown(FaultInjector, arguments)


if __name__ == '__main__':
    sys.exit(main())

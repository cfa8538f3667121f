# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Run a camera that needs no hardware, as a node.

``python -m edge_perception.simulation.nodes.rendered_camera`` shows the approach to a landing pad
together with the truth about it, or the images of a file, of a folder or of a camera that OpenCV
knows. The parameters are those of ``CameraConfig``.
"""

from __future__ import annotations

from dataclasses import dataclass
import os
import sys
from typing import Any

import cv2
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import option
from edge_perception.contract import option_specs
from edge_perception.contract import Options
from edge_perception.contract import parse_options
from edge_perception.pose.solver import quaternion
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.parameters.unknown_parameters import refuse_misspelled
from edge_perception.ros.system import qos
from edge_perception.ros.system.process_environment import transport_profile
from edge_perception.ros.system.rclpy_versions import ClockType
from edge_perception.ros.system.spinning import run_until_shutdown
from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.nodes.camera_sources import open_pictures
from edge_perception.simulation.nodes.camera_sources import PictureSource
from edge_perception.simulation.rendering.pinhole import Floats
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.textures import Picture
from edge_perception.simulation.views import FIELD_OF_VIEW


@dataclass(frozen=True, slots=True)
class CameraConfig(Options):
    """Values of the parameters."""

    source: str = option(
        '',
        'path of an image, a folder of images or a video, or camera:NUMBER; empty: the '
        'approach to the landing pad',
    )
    seconds: float = option(
        20.0, 'how long the approach takes, and the process lives; 0: for ever', minimum=0.0
    )
    rate: float = option(
        30.0, 'images in a second; a video keeps its own rate', minimum=1.0, maximum=120.0
    )
    hold: bool = option(
        False, 'wait with the approach, and with the time, for a call of the service ~/start'
    )
    field_of_view: float = option(
        0.0,
        'horizontal, of a camera, image or video, degrees; gives it intrinsics; 0: unknown',
        minimum=0.0,
        maximum=170.0,
    )
    pad_size: float = option(
        1.0, 'side of the rendered pad, m', minimum=pad.SMALLEST, maximum=pad.LARGEST
    )
    seed: int = option(2, 'decides the way, the ground and the noise', minimum=0)
    frame_id: str = option('camera_optical_frame', 'frame_id of the images')


class RenderedCamera(Node):
    """
    Publishes images at the rate of a camera.

    Each image is stamped and published when it is due and the next one drawn afterwards, so that
    the age of an image does not contain the time to draw it. An image of a device is not taken
    before it is due: its age is not to lack the time that it would wait.

    :param finished: set with the exit status when the time is over or no more images come.
    """

    def __init__(self, **node_arguments: Any) -> None:
        # Named first: a node that cannot be made is destroyed as well.
        self._pictures: PictureSource | None = None
        super().__init__('rendered_camera', **node_arguments)
        self.finished: Future = Future()
        refuse_misspelled(self, (spec.name for spec in option_specs(CameraConfig)))
        # The types are checked with the values, in sentences.
        free = ParameterDescriptor(dynamic_typing=True)
        values: dict[str, Any] = {
            spec.name: self.declare_parameter(spec.name, spec.default, free).value
            for spec in option_specs(CameraConfig)
        }
        config = parse_options(CameraConfig, values, owner='parameter')
        assert isinstance(config, CameraConfig)
        self._config = config
        self._camera = PinholeCamera.from_field_of_view(FIELD_OF_VIEW)
        self._pictures = pictures = self._open()
        self._images = self.create_publisher(Image, 'camera/image_raw', qos.CAMERA)
        self._infos = self.create_publisher(CameraInfo, 'camera/camera_info', qos.RESULT)
        self._truths = self.create_publisher(PoseStamped, 'ground_truth/pose', qos.RESULT)
        self._held = config.hold
        self.create_service(Trigger, '~/start', self._on_start)
        self._started_ns: int | None = None
        self._next = pictures.take(0.0)
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        rate = pictures.rate or config.rate
        self.create_timer(1 / rate, self._guarded_tick, clock=self._steady_clock)
        height, width = self._next[0].shape[:2]
        self.get_logger().info(
            f'{config.source or "approach to the landing pad"}: {width}x{height} at {rate:g} Hz'
        )

    def destroy_node(self) -> None:
        """Close the source of images as well."""
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None
        super().destroy_node()

    def _open(self) -> PictureSource:
        config = self._config
        approach = Approach(
            self._camera,
            duration=config.seconds or 20.0,
            start=8.8 * config.pad_size,
            end=0.9 * config.pad_size,
            side=config.pad_size,
            seed=config.seed,
        )
        return open_pictures(config.source, approach=approach, seed=config.seed)

    def _on_start(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Begin; once begun, nothing changes."""
        self._held = False
        response.success = True
        return response

    def _guarded_tick(self) -> None:
        if self.finished.done():
            return
        try:
            self._tick()
        except EdgePerceptionError as error:
            self.get_logger().error(f'[{error.code}]: {error}')
            self.finished.set_result(1)

    def _tick(self) -> None:
        time = self._time()
        if self._config.seconds and time > self._config.seconds:
            self.finished.set_result(0)
            return
        pictures = self._pictures
        if pictures is None:
            return
        if pictures.live:
            self._next = pictures.take(time)
        picture, view = self._next
        header = Header(frame_id=self._config.frame_id)
        header.stamp = self.get_clock().now().to_msg()
        # The intrinsics and the truth first, so that they are there when the image is.
        camera = self._intrinsics(picture) if view is None else view.camera
        if camera is not None:
            self._infos.publish(camera_info_message(camera, header=header))
        if view is not None:
            turned = quaternion(view.rotation)
            self._truths.publish(truth_message(view.position, turned, header=header))
        self._images.publish(image_message(picture, encoding='bgr8', header=header))
        if not pictures.live:
            self._next = pictures.take(time)

    def _intrinsics(self, picture: Picture) -> PinholeCamera | None:
        """Return those of a lens without distortion, as far as its field of view is known."""
        degrees = self._config.field_of_view
        height, width = picture.shape[:2]
        if not degrees:
            return None
        return PinholeCamera.from_field_of_view(degrees, width=width, height=height)

    def _time(self) -> float:
        """Return seconds since the start, 0 before it."""
        if self._held:
            return 0.0
        now_ns = int(self._steady_clock.now().nanoseconds)
        if self._started_ns is None:
            self._started_ns = now_ns
        return (now_ns - self._started_ns) / 1e9


def camera_info_message(camera: PinholeCamera, *, header: Header) -> CameraInfo:
    """Return the intrinsics."""
    message = CameraInfo()
    message.header = header
    message.width, message.height = camera.width, camera.height
    message.distortion_model = 'plumb_bob'
    message.d = list(camera.distortion)
    k = camera.matrix
    message.k = k.ravel().tolist()
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [float(value) for row in k for value in (*row, 0.0)]
    return message


def truth_message(position: Floats, orientation: Floats, *, header: Header) -> PoseStamped:
    """Return the pose of the pad: meters (3,) and quaternion (4,) in the frame of the header."""
    message = PoseStamped(header=header)
    to, turned = message.pose.position, message.pose.orientation
    to.x, to.y, to.z = position.tolist()
    turned.x, turned.y, turned.z, turned.w = orientation.tolist()
    return message


def main(arguments: list[str] | None = None) -> int:
    """
    Run the camera until its time is over.

    :return: exit status: 0, 1 when no more images come, 2 when a parameter is wrong.
    """
    # A camera is not to take the cores of the nodes that use its images.
    cv2.setNumThreads(1)
    # Read by the first participant of a process.
    os.environ.update(transport_profile(os.environ))
    return run_until_shutdown(RenderedCamera, arguments)


if __name__ == '__main__':
    sys.exit(main())

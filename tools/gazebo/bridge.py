# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Bridge a flight in Gazebo Classic to ROS: ``python -m tools.gazebo.bridge``.

Publishes ``/clock``, ``/camera/image_raw``, ``/camera/camera_info`` and what is in
``/ground_truth``.
Gazebo stamps an image with the time of the poses that it was rendered with
(gazebo/rendering/Scene.cc, ``SimTime``), so the pose of the vehicle that was reported last at or
before the stamp is the one in the image: nothing is interpolated, and the odometry of an image
has its stamp.
"""

from __future__ import annotations

from pathlib import Path
import sys
import threading
import time
from typing import Any

from nav_msgs.msg import Odometry
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.system import qos
from edge_perception.simulation.gazebo.worlds import World
from edge_perception.simulation.nodes.pad_truth import PadTruth
from edge_perception.simulation.nodes.rendered_camera import camera_info_message
from tools.gazebo.transport import Client
from tools.gazebo.transport import MessageTypes

FRAME = 'down_camera_optical_frame'
PREFIX = '/gazebo/landing'
VEHICLE = 'carrier'
IMAGES = f'{PREFIX}/{VEHICLE}/body/down/image'
# Of Gazebo's messages: common::Image::PixelFormat.
RGB_INT8 = 3
POSES_KEPT = 4000
POSE_PATIENCE_S = 2.0
IMAGE_PATIENCE_S = 60.0


class Bridge(Node):
    """
    The ROS side. Gazebo's messages come in threads of their own.

    :param client: connected to Gazebo.
    :param until_s: simulated time of the last image; ``over`` is set then, and ``seen`` with the
        first one.
    """

    def __init__(self, client: Client, *, until_s: float) -> None:
        super().__init__('gazebo_bridge')
        self.over = threading.Event()
        self.seen = threading.Event()
        self._until_ns = int(until_s * 1e9)
        self._lock = threading.Lock()
        self._told = threading.Condition(self._lock)
        self._poses: dict[int, Any] = {}
        self._poses_ns = -1
        self._now_ns = -1
        self._camera = World().camera
        self._clock_publisher = self.create_publisher(Clock, '/clock', qos.RESULT)
        self._images = self.create_publisher(Image, 'camera/image_raw', qos.CAMERA)
        self._infos = self.create_publisher(CameraInfo, 'camera/camera_info', qos.RESULT)
        self._places = self.create_publisher(Odometry, 'ground_truth/odometry', qos.RESULT)
        client.subscribe(f'{PREFIX}/pose/local/info', 'PosesStamped', self._on_poses)
        client.subscribe(IMAGES, 'ImageStamped', self._on_image)

    def _on_poses(self, message: Any) -> None:
        stamp = _nanoseconds(message.time)
        with self._told:
            for pose in message.pose:
                if pose.name == VEHICLE:
                    self._poses[stamp] = pose
            while len(self._poses) > POSES_KEPT:
                del self._poses[next(iter(self._poses))]
            self._poses_ns = stamp
            self._told.notify_all()
        self._tick(stamp)

    def _tick(self, stamp: int) -> None:
        """Let the time of ROS follow; it never goes back."""
        with self._lock:
            if stamp <= self._now_ns:
                return
            self._now_ns = stamp
            self._clock_publisher.publish(Clock(clock=_header(stamp).stamp))

    def _on_image(self, message: Any) -> None:
        stamp = _nanoseconds(message.time)
        self.seen.set()
        if stamp > self._until_ns:
            self.over.set()
            return
        image = message.image
        if image.pixel_format != RGB_INT8:
            raise ValueError(f'pixel format: got {image.pixel_format}, expected {RGB_INT8} (rgb8)')
        self._tick(stamp)
        header = _header(stamp)
        self._infos.publish(camera_info_message(self._camera, header=header))
        pose = self._pose(stamp)
        if pose is not None:
            self._places.publish(_odometry(pose, header))
        rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
        pixels = rows[:, : 3 * image.width].reshape(image.height, image.width, 3)
        picture = image_message(pixels, encoding='rgb8', header=header)
        self._images.publish(picture)

    def _pose(self, stamp: int) -> Any:
        """Return the pose of the vehicle in an image; None if nothing is known of it."""
        with self._told:
            # Poses come through another socket, with every step of the simulation.
            if not self._told.wait_for(lambda: self._poses_ns >= stamp, POSE_PATIENCE_S):
                return None
            known = [time for time in self._poses if time <= stamp]
            return self._poses[max(known)] if known else None


def _nanoseconds(time: Any) -> int:
    return int(time.sec) * 1_000_000_000 + int(time.nsec)


def _header(stamp: int) -> Header:
    header = Header(frame_id=FRAME)
    header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    return header


def _odometry(pose: Any, header: Header) -> Odometry:
    message = Odometry(child_frame_id=VEHICLE)
    message.header = Header(frame_id='world', stamp=header.stamp)
    to, turned = message.pose.pose.position, message.pose.pose.orientation
    to.x, to.y, to.z = pose.position.x, pose.position.y, pose.position.z
    given = pose.orientation
    turned.x, turned.y, turned.z, turned.w = given.x, given.y, given.z, given.w
    return message


def main(arguments: list[str]) -> int:
    """
    Bridge until the flight is over, Gazebo ends or a signal comes.

    :param arguments: port of Gazebo's master, file of descriptors, simulated seconds.
    :return: exit status: 1 when Gazebo ended before the flight was over, or shows nothing.
    """
    port, descriptors, until_s = arguments
    client = Client(MessageTypes(Path(descriptors)), port=int(port))
    rclpy.init()
    executor = rclpy.executors.SingleThreadedExecutor()
    bridge = Bridge(client, until_s=float(until_s))
    nodes: list[Node] = [bridge, PadTruth()]
    for node in nodes:
        executor.add_node(node)
    try:
        give_up_s = time.monotonic() + IMAGE_PATIENCE_S
        while not (client.closed.is_set() or bridge.over.is_set()):
            executor.spin_once(timeout_sec=0.2)
            if not bridge.seen.is_set() and time.monotonic() > give_up_s:
                print(f'no image of {IMAGES} came in {IMAGE_PATIENCE_S:g} s; see gazebo.log')
                break
    except (KeyboardInterrupt, ExternalShutdownException):
        # Ctrl-C and SIGTERM are the usual ways to end the process.
        pass
    finally:
        client.close()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0 if bridge.over.is_set() else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

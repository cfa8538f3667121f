# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The camera, as a process: publishes pictures and takes the time until they are answered.

Both ends of the way are here, and one monotonic clock measures it. It begins with the call of
``publish``, and ends when the callback of the subscription runs; the stamp in the header says
which picture was answered.
"""

from __future__ import annotations

import argparse
from array import array
from contextlib import suppress
import json
from pathlib import Path
import sys
import threading
import time
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from edge_perception.ros.input.camera_info import camera_info_beside
from edge_perception.ros.system import qos
from edge_perception.simulation.nodes.rendered_camera import camera_info_message
from edge_perception.simulation.pace import paced
from tools.bench.figures import Times
from tools.bench.settings import LENS

FRAME_ID = 'camera_optical_frame'
MEETING_TIMEOUT_S = 30.0
LAST_ANSWER_TIMEOUT_S = 2.0
POLL_S = 0.01


class Camera:
    """
    Publishes images, each with its CameraInfo, and remembers when.

    :param images: topic.
    :param results: topic of the answers.
    """

    def __init__(self, node: Node, *, images: str, results: str) -> None:
        self._published_ns: dict[int, int] = {}
        self._answered_ns: dict[int, int] = {}
        self._clock = node.get_clock()
        self._publisher = node.create_publisher(Image, images, qos_profile_sensor_data)
        self._info = camera_info_message(LENS, header=Header(frame_id=FRAME_ID))
        self._infos = node.create_publisher(
            CameraInfo, camera_info_beside(images), qos_profile_sensor_data
        )
        self._subscription = node.create_subscription(
            Detection2DArray, results, self._receive, qos.RESULT
        )

    def meet(self) -> bool:
        """Wait until somebody listens and answers; False when nobody does."""
        deadline = time.monotonic() + MEETING_TIMEOUT_S
        while time.monotonic() < deadline:
            if (
                self._publisher.get_subscription_count()
                and self._subscription.get_publisher_count()
            ):
                return True
            time.sleep(POLL_S)
        return False

    def publish(self, message: Image) -> int:
        """Publish an image with the stamp of this moment; returns the stamp."""
        now = self._clock.now()
        message.header.stamp = now.to_msg()
        stamp_ns = int(now.nanoseconds)
        self._published_ns[stamp_ns] = time.monotonic_ns()
        self._publisher.publish(message)
        self._info.header.stamp = message.header.stamp
        self._infos.publish(self._info)
        return stamp_ns

    def wait_for(self, stamp_ns: int) -> None:
        """Wait for an answer, but not for long."""
        deadline = time.monotonic() + LAST_ANSWER_TIMEOUT_S
        while stamp_ns not in self._answered_ns and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def times(self, stamp_ns: int) -> Times:
        """Return stamp, moment of publishing and moment of the answer, if one came."""
        return stamp_ns, self._published_ns[stamp_ns], self._answered_ns.get(stamp_ns)

    def _receive(self, message: Detection2DArray) -> None:
        now_ns = time.monotonic_ns()
        stamp = message.header.stamp
        stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
        self._answered_ns[stamp_ns] = now_ns


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', required=True)
    parser.add_argument('--results', required=True)
    parser.add_argument('--pictures', type=Path, required=True)
    parser.add_argument('--rate', type=float, required=True)
    parser.add_argument('--warm-up', type=int, required=True)
    parser.add_argument('--frames', type=int, required=True)
    parser.add_argument('--output', type=Path, required=True)
    wanted = parser.parse_args()
    rclpy.init()
    node = Node('camera')
    camera = Camera(node, images=wanted.images, results=wanted.results)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=spin, args=(executor,), daemon=True)
    spinner.start()
    try:
        if not camera.meet():
            print(f'nobody listens to {wanted.images} and answers on {wanted.results}')
            return 1
        wanted.output.write_text(json.dumps(film(camera, wanted)))
    finally:
        executor.shutdown()
        spinner.join()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def spin(executor: SingleThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


def film(camera: Camera, wanted: argparse.Namespace) -> list[Times]:
    """Publish all pictures and return the times of those after the warm-up."""
    pictures = [image_message(picture) for picture in np.load(wanted.pictures)]
    stamps = []
    for number in paced(wanted.warm_up + wanted.frames, rate_hz=wanted.rate):
        stamps.append(camera.publish(pictures[number % len(pictures)]))
    camera.wait_for(stamps[-1])
    return [camera.times(stamp) for stamp in stamps[wanted.warm_up :]]


def image_message(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> Image:
    """Return a bgr8 image of a picture (height, width, 3)."""
    message = Image(encoding='bgr8', height=picture.shape[0], width=picture.shape[1])
    message.step = 3 * message.width
    # Not bytes, and not the array of NumPy: rclpy checks those element by element.
    message.data = array('B', picture.tobytes())
    message.header.frame_id = FRAME_ID
    return message


if __name__ == '__main__':
    sys.exit(main())

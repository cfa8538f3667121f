# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Publish images at a rate, as a process, and record when a node answers them.

Its only argument are those of ``play`` as JSON. Both ends of an image's way are here, on one
monotonic clock: it begins with the call of ``publish``, and ends when the callback of the
subscription runs. The source time stamp of DDS tells when the answer was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple
import json
from pathlib import Path
import sys
import time
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge_perception.contract.types import UInt8Array
from edge_perception.ros.input.camera_info import camera_info_beside
from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.output.image_messages import compressed_image_message
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.output.publishers import TOPICS
from edge_perception.ros.system import qos
from edge_perception.ros.system.rclpy_versions import informed
from edge_perception.ros.system.spinning import Spinner
from edge_perception.simulation.nodes.rendered_camera import camera_info_message
from edge_perception.simulation.playback import paced
from edge_perception.simulation.playback import Shown
from edge_perception.simulation.rendering.pinhole import PinholeCamera

FRAME_ID = 'camera_optical_frame'
# Types of the results by the last part of their topics.
RESULT_TYPES: dict[str, Any] = {
    topic.rpartition('/')[2]: message_type
    for topics in TOPICS.values()
    for topic, message_type in topics
}
MEETING_TIMEOUT_S = 60.0
LAST_ANSWER_TIMEOUT_S = 2.0
POLL_S = 0.005


class PlaybackCamera:
    """
    Publishes images and remembers when each was sent and answered.

    :param topic: of the raw images.
    :param results: topic of the answers; its last part tells their type.
    :param status: name of the status of this camera in the diagnostics of the node.
    :param lens: published as CameraInfo with each image; None for no CameraInfo.
    """

    def __init__(
        self,
        node: Node,
        *,
        topic: str,
        results: str,
        status: str,
        compressed: bool,
        lens: PinholeCamera | None = None,
    ) -> None:
        self._clock = node.get_clock()
        self._status = status
        self._compressed = compressed
        self._sent: dict[int, int] = {}
        self._answers: dict[int, tuple[int, int]] = {}
        self.report: dict[str, str] = {}
        self.engine: dict[str, str] = {}
        kind = CompressedImage if compressed else Image
        profile = qos_profile_sensor_data
        self._publisher = node.create_publisher(
            kind, f'{topic}/compressed' if compressed else topic, profile
        )
        self._info = None
        if lens is not None:
            self._info = camera_info_message(lens, header=Header(frame_id=FRAME_ID))
            self._infos = node.create_publisher(CameraInfo, camera_info_beside(topic), profile)
        self._results = node.create_subscription(
            RESULT_TYPES[results.rpartition('/')[2]], results, informed(self._receive), qos.RESULT
        )
        node.create_subscription(DiagnosticArray, '/diagnostics', self._hear, 10)

    def meet(self) -> bool:
        """Wait until a node listens and answers; False when none does in time."""
        deadline = time.monotonic() + MEETING_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._publisher.get_subscription_count() and self._results.get_publisher_count():
                return True
            time.sleep(POLL_S)
        return False

    def publish(self, message: Any) -> None:
        """Publish an image with the stamp of this moment."""
        now = self._clock.now()
        message.header.stamp = now.to_msg()
        self._sent[int(now.nanoseconds)] = time.monotonic_ns()
        self._publisher.publish(message)
        if self._info is not None:
            self._info.header.stamp = message.header.stamp
            self._infos.publish(self._info)

    def publish_all(self, pictures: Sequence[UInt8Array], count: int, *, rate_hz: float) -> None:
        """Publish in step, then wait for the last answer and the report of the node after it."""
        messages = [_message(each, compressed=self._compressed) for each in pictures]
        for number in paced(count, rate_hz=rate_hz):
            self.publish(messages[number % len(messages)])
        time.sleep(LAST_ANSWER_TIMEOUT_S)

    def summary(self) -> dict[str, Any]:
        """Return each image as shown, and the last reports of the node, for JSON."""
        shown = [astuple(each) for each in self.shown()]
        return {'shown': shown, 'report': self.report, 'engine': self.engine}

    def shown(self) -> list[Shown]:
        """Return what became of each image."""
        return [
            Shown(stamp, sent, *self._answers.get(stamp, (None, None)))
            for stamp, sent in self._sent.items()
        ]

    def _receive(self, message: Any, info: Any) -> None:
        now_ns = time.monotonic_ns()
        stamp = stamp_ns(message.header)
        self._answers[stamp] = (now_ns, info['source_timestamp'] - stamp)

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if status.name == self._status:
                self.report = values
            elif status.name == f'{self._status.partition(": ")[0]}: engine':
                self.engine = values


def play(
    *,
    rate: float,
    frames: int,
    begin: str,
    output: str,
    phase: float = 0.0,
    images: str = '',
    size: tuple[int, int] = (640, 480),
    compressed: bool = False,
    focal: float = 0.0,
    **topics: str,
) -> int:
    """
    Publish images in step, and write down what became of them.

    :param begin: starts when this file appears.
    :param output: gets each image as shown, and the last report of the camera and of the engine.
    :param phase: seconds until the first image.
    :param images: NumPy file, uint8 (N, height, width, 3), BGR; empty: noise of ``size``.
    :param focal: focal length in pixels for a CameraInfo with each image (0 = none).
    :param topics: topic, results and status of a ``PlaybackCamera``.
    :return: exit status, 1 when no node listens and answers.
    """
    pictures = np.load(images) if images else [noise(*size)]
    height, width = pictures[0].shape[:2]
    lens = PinholeCamera(width, height, focal) if focal else None
    name = 'camera_' + topics['topic'].strip('/').replace('/', '_')
    with closing(Spinner()) as spinner:
        node = spinner.add(lambda context: Node(name, context=context))
        camera = PlaybackCamera(node, **topics, compressed=compressed, lens=lens)
        if not camera.meet():
            say('no node listens to {topic} and answers on {results}'.format(**topics))
            return 1
        say('ready')
        _wait_for(begin)
        time.sleep(phase)
        camera.publish_all(pictures, frames, rate_hz=rate)
    Path(output).write_text(json.dumps(camera.summary()))
    return 0


def _wait_for(begin: str) -> None:
    while not Path(begin).exists():
        time.sleep(POLL_S)


def say(line: str) -> None:
    """Tell the process that has started this one."""
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def noise(width: int, height: int) -> UInt8Array:
    """Return an image that JPEG cannot make small."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def _message(pixels: UInt8Array, *, compressed: bool) -> Any:
    if compressed:
        message: Any = compressed_image_message(cv2.imencode('.jpg', pixels)[1])
    else:
        message = image_message(pixels, encoding='bgr8')
    message.header.frame_id = FRAME_ID
    return message


if __name__ == '__main__':
    sys.exit(play(**json.loads(sys.argv[1])))

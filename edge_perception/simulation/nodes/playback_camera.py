# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
One camera, as a process: publishes images at a rate, and notes when they are answered.

It also notes when the middleware of the node took each answer over (the source time stamp of
DDS), and what the node reports of this camera and of its engine in the end.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
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
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image

from edge_perception.ros.input.raw_images import stamp_ns
from edge_perception.ros.output.image_messages import compressed_image_message
from edge_perception.ros.output.image_messages import image_message
from edge_perception.ros.output.publishers import TOPICS
from edge_perception.ros.system import qos
from edge_perception.ros.system.rclpy_versions import informed
from edge_perception.ros.system.spinning import Spinner
from edge_perception.simulation.pace import paced
from edge_perception.simulation.playback import Shown

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
    """

    def __init__(
        self, node: Node, *, topic: str, results: str, status: str, compressed: bool
    ) -> None:
        self._clock = node.get_clock()
        self._status = status
        self._sent: dict[int, int] = {}
        self._answers: dict[int, tuple[int, int]] = {}
        self.report: dict[str, str] = {}
        self.engine: dict[str, str] = {}
        kind = CompressedImage if compressed else Image
        topic = f'{topic}/compressed' if compressed else topic
        self._publisher = node.create_publisher(kind, topic, qos_profile_sensor_data)
        self._results = node.create_subscription(
            RESULT_TYPES[results.rpartition('/')[2]],
            results,
            informed(self._receive),
            qos.RESULT,
        )
        node.create_subscription(DiagnosticArray, '/diagnostics', self._hear, 10)

    def meet(self) -> bool:
        """Wait until somebody listens and answers; False when nobody does."""
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

    def wait_for_the_last(self) -> None:
        """Wait for the last answer, and for what the node reports after it."""
        time.sleep(LAST_ANSWER_TIMEOUT_S)

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--topic', required=True)
    parser.add_argument('--results', required=True)
    parser.add_argument('--status', required=True)
    parser.add_argument('--rate', type=float, required=True)
    parser.add_argument('--frames', type=int, required=True)
    parser.add_argument('--phase', type=float, default=0.0, help='seconds until the first image')
    parser.add_argument('--width', type=int, required=True)
    parser.add_argument('--height', type=int, required=True)
    parser.add_argument('--compressed', action='store_true')
    parser.add_argument('--begin', type=Path, required=True, help='starts when this file appears')
    parser.add_argument('--output', type=Path, required=True)
    wanted = parser.parse_args()
    spinner = Spinner()
    name = f'camera_{wanted.topic.strip("/").replace("/", "_")}'
    node = spinner.add(lambda context: Node(name, context=context))
    camera = PlaybackCamera(
        node,
        topic=wanted.topic,
        results=wanted.results,
        status=wanted.status,
        compressed=wanted.compressed,
    )
    try:
        if not camera.meet():
            say(f'nobody listens to {wanted.topic} and answers on {wanted.results}')
            return 1
        film(camera, wanted)
    finally:
        spinner.close()
    return 0


def say(line: str) -> None:
    """Tell whoever has started the process."""
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def film(camera: PlaybackCamera, wanted: argparse.Namespace) -> None:
    """Publish all images in step, and write down what became of them."""
    message = picture(wanted.width, wanted.height, compressed=wanted.compressed)
    say('ready')
    while not wanted.begin.exists():
        time.sleep(POLL_S)
    time.sleep(wanted.phase)
    for _ in paced(wanted.frames, rate_hz=wanted.rate):
        camera.publish(message)
    camera.wait_for_the_last()
    values = {
        'shown': [list(asdict(each).values()) for each in camera.shown()],
        'report': camera.report,
        'engine': camera.engine,
    }
    wanted.output.write_text(json.dumps(values))


def picture(width: int, height: int, *, compressed: bool) -> Any:
    """Return a message with a picture that JPEG cannot make small."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    pixels = cv2.resize(coarse, (width, height))
    if compressed:
        _, encoded = cv2.imencode('.jpg', pixels)
        message: Any = compressed_image_message(encoded)
    else:
        message = image_message(np.asarray(pixels), encoding='bgr8')
    message.header.frame_id = FRAME_ID
    return message


if __name__ == '__main__':
    sys.exit(main())

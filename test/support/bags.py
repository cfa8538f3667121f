# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
ROS 2 bags in tests: written from pictures, read back, played over real DDS.

::

    bag = write_bag(tmp_path / 'bag', camera_messages(pictures, transport='jpeg'))
    play(bag, node=node, topics={'/camera/image_raw/compressed': '/image_raw/compressed'})
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
import importlib
from pathlib import Path
import threading
import time
from typing import Any

import cv2
import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos import QoSReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_typestore
from rosbags.typesys import Stores
from sensor_msgs.msg import CameraInfo

from edge_perception.ros.output.image_messages import compressed_image_message
from edge_perception.ros.output.image_messages import image_message

RELIABLE = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)

STORAGE = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}

# Long enough for a loaded machine; only a test that fails waits so long.
PATIENCE_S = 30.0
ATTEMPTS = 20

# Topic, message, time of recording in nanoseconds.
Recorded = tuple[str, Any, int]


@dataclass(frozen=True)
class BagMessage:
    """
    One message of a bag.

    :param type_name: e.g. ``sensor_msgs/msg/Image``.
    :param time_ns: when it was recorded.
    :param cdr: the message as it goes over the wire.
    """

    topic: str
    type_name: str
    time_ns: int
    cdr: bytes

    @property
    def message_type(self) -> type:
        package, _, name = self.type_name.split('/')
        return getattr(importlib.import_module(f'{package}.msg'), name)

    @cached_property
    def message(self) -> Any:
        return deserialize_message(self.cdr, self.message_type)


def camera_messages(
    pictures: Iterable[Path],
    *,
    transport: str = 'raw',
    camera: str = '/camera',
    frame_id: str = 'camera_optical_frame',
    start_ns: int = 1_700_000_000_000_000_000,
    period_ns: int = 100_000_000,
) -> Iterator[Recorded]:
    """
    Show pictures to a camera: an image and a CameraInfo with equal headers for each of them.

    :param transport: ``raw`` for Image bgr8 on ``<camera>/image_raw``; ``jpeg`` (bytes of the file
        as they are) or ``png`` for CompressedImage on ``<camera>/image_raw/compressed``.
    """
    for index, path in enumerate(pictures):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        height, width = picture.shape[:2]
        info = CameraInfo(width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5)
        info.k = [width, 0.0, width / 2, 0.0, width, height / 2, 0.0, 0.0, 1.0]
        if transport == 'raw':
            topic = f'{camera}/image_raw'
            image = image_message(picture, encoding='bgr8')
        else:
            topic = f'{camera}/image_raw/compressed'
            data = path.read_bytes() if transport == 'jpeg' else _png(picture)
            image = compressed_image_message(data, format_=f'bgr8; {transport} compressed bgr8')
        time_ns = start_ns + index * period_ns
        for message in (image, info):
            message.header.frame_id = frame_id
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(time_ns, 10**9)
        yield topic, image, time_ns
        yield f'{camera}/camera_info', info, time_ns


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode('.png', picture)[1].tobytes()


def write_bag(path: Path, messages: Iterable[Recorded], *, storage: str = 'mcap') -> Path:
    """
    Write a bag and return its folder.

    :param path: a folder that does not exist yet.
    :param storage: a key of ``STORAGE``.
    """
    types = get_typestore(Stores.ROS2_HUMBLE)
    connections: dict[str, Any] = {}
    with Writer(path, version=8, storage_plugin=STORAGE[storage]) as writer:
        for topic, message, time_ns in messages:
            if topic not in connections:
                package, name = type(message).__module__.split('.')[0], type(message).__name__
                connections[topic] = writer.add_connection(
                    topic, f'{package}/msg/{name}', typestore=types
                )
            writer.write(connections[topic], time_ns, serialize_message(message))
    return path


def read_bag(path: Path) -> Iterator[BagMessage]:
    """Read the messages of a bag in the order of their recording."""
    with Reader(path) as reader:
        for connection, time_ns, cdr in reader.messages():
            yield BagMessage(connection.topic, connection.msgtype, time_ns, bytes(cdr))


def play(
    bag: Path,
    *,
    node: Node,
    topics: Mapping[str, str] | None = None,
    qos: QoSProfile = RELIABLE,
    wait_until_taken: Callable[[BagMessage], bool] | None = None,
) -> int:
    """
    Publish the messages of a bag, unchanged and as fast as they are taken.

    Starts when every topic has a subscriber. Call it from a thread that does not spin the node.

    :param topics: topics of the bag that are played, and under which name; None plays all.
    :param wait_until_taken: called after each message; waits until the message has had its effect
        and returns True, or gives up after a time of its own and returns False. Then the message
        is published again, because a best-effort subscriber may lose it.
    :return: how many messages were played, each counted once.
    :raises TimeoutError: nobody subscribes, or a message is never taken.
    """
    messages = [each for each in read_bag(bag) if topics is None or each.topic in topics]
    types = {each.topic: each.message_type for each in messages}
    publishers = {
        topic: node.create_publisher(message_type, topics[topic] if topics else topic, qos)
        for topic, message_type in types.items()
    }
    try:
        for publisher in publishers.values():
            _wait_for_subscriber(publisher)
        for message in messages:
            _publish(publishers[message.topic], message, wait_until_taken=wait_until_taken)
        for publisher in publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=PATIENCE_S))
    finally:
        for publisher in publishers.values():
            node.destroy_publisher(publisher)
    return len(messages)


def _wait_for_subscriber(publisher: Publisher) -> None:
    end = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not publisher.get_subscription_count():
        if time.monotonic() > end:
            raise TimeoutError(f'nobody subscribed to {publisher.topic_name}')
        pause.wait(0.01)


def _publish(
    publisher: Publisher,
    message: BagMessage,
    *,
    wait_until_taken: Callable[[BagMessage], bool] | None,
) -> None:
    for _ in range(ATTEMPTS):
        publisher.publish(message.cdr)
        if wait_until_taken is None or wait_until_taken(message):
            return
    raise TimeoutError(f'{publisher.topic_name}: message of {message.time_ns} was never taken')

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bags through our conversion: recorded by others, written from pictures, played over DDS."""

from __future__ import annotations

import json
import queue

import cv2
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image

from edge_perception.ros.input.compressed_images import compressed_to_frame
from edge_perception.ros.input.compressed_images import SizeLimit
from edge_perception.ros.input.raw_images import image_to_frame
from test.support.bags import camera_messages
from test.support.bags import play
from test.support.bags import read_bag
from test.support.bags import write_bag
from test.support.graph import Spinner

MAX_PIXELS = 4096 * 4096


@pytest.fixture
def pictures(shared_data):
    return sorted((shared_data / 'coco_cc20' / 'images').glob('*.jpg'))[:4]


@pytest.fixture
def node():
    spinner = Spinner()
    yield spinner.add(lambda context: Node('bag_player', context=context))
    spinner.close()


def to_frame(message):
    if isinstance(message, Image):
        return image_to_frame(message)
    return compressed_to_frame(message, limit=SizeLimit(MAX_PIXELS))


def seen_by_opencv(path):
    return cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


@pytest.mark.parametrize('folder', ['aruco_images_mcap', 'aruco_marker_sqlite3'])
def test_recorded_bags_decode_to_what_was_recorded(shared_data, folder):
    name = folder.rpartition('_')[0] + '.bag'
    expected = json.loads((shared_data / 'golden' / 'bags.json').read_text())[name]['image']
    messages = [
        each.message
        for each in read_bag(shared_data / 'bags' / folder)
        if each.type_name == 'sensor_msgs/msg/CompressedImage'
    ]
    assert len(messages) == 1
    frame = to_frame(messages[0])
    assert list(frame.image.shape) == expected['shape']
    assert frame.frame_id == expected['frame_id']
    assert frame.image.std() > 10  # a picture, not a plain field


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('transport', ['raw', 'jpeg', 'png'])
def test_a_written_bag_gives_the_pictures_back(pictures, tmp_path, transport, storage):
    bag = write_bag(
        tmp_path / 'bag', camera_messages(pictures, transport=transport), storage=storage
    )
    frames = [to_frame(each.message) for each in read_bag(bag) if 'image_raw' in each.topic]
    assert [frame.stamp_ns for frame in frames] == [
        1_700_000_000_000_000_000 + index * 100_000_000 for index in range(len(pictures))
    ]
    for frame, path in zip(frames, pictures):
        picture = seen_by_opencv(path)
        if frame.encoding == 'mono8':
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        np.testing.assert_array_equal(frame.image, picture)


@pytest.mark.parametrize('transport', ['raw', 'jpeg'])
def test_a_played_bag_reaches_a_best_effort_subscriber(pictures, tmp_path, node, transport):
    bag = write_bag(tmp_path / 'bag', camera_messages(pictures, transport=transport))
    recorded = '/camera/image_raw' if transport == 'raw' else '/camera/image_raw/compressed'
    received: queue.Queue = queue.Queue()
    node.create_subscription(
        Image if transport == 'raw' else CompressedImage,
        '/image',
        received.put,
        qos_profile_sensor_data,
    )
    frames = []

    def taken(message):
        frame = None
        while frame is None or frame.stamp_ns != message.time_ns:  # not a second copy
            try:
                frame = to_frame(received.get(timeout=5))
            except queue.Empty:
                return False
        frames.append(frame)
        return True

    played = play(bag, node=node, topics={recorded: '/image'}, wait_until_taken=taken)
    assert played == len(pictures)
    for frame, path in zip(frames, pictures):
        np.testing.assert_array_equal(frame.image, seen_by_opencv(path))

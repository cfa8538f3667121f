# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Real networks see real photographs that arrive over DDS, and the golden boxes come out."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import queue
from typing import Any

import numpy as np
import pytest
from vision_msgs.msg import Detection2DArray

from test.support.bags import BagMessage
from test.support.bags import camera_messages
from test.support.bags import play
from test.support.bags import read_bag
from test.support.bags import write_bag
from test.support.graph import Spinner
from test.support.graph import Tester
from test.support.process import node_process
from tools.model_folders import model_folder

GOLDENS = {
    'yolox_nano': 'yolox_nano.onnx',
    'nanodet_m': 'nanodet_m_416.onnx',
    'light_person_detector': 'light_person_detector/model.onnx',
}
# A lost image is shown again after this time; nothing waits so long otherwise.
SHOW_AGAIN_S = 3.0


@pytest.fixture
def tester() -> Iterator[Tester]:
    spinner = Spinner()
    yield Tester(spinner)
    spinner.close()


class Audience:
    """Collects results by stamp and tells the player when the one of an image is there."""

    def __init__(self, tester: Tester) -> None:
        self._arriving = tester.collect(Detection2DArray, '/perception/detections')
        self.results: dict[int, Detection2DArray] = {}

    def has_seen(self, message: BagMessage) -> bool:
        """Wait for the result of an image; other topics have no result."""
        if 'image' not in message.topic:
            return True
        while message.time_ns not in self.results:
            try:
                result = self._arriving.get(timeout=SHOW_AGAIN_S)
            except queue.Empty:
                return False
            stamp = result.header.stamp
            self.results[stamp.sec * 10**9 + stamp.nanosec] = result
        return True


def assert_golden(result: Detection2DArray, expected: list[dict[str, Any]], name: str) -> None:
    found = result.detections
    classes = [each.results[0].hypothesis.class_id for each in found]
    assert classes == [each['label'] for each in expected], name
    for detection, golden in zip(found, expected):
        box = detection.bbox
        center = np.array([box.center.position.x, box.center.position.y])
        half = np.array([box.size_x, box.size_y]) / 2
        corners = [*(center - half), *(center + half)]
        np.testing.assert_allclose(corners, golden['xyxy'], rtol=0, atol=1, err_msg=name)
        score = detection.results[0].hypothesis.score
        assert score == pytest.approx(golden['score'], abs=0.005), name


@pytest.mark.parametrize(
    ('model', 'transport', 'storage'),
    [
        ('yolox_nano', 'raw', 'mcap'),
        ('yolox_nano', 'png', 'sqlite3'),
        ('yolox_nano', 'jpeg', 'mcap'),
        ('nanodet_m', 'raw', 'sqlite3'),
        ('light_person_detector', 'png', 'mcap'),
    ],
)
def test_golden_boxes_from_a_bag(model, transport, storage, shared_data, tmp_path, tester):
    pictures = sorted((shared_data / 'coco_cc20' / 'images').glob('*.jpg'))
    bag = write_bag(
        tmp_path / 'bag', camera_messages(pictures, transport=transport), storage=storage
    )
    audience = Audience(tester)
    with node_process(
        tmp_path / 'log',
        model=model_folder(model, shared_data, tmp_path),
        image_topic='/camera/image_raw',
        autostart=True,
        # The stamps are those of the recording.
        latency_budget_ms=0.0,
    ) as process:
        topics = {'/camera/image_raw': '/camera/image_raw'}
        if transport != 'raw':
            topics = {f'{name}/compressed': f'{name}/compressed' for name in topics}
        assert play(bag, node=tester.node, topics=topics, wait_until_taken=audience.has_seen) == 20
        assert process.stop() == 0, process.log
    golden = json.loads((shared_data / 'golden' / 'detections.json').read_text())
    images = golden[GOLDENS[model]]['images']
    assert len(audience.results) == len(pictures) == 20
    for picture, (_, result) in zip(pictures, sorted(audience.results.items())):
        assert result.header.frame_id == 'camera_optical_frame'
        assert_golden(result, images[picture.name], picture.name)


@pytest.mark.parametrize('name', ['aruco_images_mcap', 'aruco_marker_sqlite3'])
def test_recorded_bag_plays_through(name, shared_data, tmp_path, tester):
    bag = shared_data / 'bags' / name
    audience = Audience(tester)
    with node_process(
        tmp_path / 'log',
        model=model_folder('yolox_nano', shared_data, tmp_path),
        image_topic='/raspicam_node/image',
        autostart=True,
        latency_budget_ms=0.0,
    ) as process:
        stamps = image_stamps(bag)
        topics = {'/raspicam_node/image/compressed': '/raspicam_node/image/compressed'}

        def taken(message: BagMessage) -> bool:
            # The stamp of a recorded image differs from the time of its recording.
            stamp = message.message.header.stamp
            return audience.has_seen(
                BagMessage(message.topic, '', stamp.sec * 10**9 + stamp.nanosec, b'')
            )

        play(bag, node=tester.node, topics=topics, wait_until_taken=taken)
        assert process.stop() == 0, process.log
    assert sorted(audience.results) == stamps
    assert '[WARN]' not in process.log and '[ERROR]' not in process.log


def image_stamps(bag: Path) -> list[int]:
    headers = [
        each.message.header.stamp
        for each in read_bag(bag)
        if each.type_name == 'sensor_msgs/msg/CompressedImage'
    ]
    return sorted(stamp.sec * 10**9 + stamp.nanosec for stamp in headers)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What rclpy of Humble does, which is not here: a callback gets the message and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rclpy.subscription import Subscription
from vision_msgs.msg import Detection2DArray

from edge_perception.ros.input.camera_input import CameraInput
from edge_perception.simulation.nodes import playback_camera
from test.support.fake_node import picture


@pytest.fixture
def callbacks(monkeypatch):
    """Callbacks by topic, as rclpy before 3.4 calls them."""
    monkeypatch.delattr(Subscription, 'CallbackType')
    return {}


@pytest.fixture
def node(callbacks):
    return SimpleNamespace(
        resolve_topic_name=str,
        get_clock=lambda: None,
        create_publisher=lambda *_: None,
        create_subscription=lambda _, topic, callback, __: callbacks.update({topic: callback}),
    )


def test_images_are_received(node, callbacks):
    received = []
    camera = CameraInput(
        node,
        topic='/image_raw',
        transport='raw',
        reliability='reliable',
        receive=received.append,
    )
    camera.open()
    image = picture(None)
    callbacks['/image_raw'](image)
    assert received == [image]
    assert camera.lost_before_node is None


def test_a_camera_that_is_played_back_hears_the_answers(node, callbacks):
    camera = playback_camera.PlaybackCamera(
        node, topic='/image_raw', results='/detections', status='', compressed=False
    )
    camera._sent[0] = 1
    callbacks['/detections'](Detection2DArray())
    (shown,) = camera.shown()
    assert shown.answered_ns is not None

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A thousand messages that no camera should send: each is counted, none ends the node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from edge_perception.ros.input.raw_images import ENCODINGS
from edge_perception.ros.node import PerceptionNode
from test.support.fake_node import fake_node
from test.support.fake_node import picture
from test.support.graph import graph
from test.support.graph import MatchedPublisher
from test.support.graph import Tester
from test.support.graph import until

MESSAGES = 1000


def _set(**fields: Any) -> Callable[[Image], None]:
    def change(message: Image) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def _cut(length: int) -> Callable[[Image], None]:
    def change(message: Image) -> None:
        message.data = bytes(message.data)[:length]

    return change


uint32 = st.integers(0, 2**32 - 1)
# Every one of these makes a good image of 64x48 bgr8 a bad one.
BREAKS = st.one_of(
    st.text(st.characters(codec='ascii', exclude_characters='\0'), max_size=20)
    .filter(lambda text: text not in ENCODINGS)
    .map(lambda text: _set(encoding=text)),
    st.integers(0, 64 * 3 - 1).map(lambda step: _set(step=step)),
    st.integers(2000, 2**32 - 1).map(lambda step: _set(step=step)),
    st.sampled_from(['width', 'height']).map(lambda name: _set(**{name: 0})),
    st.tuples(st.sampled_from(['width', 'height']), st.integers(1000, 2**32 - 1)).map(
        lambda pair: _set(**{pair[0]: pair[1]})
    ),
    st.integers(0, 64 * 3 * 47).map(_cut),
    st.sampled_from(['rgba8', '8UC4', '16UC1', '32FC1']).map(lambda name: _set(encoding=name)),
)


class Node:
    """A node under fire, and how many messages of each kind it got."""

    def __init__(self, node: PerceptionNode, tester: Tester, message_type: type) -> None:
        self._node = node
        self._tester = tester
        topic = '/image_raw' if message_type is Image else '/image_raw/compressed'
        self._camera = MatchedPublisher(tester.node, message_type, topic, 10)
        self.results = tester.collect(Detection2DArray, '/perception/detections')
        assert tester.transition('configure')
        assert tester.transition('activate')
        self._camera.wait(node)
        self.results.wait(node)
        self.sent = 0

    def send(self, message: Any) -> None:
        """Send a message and wait until the node is done with it."""
        message.header.stamp = self._tester.node.get_clock().now().to_msg()
        self._camera.publish(message)
        self.sent += 1
        until(self.counts, lambda now: now.received == self.sent and not now.in_flight)

    def counts(self) -> Any:
        assert self._node.session is not None
        return self._node.session.cameras[0].channel.accounts.counts()


def test_malformed_images_are_counted_exactly(tmp_path: Path) -> None:
    with graph(fake_node(tmp_path, latency_budget_ms=0.0)) as (node, tester, _):
        here = Node(node, tester, Image)

        @settings(
            max_examples=MESSAGES,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(BREAKS)
        def bombard(break_it: Callable[[Image], None]) -> None:
            message = picture(None)
            break_it(message)
            here.send(message)

        bombard()
        assert here.sent >= MESSAGES
        assert here.counts().dropped['bad_image'] == here.counts().received == here.sent
        here.send(picture(None))
        assert here.counts().published == 1


def test_malformed_compressed_images_are_counted_exactly(tmp_path: Path) -> None:
    parameters = {'latency_budget_ms': 0.0, 'image_transport': 'compressed'}
    with graph(fake_node(tmp_path, **parameters)) as (node, tester, _):
        here = Node(node, tester, CompressedImage)

        @settings(max_examples=200, deadline=None, database=None)
        @given(st.sampled_from(['jpeg', 'png', '', 'bgr8; jpeg compressed bgr8']), st.binary())
        def bombard(format_: str, data: bytes) -> None:
            here.send(CompressedImage(format=format_, data=data))

        bombard()
        assert here.counts().dropped['bad_image'] == here.counts().received == here.sent


@pytest.mark.parametrize('message_type', [Image, CompressedImage])
def test_a_frame_id_of_a_megabyte_is_a_bad_image(tmp_path: Path, message_type: type) -> None:
    parameters = {'image_transport': 'raw' if message_type is Image else 'compressed'}
    with graph(fake_node(tmp_path, latency_budget_ms=0.0, **parameters)) as (node, tester, _):
        here = Node(node, tester, message_type)
        image = picture(None)
        if message_type is CompressedImage:
            data = cv2.imencode('.png', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
            image = CompressedImage(format='png', data=data)
        for length, reason in ((256, ''), (257, 'bad_image'), (1_000_000, 'bad_image')):
            image.header.frame_id = 'c' * length
            before = here.counts()
            here.send(image)
            after = here.counts()
            assert after.published == before.published + (not reason)
            assert after.dropped['bad_image'] == before.dropped['bad_image'] + bool(reason)

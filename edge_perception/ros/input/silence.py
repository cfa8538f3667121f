# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Why no image comes, in sentences read off the graph.

Silence is what people complain of most: a topic that nobody publishes, a publisher whose quality
of service does not fit, images that are too large for the transport, a camera on another computer.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import os

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from edge_perception.contract.fields import did_you_mean
from edge_perception.ros.input.camera_input import CameraInput
from edge_perception.ros.system.endpoints import COMPRESSED_TYPE
from edge_perception.ros.system.endpoints import IMAGE_TYPES
from edge_perception.ros.system.endpoints import is_reliable
from edge_perception.ros.system.endpoints import owner
from edge_perception.ros.system.process_environment import discovery_limit

LARGE_IMAGES = (
    'images that are too large for the transport are lost: set FASTDDS_DEFAULT_PROFILES_FILE to '
    'config/fastdds_large_images.xml of edge_perception in the process of the camera driver'
)


def why_silent(
    node: Node,
    camera: CameraInput,
    *,
    silent_s: float,
    came: bool,
    starting: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """
    Return why no image comes from a camera; empty while that is to be expected.

    Thread: the executor's.

    :param silent_s: for how long none came.
    :param came: whether one came before.
    :param starting: whether its publisher appeared a moment ago.
    """
    topic = camera.topic
    publishers = [each for name in camera.topics for each in _publishers(node, name)]
    if wrong := _wrong_type(node, camera):
        return wrong
    if not publishers:
        return _nobody(node, camera) + _limit(environ)
    deaf = camera.reliable and [each for each in publishers if not is_reliable(each)]
    if deaf:
        return (
            f'{topic}: {owner(deaf[0])} publishes best effort, this node asks for reliable, '
            'so they do not connect; set qos to auto or best_effort'
        )
    if came:
        return f'{topic}: the camera has stopped (no image for {silent_s:.0f} s)'
    if starting:
        return ''
    return (
        f'{topic}: {owner(publishers[0])} publishes it and no image arrives '
        f'({silent_s:.0f} s); {LARGE_IMAGES}'
    )


def _publishers(node: Node, topic: str) -> Sequence[TopicEndpointInfo]:
    publishers: Sequence[TopicEndpointInfo] = node.get_publishers_info_by_topic(topic)
    return publishers


def _limit(environ: Mapping[str, str]) -> str:
    limit = discovery_limit(environ)
    return limit and f' ({limit}: for a camera on another computer, launch with discovery:=subnet)'


def _wrong_type(node: Node, camera: CameraInput) -> str:
    """Return in words that a topic carries something else; empty when none does."""
    raw = camera.raw_topic
    for compressed in set(camera.topics) - {raw}:
        for each in _publishers(node, raw):
            if each.topic_type == COMPRESSED_TYPE:
                return (
                    f'{raw}: {owner(each)} publishes compressed images here, which are looked '
                    f'for at {compressed}; remap its topic to that name'
                )
    for topic, expected in camera.topics.items():
        for each in _publishers(node, topic):
            if each.topic_type != expected:
                return (
                    f'{topic}: is published by {owner(each)} as {each.topic_type}, expected '
                    f'{expected}; set image_topic to the topic of a camera'
                )
    return ''


def _nobody(node: Node, camera: CameraInput) -> str:
    topic, others = camera.topic, _image_topics(node, camera)
    if not others:
        return (
            f'{topic}: no node publishes it, and there is no other topic with images; '
            'start the camera'
        )
    hint = did_you_mean(topic, others) or f', there are {", ".join(others)}'
    return f'{topic}: no node publishes it{hint}; set image_topic'


def _image_topics(node: Node, camera: CameraInput) -> Sequence[str]:
    """Return the topics on which other nodes publish images of cameras."""
    return sorted(
        name
        for name, types in node.get_topic_names_and_types()
        if set(types) & set(IMAGE_TYPES)
        and name not in camera.topics
        and 'debug_image' not in name
        and any(owner(each) != node.get_fully_qualified_name() for each in _publishers(node, name))
    )

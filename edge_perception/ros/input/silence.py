# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Why no image comes, in sentences read off the graph.

Silence is what people complain of most: a topic that nobody publishes, a publisher whose quality
of service does not fit, images that are too large for the transport, a camera on another computer.
"""

from __future__ import annotations

from collections.abc import Collection
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
from edge_perception.ros.system.endpoints import LABELS
from edge_perception.ros.system.endpoints import LABELS_TYPE
from edge_perception.ros.system.endpoints import owner
from edge_perception.ros.system.process_environment import discovery_limit

LARGE_IMAGES = (
    'images that are too large for the transport are lost: set FASTDDS_DEFAULT_PROFILES_FILE to '
    'config/fastdds_large_images.xml of edge_perception in the process of the camera driver'
)

# Topics below that of a camera with its images in a form that is not read.
UNREAD = {
    '/zstd': 'which is not read (only raw, JPEG and PNG are)',
    '/compressedDepth': 'which holds distances',
}


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
        return _unpublished_camera(node, camera) + discovery_advice(environ)
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


def discovery_advice(environ: Mapping[str, str]) -> str:
    """Return what keeps cameras on other computers from being found; empty when nothing does."""
    limit = discovery_limit(environ)
    return limit and (
        f' ({limit}: for a camera on another computer unset it where you have set it, else launch '
        'with discovery:=subnet)'
    )


def _wrong_type(node: Node, camera: CameraInput) -> str:
    """Return in words that a topic carries something else; empty when none does."""
    raw = camera.raw_topic
    for suffix, carries in UNREAD.items():
        if raw.endswith(suffix) and _publishers(node, raw):
            return f'{raw}: {carries}; set image_topic to {raw.removesuffix(suffix)}'
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


def _unpublished_camera(node: Node, camera: CameraInput) -> str:
    for suffix, carries in UNREAD.items():
        for each in _publishers(node, camera.raw_topic + suffix):
            return (
                f'{camera.raw_topic}: {owner(each)} publishes it as {suffix[1:]} only, {carries}; '
                'enable the transport raw or compressed in the camera driver'
            )
    ignored = {*camera.topics, *_results(node)}
    others = [
        name
        for name in topics_of_others(node, IMAGE_TYPES)
        if not any(name == each or name.startswith(f'{each}/') for each in ignored)
        and 'debug' not in name
        and not name.endswith(tuple(UNREAD))
    ]
    return unpublished(
        camera.topic,
        others,
        carries='images',
        remedy='start the camera',
        parameter='image_topic',
    )


def _results(node: Node) -> Sequence[str]:
    """Return the names below which nodes like this one publish; their images are results."""
    return [
        name.removesuffix(LABELS)
        for name, types in node.get_topic_names_and_types()
        if LABELS_TYPE in types and name.endswith(LABELS)
    ]


def unpublished(
    topic: str, others: Sequence[str], *, carries: str, remedy: str, parameter: str
) -> str:
    """
    Return that a topic has no publisher, with the nearest of the topics that could be meant.

    :param others: the topics that could be.
    :param carries: what they carry.
    :param remedy: what to do when there are none.
    :param parameter: says the name of the topic.
    """
    if not others:
        return (
            f'{topic}: no node publishes it, and there is no other topic with {carries}; {remedy}'
        )
    hint = did_you_mean(topic, others) or f', there are {", ".join(others)}'
    return f'{topic}: no node publishes it{hint}; set {parameter}'


def topics_of_others(node: Node, types: Collection[str]) -> Sequence[str]:
    """Return the topics of some types that other nodes publish."""
    return sorted(
        name
        for name, its_types in node.get_topic_names_and_types()
        if set(its_types) & set(types)
        and any(owner(each) != node.get_fully_qualified_name() for each in _publishers(node, name))
    )

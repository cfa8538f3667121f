# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Why there is no CameraInfo, and what makes poses doubtful, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
import os
import re

from rclpy.node import Node

from edge_perception.ros.input.silence import discovery_advice
from edge_perception.ros.input.silence import topics_of_others
from edge_perception.ros.input.silence import unpublished
from edge_perception.ros.system.endpoints import CAMERA_INFO_TYPE
from edge_perception.ros.system.endpoints import owner

# Frames of REP 103 and REP 105 with x forward, and sensors of Gazebo, which it names
# MODEL/LINK/SENSOR. A pose is in the optical frame: z forward.
BODY_FRAME = re.compile(
    r'(.*[/_])?(base|body|chassis|footprint|imu|link|map|odom|world)\d*|(.*/)?base_.*'
    r'|.+/(.*_)?link\d*/[^/]+'
)


def why_no_camera_info(node: Node, topic: str, *, environ: Mapping[str, str] = os.environ) -> str:
    """Return why no CameraInfo comes, read off the graph. Thread: the executor's."""
    publishers = node.get_publishers_info_by_topic(topic)
    for each in publishers:
        if each.topic_type != CAMERA_INFO_TYPE:
            return (
                f'{topic}: is published by {owner(each)} as {each.topic_type}, expected '
                f'{CAMERA_INFO_TYPE}; set camera_info_topic'
            )
    if publishers:
        return (
            f'no CameraInfo has come on {topic} so far, which {owner(publishers[0])} publishes; '
            'check the camera driver'
        )
    words = unpublished(
        topic,
        topics_of_others(node, {CAMERA_INFO_TYPE}),
        carries='CameraInfo',
        remedy='calibrate the camera and let its driver publish it',
        parameter='camera_info_topic',
    )
    return f'no CameraInfo has come: {words}{discovery_advice(environ)}'


def frame_doubt(frame_id: str, *, publish_tf: bool) -> str:
    """Return why poses in a frame are wrong; empty when they are not."""
    if not frame_id and publish_tf:
        return 'publish_tf: the image has no frame_id, so nothing is published; set frame_id'
    if 'optical' not in frame_id and BODY_FRAME.fullmatch(frame_id):
        return (
            f'the image is stamped with {frame_id}, by its name a frame with x forward; a pose is '
            'in the optical frame of the camera, z forward; set frame_id to that'
        )
    return ''

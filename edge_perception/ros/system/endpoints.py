# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the graph says of a publisher or a subscription of somebody else."""

from __future__ import annotations

from rclpy.qos import ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

IMAGE_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE_TYPE, COMPRESSED_TYPE)


def owner(endpoint: TopicEndpointInfo) -> str:
    """Return the full name of its node."""
    return f'{endpoint.node_namespace.rstrip("/")}/{endpoint.node_name}'


def is_reliable(endpoint: TopicEndpointInfo) -> bool:
    """Tell whether it repeats what is lost."""
    return bool(endpoint.qos_profile.reliability == ReliabilityPolicy.RELIABLE)

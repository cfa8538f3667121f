# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the graph says of a publisher or a subscription of somebody else."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

IMAGE_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE_TYPE, COMPRESSED_TYPE)
CAMERA_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
# Every node of ours publishes it for each camera, whatever its model sees.
LABELS, LABELS_TYPE = '/label_info', 'vision_msgs/msg/LabelInfo'


def owner(endpoint: TopicEndpointInfo) -> str:
    """Return the full name of its node."""
    return f'{endpoint.node_namespace.rstrip("/")}/{endpoint.node_name}'


def is_reliable(endpoint: TopicEndpointInfo) -> bool:
    """Tell whether it repeats what is lost."""
    return bool(endpoint.qos_profile.reliability == ReliabilityPolicy.RELIABLE)


def is_latched(endpoint: TopicEndpointInfo) -> bool:
    """Tell whether it repeats its last message to those who come later."""
    latched = endpoint.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return bool(latched) and is_reliable(endpoint)


def namesakes(node: Node, full_name: str) -> str:
    """Return in words that several nodes have one name; empty where it is one."""
    found = [f'{space.rstrip("/")}/{name}' for name, space in node.get_node_names_and_namespaces()]
    count = found.count(full_name)
    if count < 2:
        return ''
    return (
        f'{count} nodes are called {full_name}: each result is published as often, and services '
        'answer for either; end all but one, or give them other names or namespaces (one that '
        'was killed is still seen for up to 20 s)'
    )

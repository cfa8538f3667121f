# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Qualities of service, named once."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

# Best effort connects to every camera; a depth of one because only the newest image counts.
CAMERA = QoSProfile(
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)

# What the parameter `qos` may say.
RELIABILITIES = ('best_effort', 'reliable', 'auto')


def camera(*, reliable: bool) -> QoSProfile:
    """Return how a camera is subscribed to."""
    return RELIABLE_CAMERA if reliable else CAMERA


def is_reliable(endpoint: TopicEndpointInfo) -> bool:
    """Tell whether a publisher repeats what is lost."""
    return bool(endpoint.qos_profile.reliability == ReliabilityPolicy.RELIABLE)


# For transports that lose parts of large images: repeats them, and so delays those behind.
RELIABLE_CAMERA = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)

# Reliable and volatile connects to both kinds of subscribers. No lifespan: it counts from
# publishing, and hosts whose clocks differ would lose everything without a word.
RESULT = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=5,
)

# Pictures for people: reliable connects to every viewer, and only the newest counts.
PICTURE = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)

# Best effort with room: for those who want every message of a simulator or a camera.
EVERY = QoSProfile(
    reliability=ReliabilityPolicy.BEST_EFFORT,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=100,
)

# As RESULT with room: for those who want every result.
RECORD = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=100,
)

# As every broadcaster of /tf has it.
TF = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
    history=HistoryPolicy.KEEP_LAST,
    depth=100,
)

# Latched: whoever subscribes later still gets it.
LATCHED = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)

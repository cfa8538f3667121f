# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Qualities of service, named once."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

# What the parameter `qos` may say.
RELIABILITIES = ('best_effort', 'reliable', 'auto')


def _newest(
    reliability: ReliabilityPolicy,
    depth: int,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    """Return a profile that keeps the newest so many messages."""
    return QoSProfile(
        reliability=reliability,
        durability=durability,
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
    )


# Best effort connects to every camera. Only the newest image counts, but with a depth of one and
# two publishers of 1080p the memory of Fast DDS grows by 10 to 45 MB/s without end; with a depth
# of two it does not. So all that waits is taken at once, and the newest wins.
CAMERA = _newest(ReliabilityPolicy.BEST_EFFORT, 2)

# For transports that lose parts of large images: repeats them, and so delays those behind.
RELIABLE_CAMERA = _newest(ReliabilityPolicy.RELIABLE, 2)

# Reliable and volatile connects to both kinds of subscribers. No lifespan: it counts from
# publishing, and hosts whose clocks differ would lose everything without a word.
RESULT = _newest(ReliabilityPolicy.RELIABLE, 5)

# Pictures for people: reliable connects to every viewer, and only the newest counts.
PICTURE = _newest(ReliabilityPolicy.RELIABLE, 1)

# Best effort for stages, which choose the nearest in time out of the last few.
SIDE_IMAGES = _newest(ReliabilityPolicy.BEST_EFFORT, 8)

# Best effort with room: for those who want every message of a simulator or a camera.
EVERY = _newest(ReliabilityPolicy.BEST_EFFORT, 100)

# As RESULT with room: for those who want every result.
RECORD = _newest(ReliabilityPolicy.RELIABLE, 100)

# As every broadcaster of /tf has it.
TF = _newest(ReliabilityPolicy.RELIABLE, 100)

# As every listener of /tf_static has it: what was sent before comes too.
TF_STATIC = _newest(ReliabilityPolicy.RELIABLE, 100, DurabilityPolicy.TRANSIENT_LOCAL)

# Latched: whoever subscribes later still gets it.
LATCHED = _newest(ReliabilityPolicy.RELIABLE, 1, DurabilityPolicy.TRANSIENT_LOCAL)


def camera(*, reliable: bool) -> QoSProfile:
    """Return how a camera is subscribed to."""
    return RELIABLE_CAMERA if reliable else CAMERA

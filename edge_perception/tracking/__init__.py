# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Ids that detections keep from frame to frame."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import hookimpl
from edge_perception.contract import Stage
from edge_perception.tracking.assignment import assign
from edge_perception.tracking.tracker import Tracker
from edge_perception.tracking.tracking_stage import TrackingStage

EDGE_PERCEPTION_CONTRACT = '0.1'

__all__ = ['Tracker', 'TrackingStage', 'assign', 'register_stages']


@hookimpl
def register_stages(register: Callable[[type[Stage]], None]) -> None:
    """Offer the stage ``tracking``."""
    register(TrackingStage)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints of a flat object and the camera's intrinsics to a 6-DoF pose with covariance."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import hookimpl
from edge_perception.contract import Stage
from edge_perception.pose.estimator import PlanarPoseEstimator
from edge_perception.pose.estimator import PoseEstimate
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.pose_stage import PlanarObjectStage
from edge_perception.pose.size import object_box
from edge_perception.pose.size import object_width
from edge_perception.pose.solver import quaternion
from edge_perception.pose.solver import rotation_matrix

EDGE_PERCEPTION_CONTRACT = '0.1'

__all__ = [
    'Intrinsics',
    'PlanarObjectStage',
    'PlanarPoseEstimator',
    'PoseEstimate',
    'object_box',
    'object_width',
    'quaternion',
    'register_stages',
    'rotation_matrix',
]


@hookimpl
def register_stages(register: Callable[[type[Stage]], None]) -> None:
    """Offer the stage ``pose``."""
    register(PlanarObjectStage)

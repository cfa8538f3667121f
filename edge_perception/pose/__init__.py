# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Keypoints of a flat object and the camera's intrinsics to a 6-DoF pose with covariance."""

from __future__ import annotations

from edge_perception.pose.estimator import PlanarPoseEstimator
from edge_perception.pose.estimator import PoseEstimate
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.pose_stage import guessed_intrinsics
from edge_perception.pose.pose_stage import planar_stages
from edge_perception.pose.pose_stage import PlanarObjectStage
from edge_perception.pose.size import object_box
from edge_perception.pose.size import object_width
from edge_perception.pose.solver import rotation_matrix

__all__ = [
    'Intrinsics',
    'PlanarObjectStage',
    'PlanarPoseEstimator',
    'PoseEstimate',
    'guessed_intrinsics',
    'object_box',
    'object_width',
    'planar_stages',
    'rotation_matrix',
]

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Return the size of the object of a model, and its place in its own frame."""

from __future__ import annotations

import numpy as np

from edge_perception.contract import ModelManifest
from edge_perception.pose.intrinsics import Floats


def object_width(manifest: ModelManifest) -> float:
    """
    Return the width of the flat object that the poses of a model are of.

    :return: meters; of the printed pattern, where the manifest knows none of the keypoints, and 0
        without any.
    """
    points = np.array(manifest.object_points, np.float64).reshape(-1, 3)
    if not manifest.pose.pattern or len(points) < 2:
        return float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    # See ``PoseRecipe``: a cell is as wide as the two nearest keypoints are apart.
    return float(apart.min()) * len(manifest.pose.pattern)


def object_box(manifest: ModelManifest) -> tuple[Floats, Floats]:
    """
    Return center and size of the object in its own frame, float64 (3,) each, meters.

    The box holds the printed pattern, which is around the origin, or all keypoints where there
    is none; size 0 without any.
    """
    if manifest.object_points and manifest.pose.pattern:
        width = object_width(manifest)
        return np.zeros(3), np.array([width, width, 0.0])
    points = np.array(manifest.object_points or [(0.0, 0.0, 0.0)], np.float64)
    lowest, highest = points.min(axis=0), points.max(axis=0)
    return (lowest + highest) / 2, highest - lowest

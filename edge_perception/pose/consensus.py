# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which of the keypoints that were seen belong to one pose, and that pose."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.solver import first_pose
from edge_perception.pose.solver import Observations
from edge_perception.pose.solver import polish
from edge_perception.pose.solver import Pose
from edge_perception.pose.solver import residuals

Bools = npt.NDArray[np.bool_]

# A homography has eight unknowns; with four points nothing is left that could contradict.
MINIMUM_POINTS = 5
# Tangent of the angle to the optical axis: 87 degrees.
_WIDEST_RAY = 20.0
_CHOICES = 3
# Keypoints that are farther off, in standard deviations, contradict a pose.
_OUTLIER = 3.5
# From a pose of an earlier round: outliers are farther off than this multiple of the median; and
# the share that has to agree in the end, or else the search starts again.
_FAR, _ALMOST_ALL = 3.0, 0.8


def pose_near(start: Pose, observed: Observations) -> tuple[Pose, Bools] | None:
    """Return the pose next to another and what agrees with it; None unless almost all does."""
    apart = _distances(start, observed)
    # The start is less exact than the observations: all that is not much farther off than most.
    agreed = apart < max(_OUTLIER, _FAR * _median(apart))
    if agreed.sum() < MINIMUM_POINTS:
        return None
    pose = polish(start, observed.rows(agreed))
    if pose is None:
        return None
    pose, agreed = _settled(pose, observed, agreed)
    few = agreed.sum() < _ALMOST_ALL * len(agreed)
    return None if few or _distances(pose, observed)[agreed].max() > _OUTLIER else (pose, agreed)


def pose_anew(observed: Observations) -> tuple[Pose, Bools] | None:
    """Return the pose that most observations agree with, and those; None if they are too few."""
    agreed = _agreeing(observed)
    if agreed is None:
        return None
    pose = first_pose(observed.rows(agreed))
    return None if pose is None else _settled(pose, observed, agreed)


def supported(pose: Pose, observed: Observations) -> bool:
    """Tell whether enough observations agree with a pose, not only with a homography."""
    return bool((_distances(pose, observed) < _OUTLIER).sum() >= MINIMUM_POINTS)


def _settled(pose: Pose, observed: Observations, agreed: Bools) -> tuple[Pose, Bools]:
    """Choose again: a pose is stiffer than a homography, and knows how sure each keypoint is."""
    for _ in range(_CHOICES):
        chosen = _distances(pose, observed) < _OUTLIER
        if chosen.sum() < MINIMUM_POINTS or np.array_equal(chosen, agreed):
            break
        better = polish(pose, observed.rows(chosen))
        if better is None:
            break
        pose, agreed = better, chosen
    return pose, agreed


def _median(values: Floats) -> float:
    """Return the upper median, which takes a tenth of the time of NumPy's for so few values."""
    return float(np.sort(values)[len(values) // 2])


def _distances(pose: Pose, observed: Observations) -> Floats:
    """Return how far each observation is from a pose: (N,), standard deviations."""
    return np.asarray(np.sqrt((residuals(pose, observed) ** 2).sum(axis=1)), np.float64)


def _agreeing(observed: Observations) -> Bools | None:
    """Return the observations that agree with one homography; None if they are too few."""
    # Far outside of the field of view a curved lens gives rays of any size; as good as behind it.
    sane = (observed.rays**2).sum(axis=1) < _WIDEST_RAY**2
    if sane.sum() < MINIMUM_POINTS:
        return None
    # In units of the typical deviation, so that one threshold fits cells and pixels.
    scale = 1 / _median(observed.ray_sigma[sane])
    # y turned over: then the printed side gives a homography that turns nothing over, and the
    # others, from the back of the object, are thrown out.
    _, mask = cv2.findHomography(
        observed.points[sane, :2] * (1, -1),
        observed.rays[sane] * scale,
        cv2.USAC_FAST,
        3.0,
        maxIters=500,
    )
    if mask is None:
        return None
    agreed = np.zeros(len(observed), bool)
    agreed[sane] = np.asarray(mask).ravel().astype(bool)
    return agreed if agreed.sum() >= MINIMUM_POINTS else None

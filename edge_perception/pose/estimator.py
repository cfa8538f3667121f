# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Keypoints of a flat object to its pose.

A homography that most keypoints agree with starts it; the two poses that a plane can have for one
picture come from IPPE, and both are polished by Gauss-Newton on pixels. The better one is the
answer. Its covariance is that of first order, and grows by the difference to the other pose where
the picture does not tell the two apart.

Source: Collins and Bartoli, Infinitesimal Plane-Based Pose Estimation, IJCV 2014, as
``cv2.SOLVEPNP_IPPE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import ObjectPose
from edge_perception.pose import saddles
from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.solver import ambiguity
from edge_perception.pose.solver import both_poses
from edge_perception.pose.solver import covariance
from edge_perception.pose.solver import Observations
from edge_perception.pose.solver import Pose
from edge_perception.pose.solver import quaternion
from edge_perception.pose.solver import residuals

Bools = npt.NDArray[np.bool_]
# A homography has eight unknowns; with four points nothing is left that could contradict.
MINIMUM_POINTS = 5
# Tangent of the angle to the optical axis: 87 degrees.
_WIDEST_RAY = 20.0
# So many saddle points within a fraction of a pixel of where one pose puts them are no chance; an
# object that should have them and does not is something else, or seen too badly for a pose.
MINIMUM_REFINED = 6
# Of those that the image should show; things in the way hide some.
MINIMUM_REFINED_SHARE = 0.5
# A round that loses more of the saddle points than this leaves is not an improvement.
_KEPT = 0.7
_CHOICES = 3
# Keypoints that are farther off, in standard deviations, contradict a pose.
_OUTLIER = 3.5
# How far to look, as a share of the way to the next keypoint: far at first; from the better pose
# that this gives, near enough that nothing else is in the window. What else is there draws the
# point away: the second number, of the same unit, is added to its deviation.
_ROUNDS = ((0.8, 0.1), (0.6, 0.05), (0.6, 0.0))


@dataclass(frozen=True, slots=True)
class PoseEstimate:
    """
    A pose and what it rests on.

    :param alternative: the other pose of the plane, None where there is only one.
    :param ambiguous: the picture does not tell the two apart; the covariance covers both.
    :param used: bool (K,), keypoints that agree with the pose.
    :param points: float64 (K, 2), pixels, the positions that the pose rests on; NaN if unused.
    :param refined: bool (K,), keypoints whose position was found to a part of a pixel.
    :param error: root mean square of the distances of the used keypoints, in standard deviations.
    """

    pose: ObjectPose
    alternative: ObjectPose | None
    ambiguous: bool
    used: Bools
    points: Floats
    refined: Bools
    error: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """
    The poses, the better first, and the keypoints that they rest on; see ``PoseEstimate``.

    :param tried: bool (K,), keypoints whose saddle points the image should show.
    """

    poses: list[Pose]
    observed: Observations
    used: Bools
    points: Floats
    refined: Bools
    tried: Bools


class PlanarPoseEstimator:
    """
    Finds the pose of one kind of flat object.

    :param object_points: float64 (K, 3), metres, in the frame of the object; z is 0 for all.
    :param keypoint_sigma: standard deviation in x and in y of a keypoint with score 1 as the
        network gives it, in pixels of the network's input.
    :param refine: the keypoints are saddle points of a pattern: look for them in the image.
    :param refined_sigma: standard deviation in pixels of a refined keypoint.
    :raises ValueError: the object has too few points for one to contradict the others.
    """

    def __init__(
        self,
        object_points: Floats,
        *,
        keypoint_sigma: float = 1.0,
        refine: bool = False,
        refined_sigma: float = 0.25,
    ) -> None:
        self._points = np.ascontiguousarray(object_points, np.float64)
        if len(self._points) < MINIMUM_POINTS:
            raise ValueError(
                f'object_points: got {len(self._points)}, expected at least {MINIMUM_POINTS}'
            )
        self._keypoint_sigma = keypoint_sigma
        self._refine = refine
        self._refined_sigma = refined_sigma

    def estimate(
        self,
        xy: npt.NDArray[np.floating],
        score: npt.NDArray[np.floating],
        *,
        intrinsics: Intrinsics,
        scale: float = 1.0,
        grey: npt.NDArray[np.uint8] | None = None,
    ) -> PoseEstimate | None:
        """
        Find the pose.

        :param xy: (K, 2), pixels of the contract; NaN where unseen.
        :param score: (K,), 0 where unseen.
        :param scale: pixels of the image for one pixel of the network's input.
        :param grey: the image, uint8 (height, width); needed for refinement.
        :return: None when too few keypoints agree with one plane, or when too few of them are
            confirmed by the image although they should.
        """
        seen = (score > 0) & np.isfinite(xy).all(axis=1)
        sigma = self._keypoint_sigma * scale / np.sqrt(np.clip(score, 0.05, 1.0))
        fit = self._fit(np.asarray(xy, np.float64), sigma, seen, intrinsics)
        if fit is None or not self._refine or grey is None:
            return None if fit is None else _summary(fit)
        for reach, blur in _ROUNDS:
            better = self._refined(fit, sigma, intrinsics, grey, reach, blur)
            # In a dark or blurred image the last round asks for more than there is.
            if better is None or better.refined.sum() < _KEPT * fit.refined.sum():
                break
            fit = better
        return _summary(fit) if _confirmed(fit) else None

    def _fit(self, xy: Floats, sigma: Floats, seen: Bools, intrinsics: Intrinsics) -> _Fit | None:
        """Return the poses that most of the seen keypoints agree with."""
        observed = Observations.take(self._points, xy, sigma, seen, intrinsics)
        agreed = _agreeing(observed)
        if agreed is None:
            return None
        poses = both_poses(observed.rows(agreed))
        # A pose is stiffer than a homography, and knows how sure each keypoint is: choose again.
        for _ in range(_CHOICES):
            if not poses:
                return None
            chosen = np.linalg.norm(residuals(poses[0], observed), axis=1) < _OUTLIER
            if chosen.sum() < MINIMUM_POINTS or np.array_equal(chosen, agreed):
                break
            agreed = chosen
            poses = both_poses(observed.rows(agreed))
        if not poses:
            return None
        used = np.zeros(len(seen), bool)
        used[np.flatnonzero(seen)[agreed]] = True
        none = np.zeros(len(seen), bool)
        points = np.where(used[:, None], xy, np.nan)
        return _Fit(poses, observed.rows(agreed), used, points, refined=none, tried=none)

    def _refined(
        self,
        fit: _Fit,
        sigma: Floats,
        intrinsics: Intrinsics,
        grey: npt.NDArray[np.uint8],
        reach: float,
        blur: float,
    ) -> _Fit | None:
        """Look for every keypoint where the pose says that it is, and solve anew."""
        expected = intrinsics.pixels(fit.poses[0].transform(self._points))
        apart = np.linalg.norm(expected[:, None] - expected[None], axis=-1)
        np.fill_diagonal(apart, np.inf)
        spacing = apart.min(axis=1)
        found, good, tried = saddles.refine(grey, expected, spacing=spacing, reach=reach)
        points = np.where(good[:, None], found, fit.points)
        found_sigma = np.maximum(self._refined_sigma, blur * spacing)
        sigmas = np.where(good, found_sigma, sigma)
        better = self._fit(points, sigmas, good | fit.used, intrinsics)
        if better is None or (good & better.used).sum() < MINIMUM_POINTS:
            return None
        return replace(better, refined=good & better.used, tried=tried)


def _agreeing(observed: Observations) -> Bools | None:
    """Return the observations that agree with one homography; None if they are too few."""
    # Far outside of the field of view a curved lens gives rays of any size; as good as behind it.
    sane = np.linalg.norm(observed.rays, axis=1) < _WIDEST_RAY
    if sane.sum() < MINIMUM_POINTS:
        return None
    # In units of the typical deviation, so that one threshold fits cells and pixels.
    scale = 1 / np.median(observed.ray_sigma[sane])
    _, mask = cv2.findHomography(
        observed.points[sane, :2], observed.rays[sane] * scale, cv2.RANSAC, 3.0, maxIters=500
    )
    if mask is None:
        return None
    agreed = np.zeros(len(observed), bool)
    agreed[sane] = np.asarray(mask).ravel().astype(bool)
    return agreed if agreed.sum() >= MINIMUM_POINTS else None


def _confirmed(fit: _Fit) -> bool:
    """Tell whether enough of the saddle points are where the pose puts them."""
    count = fit.refined.sum()
    return bool(
        count >= min(MINIMUM_REFINED, len(fit.refined))
        and count >= MINIMUM_REFINED_SHARE * fit.tried.sum()
    )


def _summary(fit: _Fit) -> PoseEstimate:
    best, observed = fit.poses[0], fit.observed
    other = fit.poses[1] if len(fit.poses) > 1 else None
    ambiguous = other is not None and ambiguity(best, other, observed)
    spread = covariance(best, observed, other if ambiguous else None)
    alternative = None
    if other is not None:
        turned = covariance(other, observed, best if ambiguous else None)
        alternative = ObjectPose(other.position, quaternion(other.rotation), turned)
    error = float(np.sqrt(np.mean(residuals(best, observed) ** 2)))
    return PoseEstimate(
        pose=ObjectPose(best.position, quaternion(best.rotation), spread),
        alternative=alternative,
        ambiguous=ambiguous,
        used=fit.used,
        points=fit.points,
        refined=fit.refined,
        error=error,
    )

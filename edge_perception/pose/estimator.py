# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Keypoints of a flat object to its pose.

A homography that most keypoints agree with starts it; the two poses that a plane can have for one
image come from IPPE, and both are polished by Gauss-Newton on pixels. The better one is the
answer. Its covariance is that of first order, and grows by the difference to the other pose where
the image does not tell the two apart.

Source: Collins and Bartoli, Infinitesimal Plane-Based Pose Estimation, IJCV 2014, as
``cv2.SOLVEPNP_IPPE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.pose import saddles
from edge_perception.pose.consensus import Bools
from edge_perception.pose.consensus import MINIMUM_POINTS
from edge_perception.pose.consensus import pose_anew
from edge_perception.pose.consensus import pose_near
from edge_perception.pose.consensus import supported
from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.pattern import Pattern
from edge_perception.pose.solver import ambiguity
from edge_perception.pose.solver import both_poses
from edge_perception.pose.solver import covariance
from edge_perception.pose.solver import Observations
from edge_perception.pose.solver import Pose
from edge_perception.pose.solver import quaternion
from edge_perception.pose.solver import residuals

# This number of saddle points within a fraction of a pixel of one pose is no chance; an
# object that should have them and does not is something else, or seen too badly for a pose.
MINIMUM_REFINED = 6
# Of those that the image should show; things in the way hide some.
MINIMUM_REFINED_SHARE = 0.5
# A round that loses more of the saddle points than this leaves is not an improvement.
_KEPT = 0.7
# Correlation with the printed pattern, where the saddle points say yes and where they do not.
# On rendered images with seeds of their own the right poses had 0.97 in the median and 98 % of
# them 0.73 and more; where there was no pad the best of 50 poses but one had 0.48.
_AGREEMENT_WITH_CORNERS, _AGREEMENT = 0.3, 0.65
# How far to look, as a share of the way to the next keypoint: far at first; from the better pose
# that this gives, near enough that nothing else is in the window. What else is there draws the
# point away: the second number, of the same unit, is added to its deviation.
_ROUNDS = ((0.7, 0.05), (0.6, 0.0))


@dataclass(frozen=True, slots=True)
class PoseEstimate:
    """
    A pose and what it rests on.

    :param alternative: the other pose of the plane, None where there is only one.
    :param ambiguous: the image does not tell the two apart; the covariance covers both.
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
    A pose and the keypoints that it rests on; see ``PoseEstimate``.

    :param tried: bool (K,), keypoints whose saddle points the image should show.
    """

    pose: Pose
    observed: Observations
    used: Bools
    points: Floats
    refined: Bools
    tried: Bools


class PlanarPoseEstimator:
    """
    Finds the pose of one kind of flat object.

    :param object_points: float64 (K, 3), meters, in the frame of the object; z is 0 for all.
    :param keypoint_sigma: standard deviation in x and in y of a keypoint with score 1 as the
        model gives it, in pixels of the model's input.
    :param refine: the keypoints are saddle points of a pattern: look for them in the image.
    :param refined_sigma: standard deviation in pixels of a refined keypoint.
    :param pattern: what is printed on the object, see ``PoseRecipe``; empty where not known.
    :raises ValueError: the object has too few points for one to contradict the others.
    """

    def __init__(
        self,
        object_points: Floats,
        *,
        keypoint_sigma: float = 1.0,
        refine: bool = False,
        refined_sigma: float = 0.25,
        pattern: Sequence[str] = (),
    ) -> None:
        self._points = np.ascontiguousarray(object_points, np.float64)
        if len(self._points) < MINIMUM_POINTS:
            raise ValueError(
                f'object_points: got {len(self._points)}, expected at least {MINIMUM_POINTS}'
            )
        self._keypoint_sigma = keypoint_sigma
        self._refine = refine
        self._refined_sigma = refined_sigma
        self._pattern = Pattern(pattern, cell=_nearest(self._points).min()) if pattern else None

    @classmethod
    def of(cls, manifest: ModelManifest) -> PlanarPoseEstimator:
        """Return the estimator for the object of a model."""
        recipe = manifest.pose
        return cls(
            np.array(manifest.object_points, np.float64),
            keypoint_sigma=recipe.keypoint_sigma,
            refine=recipe.refine,
            refined_sigma=recipe.refined_sigma,
            pattern=recipe.pattern,
        )

    def estimate(
        self,
        xy: npt.NDArray[np.floating],
        score: npt.NDArray[np.floating],
        *,
        intrinsics: Intrinsics,
        scale: float = 1.0,
        gray: npt.NDArray[np.uint8] | None = None,
    ) -> PoseEstimate | None:
        """
        Find the pose.

        :param xy: (K, 2), pixels of the contract; NaN where unseen.
        :param score: (K,), 0 where unseen.
        :param scale: pixels of the image for one pixel of the model's input.
        :param gray: the image, uint8 (height, width); needed for refinement.
        :return: None when too few keypoints agree with one plane, or when too few of them are
            confirmed by the image although they should.
        """
        seen = (score > 0) & np.isfinite(xy).all(axis=1)
        if seen.sum() < MINIMUM_POINTS:
            return None
        sigma = self._keypoint_sigma * scale / np.sqrt(np.clip(score, 0.05, 1.0))
        fit = self._fit(np.asarray(xy, np.float64), sigma, seen, intrinsics)
        if fit is None:
            return None
        if gray is not None and self._refine:
            fit = self._refined(fit, sigma, intrinsics, gray)
        elif not supported(fit.pose, fit.observed):
            return None
        return _summary(fit) if gray is None or self._confirmed(fit, intrinsics, gray) else None

    def _refined(
        self, fit: _Fit, sigma: Floats, intrinsics: Intrinsics, gray: npt.NDArray[np.uint8]
    ) -> _Fit:
        """Return the fit after all rounds that made it better."""
        for reach, blur in _ROUNDS:
            better = self._round(fit, sigma, intrinsics, gray, reach, blur)
            # In a dark or blurred image the last round asks for more than there is.
            if better is None or better.refined.sum() < _KEPT * fit.refined.sum():
                break
            fit = better
        return fit

    def _confirmed(self, fit: _Fit, intrinsics: Intrinsics, gray: npt.NDArray[np.uint8]) -> bool:
        """Tell whether the image shows the object where the pose puts it."""
        corners = self._refine and _enough_corners(fit)
        if self._pattern is None:
            return corners or not self._refine
        agreement = self._pattern.agreement(gray, fit.pose, intrinsics)
        return agreement >= (_AGREEMENT_WITH_CORNERS if corners else _AGREEMENT)

    def _fit(
        self,
        xy: Floats,
        sigma: Floats,
        seen: Bools,
        intrinsics: Intrinsics,
        start: Pose | None = None,
    ) -> _Fit | None:
        """
        Return the pose that most of the seen keypoints agree with.

        :param start: a pose near to it.
        """
        observed = Observations.take(self._points, xy, sigma, seen, intrinsics)
        near = None if start is None else pose_near(start, observed)
        found = pose_anew(observed) if near is None else near
        if found is None:
            return None
        pose, agreed = found
        used = np.zeros(len(seen), bool)
        used[np.flatnonzero(seen)[agreed]] = True
        none = np.zeros(len(seen), bool)
        points = np.where(used[:, None], xy, np.nan)
        return _Fit(pose, observed.rows(agreed), used, points, refined=none, tried=none)

    def _round(
        self,
        fit: _Fit,
        sigma: Floats,
        intrinsics: Intrinsics,
        gray: npt.NDArray[np.uint8],
        reach: float,
        blur: float,
    ) -> _Fit | None:
        """Look for every keypoint where the pose predicts it, and solve again."""
        expected = intrinsics.pixels(fit.pose.transform(self._points))
        spacing = _nearest(expected)
        found, good, tried = saddles.refine(gray, expected, spacing=spacing, reach=reach)
        points = np.where(good[:, None], found, fit.points)
        found_sigma = np.maximum(self._refined_sigma, blur * spacing)
        sigmas = np.where(good, found_sigma, sigma)
        better = self._fit(points, sigmas, good | fit.used, intrinsics, fit.pose)
        if better is None or (good & better.used).sum() < MINIMUM_POINTS:
            return None
        return replace(better, refined=good & better.used, tried=tried)


def _nearest(points: Floats) -> Floats:
    """Return the distance from each point to the next one: (N,)."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart.min(axis=1), np.float64)


def _enough_corners(fit: _Fit) -> bool:
    """Tell whether enough of the saddle points are where the pose puts them."""
    count = fit.refined.sum()
    return bool(
        count >= min(MINIMUM_REFINED, len(fit.refined))
        and count >= MINIMUM_REFINED_SHARE * fit.tried.sum()
    )


def _summary(fit: _Fit) -> PoseEstimate:
    observed = fit.observed
    best, *others = both_poses(observed, known=fit.pose)
    other = others[0] if others else None
    ambiguous = other is not None and ambiguity(best, other, observed)
    pose = _pose(best, observed, other if ambiguous else None)
    alternative: ObjectPose | None = None
    if other is not None:
        alternative = _pose(other, observed, best if ambiguous else None)
    if ambiguous:
        alone = tuple(_pose(each, observed, None) for each in (best, *others))
        pose = replace(pose, alternatives=alone)
    error = float(np.sqrt(np.mean(residuals(best, observed) ** 2)))
    return PoseEstimate(
        pose=pose,
        alternative=alternative,
        ambiguous=ambiguous,
        used=fit.used,
        points=fit.points,
        refined=fit.refined,
        error=error,
    )


def _pose(pose: Pose, observed: Observations, other: Pose | None) -> ObjectPose:
    """Return a pose with its covariance, which covers another one that is as likely."""
    spread = covariance(pose, observed, other)
    return ObjectPose(pose.position, quaternion(pose.rotation), spread)

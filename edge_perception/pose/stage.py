# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage of the pipeline that turns keypoints of a flat object into detections and poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import ImageTransform
from edge_perception.contract import IntrinsicsError
from edge_perception.contract import Keypoints
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Perception
from edge_perception.pose.estimator import MINIMUM_POINTS
from edge_perception.pose.estimator import PlanarPoseEstimator
from edge_perception.pose.estimator import PoseEstimate
from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics

NO_INTRINSICS = 'the intrinsics of the camera are not known'
_GREY = {'bgr8': cv2.COLOR_BGR2GRAY, 'rgb8': cv2.COLOR_RGB2GRAY}
# A guess for a camera that nobody calibrated: a lens with 64 degrees. It serves only to tell
# whether keypoints lie in one plane, which depends little on it; no pose is published from it.
_GUESSED_FOCAL_LENGTH = 0.8


def planar_stages(manifest: ModelManifest) -> Sequence[PlanarObjectStage]:
    """
    Return the stage for a model whose manifest says where its keypoints are on the object.

    :raises ManifestError: the object is not flat, or has too few keypoints.
    """
    count = len(manifest.object_points)
    if 0 < count < MINIMUM_POINTS:
        raise ManifestError(
            manifest.name,
            [f'object_points: got {count} points, expected at least {MINIMUM_POINTS} for a pose'],
        )
    if any(z != 0 for _, _, z in manifest.object_points):
        raise ManifestError(
            manifest.name,
            ['object_points: got points with z other than 0, expected a flat object'],
        )
    return (PlanarObjectStage(manifest),) if manifest.object_points else ()


class PlanarObjectStage:
    """
    Confirms instances by their geometry, boxes them, and finds their poses.

    An instance whose keypoints do not lie as on the object is not reported at all. Called by the
    thread of the pipeline; ``calibrate`` may be called by any.
    """

    tasks = frozenset({'detections', 'keypoints', 'poses'})

    def __init__(self, manifest: ModelManifest) -> None:
        recipe = manifest.pose
        self._object_points = np.array(manifest.object_points, np.float64)
        self._estimator = PlanarPoseEstimator(
            self._object_points,
            keypoint_sigma=recipe.keypoint_sigma,
            refine=recipe.refine,
            refined_sigma=recipe.refined_sigma,
        )
        self._calibration: _Calibration = _Calibration(None, (0, 0, 0, 0), NO_INTRINSICS)
        self._fitted: tuple[_Calibration, tuple[int, int], Intrinsics | None] | None = None
        # Why the last frame got no pose although there was an object; empty when it got one.
        self.problem = ''

    @property
    def extent(self) -> Floats:
        """Size of the object along its axes, float64 (3,), metres."""
        return np.asarray(np.ptp(self._object_points, axis=0), np.float64)

    def calibrate(
        self, intrinsics: Intrinsics | None, *, roi: Sequence[int] = (0, 0, 0, 0), why: str = ''
    ) -> None:
        """
        Take the latest intrinsics of the camera.

        :param intrinsics: None switches poses off.
        :param roi: x offset, y offset, width, height of the part that is read out; zeros: all.
        :param why: why there are none, in words.
        """
        x, y, width, height = roi
        self._calibration = _Calibration(intrinsics, (x, y, width, height), why)

    def __call__(
        self, frame: Frame, perception: Perception, transform: ImageTransform
    ) -> Perception:
        """Return the confirmed instances with boxes and, for a calibrated camera, poses."""
        keypoints = perception.keypoints
        if keypoints is None or not len(keypoints):
            return replace(perception, detections=Detections.empty(), poses=())
        intrinsics = self._intrinsics(frame)
        estimates = self._estimates(frame, keypoints, intrinsics or _guess(frame), transform)
        rows = [row for row, estimate in enumerate(estimates) if estimate is not None]
        confirmed = [estimate for estimate in estimates if estimate is not None]
        boxes = [self._box(estimate, intrinsics or _guess(frame)) for estimate in confirmed]
        scores = [
            float(keypoints.score[row][estimate.used].mean())
            for row, estimate in zip(rows, confirmed)
        ]
        return replace(
            perception,
            detections=Detections(
                xyxy=np.array(boxes, np.float32).reshape(-1, 4),
                score=np.array(scores, np.float32),
                class_id=np.zeros(len(rows), np.int32),
            ),
            keypoints=Keypoints(xy=keypoints.xy[rows], score=keypoints.score[rows]),
            poses=self._poses(confirmed) if intrinsics is not None else (),
        )

    def _intrinsics(self, frame: Frame) -> Intrinsics | None:
        """Return intrinsics that fit the size of the frame, None where a pose is not possible."""
        calibration, size = self._calibration, (frame.width, frame.height)
        if self._fitted is None or self._fitted[:2] != (calibration, size):
            fitted, self.problem = calibration.intrinsics, calibration.why
            if fitted is not None:
                try:
                    fitted = fitted.fitted(*size, roi=calibration.roi)
                except IntrinsicsError as error:
                    fitted, self.problem = None, str(error)
            self._fitted = (calibration, size, fitted)
        return self._fitted[2]

    def _estimates(
        self,
        frame: Frame,
        keypoints: Keypoints,
        intrinsics: Intrinsics,
        transform: ImageTransform,
    ) -> list[PoseEstimate | None]:
        grey = frame.image
        if frame.encoding in _GREY:
            grey = np.asarray(cv2.cvtColor(frame.image, _GREY[frame.encoding]), np.uint8)
        return [
            self._estimator.estimate(
                keypoints.xy[row],
                keypoints.score[row],
                intrinsics=intrinsics,
                scale=1 / transform.scale_x,
                grey=grey,
            )
            for row in range(len(keypoints))
        ]

    def _box(self, estimate: PoseEstimate, intrinsics: Intrinsics) -> npt.NDArray[np.floating]:
        """Return the box around all keypoints, those that are not seen as well."""
        rotation = _matrix(estimate.pose)
        corners = intrinsics.pixels(self._object_points @ rotation.T + estimate.pose.position)
        return np.concatenate([corners.min(axis=0), corners.max(axis=0)])

    @staticmethod
    def _poses(confirmed: list[PoseEstimate]) -> tuple[ObjectPose, ...]:
        return tuple(
            replace(estimate.pose, instance=row) for row, estimate in enumerate(confirmed)
        )


class _Calibration:
    """What is known of the camera; compared by identity, so that a new one is always noticed."""

    def __init__(
        self, intrinsics: Intrinsics | None, roi: tuple[int, int, int, int], why: str
    ) -> None:
        self.intrinsics = intrinsics
        self.roi = roi
        self.why = why


def _guess(frame: Frame) -> Intrinsics:
    focal = _GUESSED_FOCAL_LENGTH * max(frame.width, frame.height)
    x, y = (frame.width - 1) / 2, (frame.height - 1) / 2
    matrix = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]], np.float64)
    return Intrinsics(frame.width, frame.height, matrix, np.zeros(0), '')


def _matrix(pose: ObjectPose) -> Floats:
    x, y, z, w = pose.orientation
    axis = np.array([x, y, z])
    sine = float(np.linalg.norm(axis))
    angle = 2 * np.arctan2(sine, w)
    vector = axis / sine * angle if sine > 0 else np.zeros(3)
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)

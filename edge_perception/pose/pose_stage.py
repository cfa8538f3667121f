# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage of the pipeline that turns keypoints of a flat object into detections and poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from edge_perception.pose.consensus import MINIMUM_POINTS
from edge_perception.pose.estimator import PlanarPoseEstimator
from edge_perception.pose.estimator import PoseEstimate
from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.solver import rotation_matrix

NO_INTRINSICS = 'the intrinsics of the camera are not known'
_GRAY = {'bgr8': cv2.COLOR_BGR2GRAY, 'rgb8': cv2.COLOR_RGB2GRAY}
# A guess for a camera that nobody calibrated: a lens with 64 degrees. It serves only to tell
# whether keypoints lie in one plane, which depends little on it, and to compare two engines on one
# picture; no pose is published from it.
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
    needs = frozenset({'keypoints'})

    def __init__(self, manifest: ModelManifest) -> None:
        recipe = manifest.pose
        self._needs_image = recipe.refine or bool(recipe.pattern)
        self._object_points = np.array(manifest.object_points, np.float64)
        self._estimator = PlanarPoseEstimator(
            self._object_points,
            keypoint_sigma=recipe.keypoint_sigma,
            refine=recipe.refine,
            refined_sigma=recipe.refined_sigma,
            pattern=recipe.pattern,
        )
        self._calibration: _Calibration = _Calibration(None, (0, 0, 0, 0), NO_INTRINSICS)
        self._fitted: tuple[_Calibration, tuple[int, int], _Camera] | None = None
        # Why no object can get a pose, in words; empty when nothing stands in the way.
        self.problem = NO_INTRINSICS

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
        # In this order: the thread of the pipeline writes what is wrong with the calibration.
        self.problem = why
        self._calibration = _Calibration(intrinsics, (x, y, width, height), why)

    def __call__(
        self, frame: Frame, perception: Perception, transform: ImageTransform
    ) -> Perception:
        """Return the confirmed instances with boxes and, for a calibrated camera, poses."""
        camera = self._camera(frame)
        keypoints = perception.keypoints
        assert keypoints is not None
        if not len(keypoints):
            return replace(perception, detections=Detections.empty(), poses=())
        found = self._look(frame, keypoints, camera, transform)
        found.sort(key=lambda instance: -instance.score)
        rows = [instance.row for instance in found]
        class_id, track_id = np.zeros(len(keypoints), np.int32), None
        if perception.detections is not None:
            class_id, track_id = perception.detections.class_id, perception.detections.track_id
        return replace(
            perception,
            detections=Detections(
                xyxy=np.array([each.box for each in found], np.float32).reshape(-1, 4),
                score=np.array([each.score for each in found], np.float32),
                class_id=class_id[rows],
                track_id=None if track_id is None else track_id[rows],
            ),
            keypoints=Keypoints(xy=keypoints.xy[rows], score=keypoints.score[rows]),
            poses=tuple(
                replace(each.pose, instance=index)
                for index, each in enumerate(found)
                if each.pose is not None
            ),
        )

    def axes(self, frame: Frame, pose: ObjectPose) -> Floats:
        """
        Return where the axes of an object are in the image, for drawing.

        :return: origin and ends of x, y, z, (4, 2), pixels; an axis is as long as half the object.
        """
        intrinsics = self._camera(frame).intrinsics
        length = 0.5 * float(np.ptp(self._object_points, axis=0).max())
        ends = np.concatenate([np.zeros((1, 3)), length * np.eye(3)])
        position = pose.position + intrinsics.shift
        return intrinsics.pixels(ends @ rotation_matrix(pose.orientation).T + position)

    def _look(
        self,
        frame: Frame,
        keypoints: Keypoints,
        camera: _Camera,
        transform: ImageTransform,
    ) -> list[_Instance]:
        """Return the instances whose keypoints lie as on the object."""
        gray = self._gray(frame)
        # Stretched pictures: the side on which a pixel of the network's is larger.
        scale = 1 / min(transform.scale_x, transform.scale_y)
        found: list[_Instance] = []
        for row, (xy, score) in enumerate(zip(keypoints.xy, keypoints.score)):
            estimate = self._estimator.estimate(
                xy, score, intrinsics=camera.intrinsics, scale=scale, gray=gray
            )
            if estimate is not None:
                mean = float(score[estimate.used].mean())
                pose = camera.in_header_frame(estimate.pose) if camera.calibrated else None
                found.append(_Instance(row, mean, self._box(estimate, camera), pose))
        return found

    def _gray(self, frame: Frame) -> npt.NDArray[np.uint8] | None:
        """Return what refinement and the pattern need to see."""
        if not self._needs_image:
            return None
        if frame.encoding not in _GRAY:
            return frame.image
        return np.asarray(cv2.cvtColor(frame.image, _GRAY[frame.encoding]), np.uint8)

    def _camera(self, frame: Frame) -> _Camera:
        """Return the camera for frames of this size; a guess where a pose is not possible."""
        calibration, size = self._calibration, (frame.width, frame.height)
        if self._fitted is None or self._fitted[:2] != (calibration, size):
            fitted, self.problem = calibration.intrinsics, calibration.why
            if fitted is not None:
                try:
                    fitted = fitted.fitted(*size, roi=calibration.roi)
                except IntrinsicsError as error:
                    fitted, self.problem = None, str(error)
            camera = _Camera(fitted or guessed_intrinsics(frame), calibrated=fitted is not None)
            self._fitted = (calibration, size, camera)
        return self._fitted[2]

    def _box(self, estimate: PoseEstimate, camera: _Camera) -> Floats:
        """Return the box around all keypoints, those that are not seen as well."""
        pose = estimate.pose
        points = self._object_points @ rotation_matrix(pose.orientation).T + pose.position
        # What is beside or behind the camera is taken to be just in front of it.
        depth = np.maximum(points[:, 2:], 0.01 * np.linalg.norm(points, axis=1, keepdims=True))
        rays = points[:, :2] / depth
        matrix = camera.intrinsics.matrix
        straight = rays @ matrix[:2, :2].T + matrix[:2, 2] + 0.5
        bent = camera.intrinsics.pixels(np.concatenate([rays, np.ones((len(rays), 1))], axis=1))
        # Outside of the image the polynomial of a lens means nothing, and may fold back.
        outside = np.linalg.norm(rays, axis=1, keepdims=True) > camera.reach
        pixels = np.where(outside, straight, bent)
        return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


class _Camera:
    """
    The camera of frames of one size.

    :param calibrated: False where the intrinsics are a guess.
    """

    def __init__(self, intrinsics: Intrinsics, *, calibrated: bool) -> None:
        self.intrinsics = intrinsics
        self.calibrated = calibrated
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        rays = intrinsics.rays(corners * (intrinsics.width, intrinsics.height))
        # Length of the longest ray of the image, at z = 1.
        self.reach = float(np.linalg.norm(rays, axis=1).max())

    def in_header_frame(self, pose: ObjectPose) -> ObjectPose:
        """Return a pose in the frame that the header of the image names."""
        return replace(pose, position=pose.position - self.intrinsics.shift)


@dataclass(frozen=True, slots=True)
class _Instance:
    """One confirmed object: its row in the keypoints, its box in pixels, its pose if known."""

    row: int
    score: float
    box: Floats
    pose: ObjectPose | None


class _Calibration:
    """What is known of the camera; compared by identity, so that a new one is always noticed."""

    def __init__(
        self, intrinsics: Intrinsics | None, roi: tuple[int, int, int, int], why: str
    ) -> None:
        self.intrinsics = intrinsics
        self.roi = roi
        self.why = why


def guessed_intrinsics(frame: Frame) -> Intrinsics:
    """Return intrinsics for pictures of a camera that nobody calibrated."""
    focal = _GUESSED_FOCAL_LENGTH * max(frame.width, frame.height)
    x, y = (frame.width - 1) / 2, (frame.height - 1) / 2
    matrix = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]], np.float64)
    return Intrinsics(frame.width, frame.height, matrix, np.zeros(0), '')

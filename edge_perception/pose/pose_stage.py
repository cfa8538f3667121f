# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage of the pipeline that turns keypoints of a flat object into detections and poses."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import Calibration
from edge_perception.contract import Detections
from edge_perception.contract import Frame
from edge_perception.contract import IntrinsicsError
from edge_perception.contract import Keypoints
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.pose.consensus import MINIMUM_POINTS
from edge_perception.pose.estimator import PlanarPoseEstimator
from edge_perception.pose.estimator import PoseEstimate
from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics
from edge_perception.pose.solver import rotation_matrix

NO_INTRINSICS = 'the intrinsics of the camera are not known'
_GRAY = {'bgr8': cv2.COLOR_BGR2GRAY, 'rgb8': cv2.COLOR_RGB2GRAY}


class PlanarObjectStage(Stage):
    """
    Confirms instances by their geometry, boxes them, and finds their poses.

    An instance whose keypoints do not match the object is not reported. A camera that
    is not calibrated gets no poses; a guess of its lens then serves to confirm and box instances,
    which depends little on it.
    """

    name = 'pose'
    tasks = frozenset({'detections', 'keypoints', 'poses'})
    needs = frozenset({'keypoints'})
    problem = 'no image has come so far'

    @classmethod
    def applies(cls, manifest: ModelManifest, options: Options) -> bool:
        """Tell whether the manifest says where its keypoints are on the object."""
        points = manifest.object_points
        problems = []
        if 0 < len(points) < MINIMUM_POINTS:
            problems.append(
                f'object_points: got {len(points)} points, expected at least {MINIMUM_POINTS} '
                'for a pose'
            )
        if any(z != 0 for _, _, z in points):
            problems.append(
                'object_points: got points with z other than 0, expected a flat object'
            )
        if problems:
            raise ManifestError(manifest.name, problems)
        return bool(points)

    def _bind(self) -> None:
        recipe = self.manifest.pose
        self.reads = Reads(image=recipe.refine or bool(recipe.pattern), calibration=True)
        self._object_points = np.array(self.manifest.object_points, np.float64)
        self._estimator = PlanarPoseEstimator.of(self.manifest)
        self._fitted: tuple[Calibration | None, int, int, _Camera] | None = None

    def _run(self, inputs: StageInputs) -> Perception:
        perception, camera = inputs.perception, self._camera(inputs)
        keypoints = perception.keypoints
        assert keypoints is not None
        if not len(keypoints):
            return replace(perception, detections=Detections.empty(), poses=())
        found = self._look(inputs, keypoints, camera)
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

    def _look(self, inputs: StageInputs, keypoints: Keypoints, camera: _Camera) -> list[_Instance]:
        """Return the instances whose keypoints match the object."""
        gray, transform = self._gray(inputs.frame), inputs.transform
        # Stretched images: the side on which a pixel of the model input is larger.
        scale = 1 / min(transform.scale_x, transform.scale_y)
        found: list[_Instance] = []
        for row, (xy, score) in enumerate(zip(keypoints.xy, keypoints.score)):
            estimate = self._estimator.estimate(
                xy, score, intrinsics=camera.intrinsics, scale=scale, gray=gray
            )
            if estimate is not None:
                mean = float(score[estimate.used].mean())
                pose = self._published(estimate.pose, camera) if camera.calibrated else None
                found.append(_Instance(row, mean, self._box(estimate, camera), pose))
        return found

    def _gray(self, frame: Frame) -> npt.NDArray[np.uint8] | None:
        """Return what refinement and the pattern need to see."""
        if not self.reads.image:
            return None
        if frame.encoding not in _GRAY:
            return frame.image
        return np.asarray(cv2.cvtColor(frame.image, _GRAY[frame.encoding]), np.uint8)

    def _camera(self, inputs: StageInputs) -> _Camera:
        """Return the camera for frames of this size; a guess where a pose is not possible."""
        calibration, frame = inputs.calibration, inputs.frame
        key = (calibration, frame.width, frame.height)
        if self._fitted is None or self._fitted[:3] != key:
            fitted, self.problem = None, '' if calibration is not None else NO_INTRINSICS
            if calibration is not None:
                try:
                    fitted = Intrinsics.of(calibration, frame)
                except IntrinsicsError as error:
                    self.problem = str(error)
            guess = Intrinsics.of(Calibration.guessed(frame), frame)
            self._fitted = (*key, _Camera(fitted or guess, calibrated=fitted is not None))
        return self._fitted[3]

    def _published(self, pose: ObjectPose, camera: _Camera) -> ObjectPose:
        """Return a pose in the frame that the header of the image names, with its axes."""
        shift = camera.intrinsics.shift
        # An axis is as long as half the object.
        length = 0.5 * float(np.ptp(self._object_points, axis=0).max())
        ends = np.concatenate([np.zeros((1, 3)), length * np.eye(3)])
        axes = camera.intrinsics.pixels(ends @ rotation_matrix(pose.orientation).T + pose.position)
        either = tuple(replace(each, position=each.position - shift) for each in pose.alternatives)
        return replace(pose, position=pose.position - shift, axes=axes, alternatives=either)

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


@dataclass(frozen=True, slots=True)
class _Instance:
    """One confirmed object: its row in the keypoints, its box in pixels, its pose if known."""

    row: int
    score: float
    box: Floats
    pose: ObjectPose | None

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stage ``target``: one target out of the poses, filtered, and what it was measured at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import ClassVar

import numpy as np

from edge_perception.contract import FrameTransform
from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.contract import Perception
from edge_perception.contract import Reads
from edge_perception.contract import Stage
from edge_perception.contract import StageInputs
from edge_perception.pose import quaternion
from edge_perception.pose import rotation_matrix
from edge_perception.target.facing import angle_between
from edge_perception.target.facing import Facing
from edge_perception.target.target_filter import Floats
from edge_perception.target.target_filter import TargetEstimate
from edge_perception.target.target_filter import TargetFilter

ESTIMATE, MEASUREMENT = 'target', 'target_measurement'
# Measurements that have to agree before a target counts as tracked.
_ENOUGH = 3
# Squared deviations between two poses that might as well be one.
_NOISE = 9.0
# Images in a row, or more than others, that place or turn the target elsewhere: it is elsewhere.
_CONTRADICTED = 5
# A stamp that lies so far before the newest was not late: the clock was set back.
_SET_BACK_NS = 1_000_000_000
_COUNTED = ('taken', 'rejected', 'ambiguous', 'other_targets', 'late', 'no_transform')
_IN_CAMERA = FrameTransform(np.eye(3), np.zeros(3))


@dataclass(frozen=True, slots=True)
class TargetOptions(Options):
    """Options of the stage ``target``."""

    enabled: bool = option(
        False, 'follow one target, and publish ~/target and ~/target_measurement'
    )
    fixed_frame: str = option(
        '',
        'frame of /tf that does not move with the camera, e.g. odom (empty: that of the camera)',
    )
    acceleration: float = option(
        0.1,
        'acceleration of the target in fixed_frame, m/s^2 per root of Hz',
        minimum=0.001,
        maximum=100.0,
    )
    camera_acceleration: float = option(
        3.0,
        'acceleration of the camera, likewise, without fixed_frame',
        minimum=0.001,
        maximum=100.0,
    )
    turn_rate: float = option(
        0.5, 'turn rate of the camera without fixed_frame, rad/s', minimum=0.0, maximum=10.0
    )
    max_coast: float = option(
        0.5, 'maximum time that ~/target is predicted without a measurement, s', minimum=0.0
    )


class TargetStage(Stage):
    """
    Follows the target that was seen first and best; publishes its estimate and its measurement.

    ``~/target`` is the estimate at the stamp of the image, coasting for a stated time;
    ``~/target_measurement`` is what was seen in this image, if it passed the gate and is not
    ambiguous: for those who filter themselves. Both are in the camera's optical frame.

    :param filter: what it knows, in the fixed frame where there is one.
    """

    name: ClassVar[str] = 'target'
    needs = frozenset({'poses'})
    options_type = TargetOptions
    publishes: Mapping[str, str] = {ESTIMATE: 'pose', MEASUREMENT: 'pose'}

    options: TargetOptions

    @classmethod
    def applies(cls, manifest: ModelManifest, options: Options) -> bool:
        """Tell whether it is switched on."""
        assert isinstance(options, TargetOptions)
        if options.enabled and not manifest.object_points:
            raise ManifestError(
                manifest.name,
                ['object_points: got none, expected those of the target (stage_options.target)'],
            )
        return options.enabled

    def _bind(self) -> None:
        options = self.options
        fixed = bool(options.fixed_frame)
        self.reads = Reads(transforms=(options.fixed_frame,) if fixed else ())
        self._turn_rate = 0.0 if fixed else options.turn_rate
        self.filter = TargetFilter(
            acceleration=options.acceleration if fixed else options.camera_acceleration,
            turn_rate=self._turn_rate,
        )
        self._coast_ns = int(options.max_coast * 1e9)
        self.counts = self._counts = dict.fromkeys(_COUNTED, 0)
        self.reset()

    def reset(self) -> None:
        """Forget the target."""
        self.filter.reset()
        self._facing = Facing()
        self._agreed = self._seen_ns = self._newest_ns = 0
        self._rotation = self._turn_covariance = np.eye(3)
        self.problem = 'lost: not seen now'

    def _run(self, inputs: StageInputs) -> Perception:
        camera, stamp_ns = self._camera(inputs), inputs.frame.stamp_ns
        if camera is None:
            return inputs.perception
        if self._is_late(stamp_ns):
            self._counts['late'] += 1
            return inputs.perception
        seen = self._seen(inputs.perception.poses, camera, stamp_ns)
        extras = dict(inputs.perception.extras)
        estimate = self.filter.predicted(stamp_ns)
        if seen is not None:
            extras[MEASUREMENT] = seen
        if estimate is not None and self._agreed >= _ENOUGH:
            extras[ESTIMATE] = self._published(estimate, camera)
        self.problem = self._state(stamp_ns, seen)
        return replace(inputs.perception, extras=extras)

    def _camera(self, inputs: StageInputs) -> FrameTransform | None:
        """Return where the camera is in the frame of the filter; None where that is not known."""
        name = self.options.fixed_frame
        if not name:
            return _IN_CAMERA
        camera = inputs.transforms.get(name)
        if camera is None:
            self._counts['no_transform'] += 1
            self.problem = inputs.missing.get(name, f'{name} is not known at the stamp')
        return camera

    def _is_late(self, stamp_ns: int) -> bool:
        """Tell whether a newer image was seen; forget what is too old, or of another clock."""
        last, newest_ns = self.filter.estimate, self._newest_ns
        if stamp_ns <= newest_ns <= stamp_ns + _SET_BACK_NS:
            return True
        if stamp_ns < newest_ns or (last and stamp_ns - last.stamp_ns > self._coast_ns):
            self.reset()
        self._newest_ns = stamp_ns
        return False

    def _seen(
        self, poses: tuple[ObjectPose, ...], camera: FrameTransform, stamp_ns: int
    ) -> ObjectPose | None:
        """Return the pose of the target in this image, if it may be handed on."""
        pose = self._of_target(poses, camera, stamp_ns)
        if pose is None:
            return None
        either = pose.alternatives
        if not either or (not self._facing.decided and _alike(either)):
            either = (pose,)
        rotations = [camera.rotation @ rotation_matrix(each.orientation) for each in either]
        turned = self._turn_rate * (stamp_ns - self._seen_ns) / 1e9 if self._seen_ns else 0.0
        self._seen_ns = stamp_ns
        chosen = self._facing.choose(rotations, [_turn_sigma(each) for each in either], turned)
        if chosen is None:
            self._count('ambiguous')
            return None
        measured = either[chosen]
        if not self.filter.update(stamp_ns, *_placed(measured, camera)):
            self._count('rejected')
            return None
        self._counts['taken'] += 1
        self._agreed += 1
        self._rotation = rotations[chosen]
        turn = measured.covariance[3:, 3:]
        self._turn_covariance = camera.rotation @ turn @ camera.rotation.T
        return measured if self._agreed >= _ENOUGH else None

    def _count(self, why_not: str) -> None:
        """Count an image that was not taken; begin again where too many contradict."""
        self._counts[why_not] += 1
        if max(self.filter.rejected, self._facing.contradicted) >= _CONTRADICTED:
            newest_ns = self._newest_ns
            self.reset()
            self._newest_ns = newest_ns

    def _of_target(
        self, poses: tuple[ObjectPose, ...], camera: FrameTransform, stamp_ns: int
    ) -> ObjectPose | None:
        """Return the pose nearest to where the target should be; the best while it is unknown."""
        expected = self.filter.predicted(stamp_ns)
        self._counts['other_targets'] += max(len(poses) - 1, 0)
        if expected is None or not poses:
            return poses[0] if poses else None
        return min(
            poses,
            key=lambda pose: np.linalg.norm(_placed(pose, camera)[0] - expected.position),
        )

    def _published(self, estimate: TargetEstimate, camera: FrameTransform) -> ObjectPose:
        """Return an estimate in the camera's optical frame, with the last orientation."""
        turned = camera.rotation.T
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = turned @ estimate.covariance[:3, :3] @ camera.rotation
        covariance[3:, 3:] = turned @ self._turn_covariance @ camera.rotation
        return ObjectPose(
            turned @ (estimate.position - camera.translation),
            quaternion(turned @ self._rotation),
            covariance,
        )

    def _state(self, stamp_ns: int, seen: ObjectPose | None) -> str:
        """Return what is the matter, in words that begin with the state; empty while tracking."""
        last = self.filter.estimate
        if seen is not None:
            return ''
        if last is None:
            return 'acquiring: ambiguous pose' if self._facing.open else 'lost: not seen now'
        if self._agreed < _ENOUGH:
            return f'acquiring: {self._agreed} of {_ENOUGH} measurements that agree'
        return f'coasting: not seen for {(stamp_ns - last.stamp_ns) / 1e6:.0f} ms'


def _placed(pose: ObjectPose, camera: FrameTransform) -> tuple[Floats, Floats]:
    """Return position and its covariance in the frame of the filter."""
    position = camera.rotation @ pose.position + camera.translation
    return position, camera.rotation @ pose.covariance[:3, :3] @ camera.rotation.T


def _alike(either: tuple[ObjectPose, ...]) -> bool:
    """Tell whether poses differ by no more than noise: the pose that covers all says enough."""
    first, *others = (rotation_matrix(each.orientation) for each in either)
    spread = sum(_turn_sigma(each) ** 2 for each in either)
    return all(angle_between(first, other) ** 2 < _NOISE * spread for other in others)


def _turn_sigma(pose: ObjectPose) -> float:
    """Return the standard deviation of an orientation, radians, that of its worst axis."""
    return float(np.sqrt(np.linalg.eigvalsh(pose.covariance[3:, 3:])[-1]))

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether covariances are honest: squared errors in deviations, over simulated approaches.

NEES and NIS: Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and
Navigation", 5.4.2. Each mean is 1 for each degree of freedom where the covariance is right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator

import cv2
import numpy as np

from edge_perception.contract import FrameTransform
from edge_perception.contract import ModelManifest
from edge_perception.contract import ObjectPose
from edge_perception.pose import rotation_matrix
from edge_perception.target.target_filter import TargetEstimate
from edge_perception.target.target_stage import ESTIMATE
from edge_perception.target.target_stage import TargetOptions
from tools.landing.multirotor import Floats
from tools.landing.pad_camera import FACING
from tools.landing.pad_camera import PadCamera

# Degrees of freedom, and the value that 5 % exceed by chance (chi-square).
KINDS = {'pose': (6, 12.59), 'NIS': (3, 7.81), 'NEES': (6, 12.59)}
# An error of so many squared deviations is no noise: the mirrored pose, taken for the right one.
_WRONG = 100.0
_RATE, _SECONDS = 10, 4
# Every tenth target rests; others move with the acceleration that the filter is told.
_RESTS = 10
_SIGMAS, _MISSED, _TILTS = (0.2, 0.5, 1.1), (0.0, 0.25, 0.5), (0.0, 10.0, 20.0, 35.0)
# What white acceleration does to position and velocity between two images, as a root.
_STEP = np.linalg.cholesky(
    np.array([[1 / 3 / _RATE**3, 1 / 2 / _RATE**2], [1 / 2 / _RATE**2, 1 / _RATE]])
)
# Lower ends of the bins.
_BINS = {
    'distance, m': (0.0, 2.0, 3.5, 5.0),
    'tilt, degrees': (0.0, 5.0, 15.0, 30.0),
    'noise, pixels': _SIGMAS,
    'occluded': _MISSED,
    'target moves': (0.0, 1.0),
}


class ConsistencyTable:
    """Squared errors by kind, by condition and by bin."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, float, str], list[float]] = defaultdict(list)

    def add(self, conditions: tuple[float, ...], errors: dict[str, float]) -> None:
        """Add what was found in one image, each in the bins of the conditions there."""
        shown = _BINS.items() if conditions[-1] else [*_BINS.items()][-1:]
        for (condition, lowest), value in zip(shown, conditions[-len(shown) :]):
            low = lowest[int(np.searchsorted(lowest, value + 1e-9)) - 1]
            for kind, error in errors.items():
                self._values[condition, low, kind].append(error)

    @classmethod
    def joined(cls, tables: Iterable[ConsistencyTable]) -> ConsistencyTable:
        """Return one table of all."""
        whole = cls()
        for table in tables:
            for key, values in table._values.items():
                whole._values[key] += values
        return whole

    def rows(self) -> Iterator[tuple[str, str, float, float, int, int]]:
        """
        Yield bin, kind, mean for each degree of freedom, share inside 95 %, images, wrong ones.

        The mean leaves out the wrong ones.
        """
        for (condition, low, kind), values in sorted(self._values.items()):
            freedom, limit = KINDS[kind]
            all_of_them = np.array(values)
            right = all_of_them[all_of_them < _WRONG]
            yield (
                *(f'{condition} from {low:g}', kind, float(right.mean()) / freedom),
                *(float((all_of_them < limit).mean()), len(values), len(values) - len(right)),
            )


def approaches(manifest: ModelManifest, count: int, seed: int = 0) -> ConsistencyTable:
    """Return how large the errors of a number of approaches are, in deviations."""
    table = ConsistencyTable()
    for number in range(count):
        random = np.random.default_rng((seed, number))
        sigma, missed = random.choice(_SIGMAS), random.choice(_MISSED)
        options = TargetOptions(enabled=True, fixed_frame='odom')
        camera = PadCamera(manifest, random, sigma=sigma, missed=missed, options=options)
        motion = options.acceleration if number % _RESTS else 0.0
        for conditions, errors in _approach(camera, random, motion):
            table.add((*conditions, sigma, missed, float(motion > 0)), errors)
    return table


def _approach(
    camera: PadCamera, random: np.random.Generator, motion: float
) -> Iterator[tuple[tuple[float, float], dict[str, float]]]:
    """Yield distance and tilt, and the errors, of each image of an approach."""
    away, height = random.uniform(-1, 1, 2) * 0.3, random.uniform(1.5, 6.5)
    pad, speed = random.normal(size=3), motion * random.normal(size=3)
    lying = cv2.Rodrigues(np.array([0, 0, random.uniform(-np.pi, np.pi)]))[0]
    view, tilt = random.uniform(-np.pi, np.pi), np.radians(random.choice(_TILTS))
    swing = random.uniform(0, 0.1, 2)
    for index in range(_RATE * _SECONDS):
        seconds = index / _RATE
        pushed = motion * (_STEP @ random.normal(size=(2, 3)))
        pad, speed = pad + speed / _RATE + pushed[0], speed + pushed[1]
        distance = height * (1 - seconds / _SECONDS / 2)
        # The camera looks at the pad from the side, and swings a little.
        lean = np.array([np.cos(view), np.sin(view), 0]) * tilt
        sway = swing * np.sin([1.0 * seconds, 1.3 * seconds])
        looking = cv2.Rodrigues(lean)[0] @ cv2.Rodrigues(np.append(sway, 0.0))[0] @ FACING
        optical = np.array([*(away * distance), distance])
        place = FrameTransform(looking, pad - looking @ optical)
        rotation = looking.T @ lying
        camera.stage.filter.nis = None
        stamp_ns = 1 + int(seconds * 1e9)
        pose, extras, _ = camera.look(
            optical, rotation @ FACING, stamp_ns=stamp_ns, transforms={'odom': place}
        )
        errors = {}
        if pose is not None and not pose.alternatives:
            errors['pose'] = _pose_error(pose, optical, rotation)
        if camera.stage.filter.nis is not None:
            errors['NIS'] = camera.stage.filter.nis
        estimate = camera.stage.filter.predicted(stamp_ns)
        if ESTIMATE in extras and estimate is not None:
            errors['NEES'] = _estimate_error(estimate, np.concatenate([pad, speed]))
        facing_away = np.arccos(np.clip(-rotation[2, 2], -1, 1))
        yield (distance, float(np.degrees(facing_away))), errors


def _pose_error(pose: ObjectPose, position: Floats, rotation: Floats) -> float:
    turn = cv2.Rodrigues(rotation_matrix(pose.orientation) @ rotation.T)[0].ravel()
    error = np.concatenate([pose.position - position, turn])
    return float(error @ np.linalg.solve(pose.covariance, error))


def _estimate_error(estimate: TargetEstimate, state: Floats) -> float:
    error = np.concatenate([estimate.position, estimate.velocity]) - state
    return float(error @ np.linalg.solve(estimate.covariance, error))

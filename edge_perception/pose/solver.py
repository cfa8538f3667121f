# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The two poses of a plane, polished on pixels, and their covariance of first order."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics

_STEPS = 8
# A polishing step that promises to lower chi-square by less is the last one.
_SETTLED = 1e-2
# Two poses are told apart when the worse one fits so much worse: the difference of chi-square
# that is exceeded by chance in one of a hundred cases (6.63, one degree of freedom).
_CLEAR = 6.63
# Radians between poses that are one.
_EQUAL = 0.005


@dataclass(frozen=True, slots=True)
class Pose:
    """
    Object to optical frame.

    :param rotation: float64 (3, 3).
    :param position: float64 (3,), meters.
    """

    rotation: Floats
    position: Floats

    def transform(self, points: Floats) -> Floats:
        """Return points (N, 3) of the object in the optical frame."""
        return points @ self.rotation.T + self.position


@dataclass(frozen=True, slots=True)
class Observations:
    """
    Keypoints that were seen, as rays.

    :param points: float64 (N, 3), meters, in the frame of the object.
    :param rays: float64 (N, 2), x and y at z = 1.
    :param whitening: float64 (N, 2, 2); times a difference of rays it gives standard deviations.
    """

    points: Floats
    rays: Floats
    whitening: Floats

    @classmethod
    def take(
        cls,
        points: Floats,
        xy: npt.NDArray[np.floating],
        sigma: Floats,
        rows: npt.NDArray[np.bool_],
        intrinsics: Intrinsics,
    ) -> Observations:
        """
        Return some keypoints.

        :param xy: (K, 2), pixels.
        :param sigma: (K,), pixels.
        """
        pixels = np.asarray(xy[rows], np.float64)
        rays, slopes = intrinsics.rays_and_slopes(pixels)
        whitening = slopes / sigma[rows][:, None, None]
        return cls(points[rows], rays, whitening)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def ray_sigma(self) -> Floats:
        """Standard deviation of each ray, the geometric mean of its axes: (N,)."""
        a, b, c, d = self.whitening.reshape(-1, 4).T
        return np.asarray(1 / np.sqrt(np.abs(a * d - b * c)))

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Observations:
        """Return some of the observations."""
        return Observations(self.points[chosen], self.rays[chosen], self.whitening[chosen])


def first_pose(observed: Observations) -> Pose | None:
    """Return the pose that IPPE likes better, if it faces the camera, or else the other one."""
    polished = (polish(start, observed) for start in _starts(observed))
    return next((pose for pose in polished if pose is not None), None)


def both_poses(observed: Observations, *, known: Pose) -> list[Pose]:
    """
    Return the poses that face the camera, the better first.

    :param known: one of the two, polished already.
    """
    poses = [known]
    starts = sorted(_starts(observed), key=lambda pose: -np.vdot(pose.rotation, known.rotation))
    for start in starts[1:]:
        pose = polish(start, observed)
        if pose is not None and not _same(pose, known):
            poses.append(pose)
    return sorted(poses, key=lambda pose: _cost(pose, observed))


def _starts(observed: Observations) -> list[Pose]:
    """Return the solutions of IPPE, which knows nothing of deviations."""
    turned = _upright(observed)
    try:
        count, rotations, positions, *_ = cv2.solvePnPGeneric(
            (observed.points @ turned.T).reshape(-1, 1, 3),
            observed.rays.reshape(-1, 1, 2),
            np.eye(3),
            np.zeros(4),
            flags=cv2.SOLVEPNP_IPPE,
        )
    except cv2.error:
        # Points on a line, or fewer than four: no plane can be laid through them.
        return []
    return [
        Pose(
            np.asarray(cv2.Rodrigues(np.asarray(rotations[index]))[0], np.float64) @ turned,
            np.asarray(positions[index], np.float64).ravel(),
        )
        for index in range(int(count))
    ]


def _upright(observed: Observations) -> Floats:
    """
    Return a rotation after which the object faces the camera nearly as it is seen.

    An object seen straight from above is turned by 180 degrees against the camera, and there the
    rotation vector that IPPE returns is undefined: poses of such views came out 1e12 m away.
    """
    flipped = observed.points[:, :2] * (1, -1)
    p, q = flipped - flipped.mean(axis=0), observed.rays - observed.rays.mean(axis=0)
    angle = np.arctan2((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum(), (p * q).sum())
    about_z = np.asarray(cv2.Rodrigues(np.array([0.0, 0.0, angle]))[0], np.float64)
    return np.asarray(about_z @ np.diag([1.0, -1.0, -1.0]), np.float64)


def _same(pose: Pose, other: Pose) -> bool:
    """Tell whether two starts ended in one minimum, as they do in a clear image."""
    return bool(np.vdot(pose.rotation, other.rotation) > 1 + 2 * np.cos(_EQUAL))


def residuals(pose: Pose, observed: Observations) -> Floats:
    """Return (N, 2): differences of the rays in standard deviations."""
    points = pose.transform(observed.points)
    difference = points[:, :2] / points[:, 2:] - observed.rays
    return np.asarray((observed.whitening @ difference[..., None])[..., 0], np.float64)


def _cost(pose: Pose, observed: Observations) -> float:
    return float((residuals(pose, observed) ** 2).sum())


def linearize(pose: Pose, observed: Observations) -> tuple[Floats, Floats]:
    """
    Return the residuals and their derivative.

    :return: (2 N,) and (2 N, 6), by x, y, z and by rotations about the x, y and z axes of the
        optical frame through the center of the object.
    """
    turned = observed.points @ pose.rotation.T
    # u = x / z and v = y / z; a turn w moves a point by w x (a, b, c), its place from the center.
    a, b, c = turned.T
    x, y, z = (turned + pose.position).T
    u, v = x / z, y / z
    by_pose = np.zeros((len(observed), 2, 7))
    by_pose[:, 0, 0] = by_pose[:, 1, 1] = 1
    by_pose[:, 0, 2], by_pose[:, 1, 2] = -u, -v
    by_pose[:, 0, 3], by_pose[:, 0, 4], by_pose[:, 0, 5] = -u * b, c + u * a, -b
    by_pose[:, 1, 3], by_pose[:, 1, 4], by_pose[:, 1, 5] = -c - v * b, v * a, a
    by_pose /= z[:, None, None]
    # One product whitens both.
    by_pose[:, 0, 6], by_pose[:, 1, 6] = u - observed.rays[:, 0], v - observed.rays[:, 1]
    both = (observed.whitening @ by_pose).reshape(-1, 7)
    return both[:, 6], both[:, :6]


def polish(pose: Pose, observed: Observations) -> Pose | None:
    """Improve a pose by damped Gauss-Newton; None if it does not face the camera."""
    offset, slopes = linearize(pose, observed)
    cost, damping = float(offset @ offset), 0.0
    for _ in range(_STEPS):
        normal, downhill = slopes.T @ slopes, -(slopes.T @ offset)
        normal.flat[::7] *= 1 + damping
        solved, column = cv2.solve(normal, downhill[:, None], flags=cv2.DECOMP_CHOLESKY)
        if not solved:
            break
        step = np.asarray(column, np.float64).ravel()
        better = _moved(pose, step)
        # What a linear problem would gain; so near to the end it is one.
        if downhill @ step < _SETTLED:
            pose = better
            break
        offset_there, slopes_there = linearize(better, observed)
        if not (improved := float(offset_there @ offset_there)) < cost:
            damping = max(damping * 10, 1e-3)
            continue
        pose, cost, damping = better, improved, damping / 10
        offset, slopes = offset_there, slopes_there
    in_front = pose.transform(observed.points)[:, 2].min() > 0
    # The z axis of the object comes out of its printed side.
    facing = pose.rotation[:, 2] @ pose.position < 0
    return pose if in_front and facing and np.isfinite(cost) else None


def _moved(pose: Pose, step: Floats) -> Pose:
    turn = np.asarray(cv2.Rodrigues(step[3:])[0], np.float64)
    return Pose(turn @ pose.rotation, pose.position + step[:3])


def ambiguity(best: Pose, other: Pose, observed: Observations) -> bool:
    """Tell whether the observations do not decide between two poses."""
    return (_cost(other, observed) - _cost(best, observed)) / _excess(best, observed) < _CLEAR


def _excess(pose: Pose, observed: Observations) -> float:
    """Return by how much the residuals are larger than expected, at least 1."""
    freedom = max(2 * len(observed) - 6, 1)
    return max(1.0, _cost(pose, observed) / freedom)


def covariance(pose: Pose, observed: Observations, other: Pose | None) -> Floats:
    """
    Return the covariance of a pose.

    :param other: a pose that is as likely; the spread of the two is added.
    :return: float64 (6, 6), x, y, z, rotations about x, y, z of the optical frame.
    """
    _, slopes = linearize(pose, observed)
    spread = cv2.invert(slopes.T @ slopes, flags=cv2.DECOMP_EIG)[1] * _excess(pose, observed)
    if other is not None:
        turn = np.asarray(cv2.Rodrigues(other.rotation @ pose.rotation.T)[0]).ravel()
        apart = np.concatenate([other.position - pose.position, turn])
        # The mean squared distance from this pose when the other is right every second time.
        spread = spread + 0.5 * np.outer(apart, apart)
    # Symmetric to the last bit, as consumers check.
    return np.asarray((spread + spread.T) / 2, np.float64)


def rotation_matrix(orientation: npt.ArrayLike) -> Floats:
    """
    Return a quaternion as a matrix: float64 (3, 3).

    :param orientation: (4,), x, y, z, w, of any length but 0.
    """
    given = np.asarray(orientation, np.float64)
    x, y, z, w = given / np.linalg.norm(given)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * w * cross + 2 * cross @ cross, np.float64)


def quaternion(rotation: Floats) -> Floats:
    """Return a unit quaternion x, y, z, w with w not negative: float64 (4,)."""
    vector = np.asarray(cv2.Rodrigues(rotation)[0]).ravel()
    angle = float(np.linalg.norm(vector))
    axis = vector / angle if angle > 1e-12 else np.zeros(3)
    return np.concatenate([axis * np.sin(angle / 2), [np.cos(angle / 2)]])

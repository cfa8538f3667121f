# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The two poses of a plane, polished on pixels, and their covariance of first order."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge_perception.contract import ObjectPose
from edge_perception.pose.intrinsics import Floats
from edge_perception.pose.intrinsics import Intrinsics

_STEPS = 8
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
    :param position: float64 (3,), metres.
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

    :param points: float64 (N, 3), metres, in the frame of the object.
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
        rays = intrinsics.rays(pixels)
        whitening = intrinsics.pixels_per_ray(rays) / sigma[rows][:, None, None]
        return cls(points[rows], rays, whitening)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def ray_sigma(self) -> Floats:
        """Standard deviation of each ray, the geometric mean of its axes: (N,)."""
        return np.asarray(1 / np.sqrt(np.abs(np.linalg.det(self.whitening))))

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Observations:
        """Return some of the observations."""
        return Observations(self.points[chosen], self.rays[chosen], self.whitening[chosen])


def both_poses(observed: Observations) -> list[Pose]:
    """Return the poses that face the camera, the better first; none if there is no solution."""
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
    poses: list[Pose] = []
    for index in range(int(count)):
        rotation = np.asarray(cv2.Rodrigues(np.asarray(rotations[index]))[0], np.float64)
        start = Pose(rotation @ turned, np.asarray(positions[index], np.float64).ravel())
        pose = _polish(start, observed)
        if pose is not None and not any(_same(pose, other) for other in poses):
            poses.append(pose)
    return sorted(poses, key=lambda pose: _cost(pose, observed))


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
    """Tell whether two starts ended in one minimum, as they do where the picture is clear."""
    return bool(np.trace(pose.rotation @ other.rotation.T) > 1 + 2 * np.cos(_EQUAL))


def residuals(pose: Pose, observed: Observations) -> Floats:
    """Return (N, 2): differences of the rays in standard deviations."""
    points = pose.transform(observed.points)
    difference = points[:, :2] / points[:, 2:] - observed.rays
    return np.asarray(np.einsum('nij,nj->ni', observed.whitening, difference), np.float64)


def _cost(pose: Pose, observed: Observations) -> float:
    return float((residuals(pose, observed) ** 2).sum())


def jacobian(pose: Pose, observed: Observations) -> Floats:
    """
    Return the derivative of the residuals.

    :return: (2 N, 6), by x, y, z and by rotations about the x, y and z axes of the optical frame
        through the centre of the object.
    """
    turned = observed.points @ pose.rotation.T
    # u = x / z and v = y / z; a turn w moves a point by w x (a, b, c), its place from the centre.
    a, b, c = turned.T
    x, y, z = (turned + pose.position).T
    u, v = x / z, y / z
    by_pose = np.zeros((len(observed), 2, 6))
    by_pose[:, 0, 0] = by_pose[:, 1, 1] = 1
    by_pose[:, 0, 2], by_pose[:, 1, 2] = -u, -v
    by_pose[:, 0, 3], by_pose[:, 0, 4], by_pose[:, 0, 5] = -u * b, c + u * a, -b
    by_pose[:, 1, 3], by_pose[:, 1, 4], by_pose[:, 1, 5] = -c - v * b, v * a, a
    by_pose /= z[:, None, None]
    return np.asarray((observed.whitening @ by_pose).reshape(-1, 6), np.float64)


def _polish(pose: Pose, observed: Observations) -> Pose | None:
    """Improve a pose by damped Gauss-Newton; None if it does not face the camera."""
    cost, damping = _cost(pose, observed), 1e-6
    for _ in range(_STEPS):
        slopes = jacobian(pose, observed)
        normal = slopes.T @ slopes
        normal[np.diag_indices(6)] *= 1 + damping
        try:
            step = np.linalg.solve(normal, -slopes.T @ residuals(pose, observed).ravel())
        except np.linalg.LinAlgError:
            break
        turn = np.asarray(cv2.Rodrigues(step[3:])[0], np.float64)
        better = Pose(turn @ pose.rotation, pose.position + step[:3])
        if (improved := _cost(better, observed)) >= cost:
            damping = max(damping * 10, 1e-3)
            continue
        converged = cost - improved < 1e-9 * cost
        pose, cost, damping = better, improved, damping / 10
        if converged:
            break
    in_front = pose.transform(observed.points)[:, 2].min() > 0
    # The z axis of the object comes out of its printed side.
    facing = pose.rotation[:, 2] @ pose.position < 0
    return pose if in_front and facing and np.isfinite(cost) else None


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
    slopes = jacobian(pose, observed)
    spread = np.linalg.pinv(slopes.T @ slopes, hermitian=True) * _excess(pose, observed)
    if other is not None:
        turn = np.asarray(cv2.Rodrigues(other.rotation @ pose.rotation.T)[0]).ravel()
        apart = np.concatenate([other.position - pose.position, turn])
        # The mean squared distance from this pose when the other is right every second time.
        spread = spread + 0.5 * np.outer(apart, apart)
    # Symmetric to the last bit, as consumers check.
    return np.asarray((spread + spread.T) / 2, np.float64)


def rotation_matrix(pose: ObjectPose) -> Floats:
    """Return the orientation of a pose as a matrix: float64 (3, 3), object to optical frame."""
    x, y, z, w = pose.orientation
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * w * cross + 2 * cross @ cross, np.float64)


def quaternion(rotation: Floats) -> Floats:
    """Return a unit quaternion x, y, z, w with w not negative: float64 (4,)."""
    vector = np.asarray(cv2.Rodrigues(rotation)[0]).ravel()
    angle = float(np.linalg.norm(vector))
    axis = vector / angle if angle > 1e-12 else np.zeros(3)
    return np.concatenate([axis * np.sin(angle / 2), [np.cos(angle / 2)]])

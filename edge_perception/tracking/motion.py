# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Predict and correct boxes of many tracks at once, in seconds, with the camera's own rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Standard deviations as shares of the box: of a detected center or side; of the speed of a new
# track per second; of the change of speed in one second, of the mean of width and height.
# ByteTrack has 1/20, 1/16 and 1/160 of the height per frame, which is .05, 1.9 and .9 at 30
# frames a second; these give fewer switches (docs/tracking.md).
MEASURED = 0.1
FIRST_SPEED = 2.0
SPEED_CHANGE = 0.5
# The same of a center and side, as a multiple of how much shorter than predicted the side is:
# what hides a part of an object shortens its box and moves the center, but not the object.
HIDDEN = 2.0
# A side keeps its rate of change so long, in seconds; else boxes that are not seen collapse.
RATE_MEMORY_S = 0.3
# Step in seconds over which a speed is turned with the camera.
STEP_S = 0.01
# Shares of the distance: what is nearer to the plane of the camera keeps its place in the image.
LEAST_DEPTH = 0.1


@dataclass
class BoxFilters:
    """
    Kalman filters with constant velocity, one for center x, center y, width and height each.

    The four do not depend on each other, so that no matrix has to be inverted.

    :param value: (N, 4), pixels.
    :param rate: (N, 4), pixels a second.
    :param covariance: (N, 4, 3): variance of the value, of both, of the rate.
    """

    value: Floats
    rate: Floats
    covariance: Floats

    @classmethod
    def of(cls, xyxy: Floats) -> BoxFilters:
        """Return filters that have seen one box each."""
        value = _measured(xyxy)
        covariance = np.zeros((*value.shape, 3))
        covariance[..., 0] = _noise(value)
        covariance[..., 2] = (FIRST_SPEED * _size(value)) ** 2
        return cls(value, np.zeros_like(value), covariance)

    def predict(self, seconds: float) -> None:
        """Move on in time; white acceleration, so that two steps are as good as one."""
        change = (SPEED_CHANGE * _size(self.value)) ** 2
        position, both, speed = (self.covariance[..., index] for index in range(3))
        position += 2 * seconds * both + seconds**2 * speed + change * seconds**3 / 3
        both += seconds * speed + change * seconds**2 / 2
        speed += change * seconds
        self.value += seconds * self.rate
        self.rate[:, 2:] *= np.exp(-seconds / RATE_MEMORY_S)
        self.value[:, 2:] = np.maximum(self.value[:, 2:], 1.0)

    def turn(self, homography: Floats) -> None:
        """Move centers and speeds as the rotation of the camera moves them in the image."""
        center = self.value[:, :2]
        ahead = _moved(center + STEP_S * self.rate[:, :2], homography)
        self.value[:, :2] = _moved(center, homography)
        self.rate[:, :2] = (ahead - self.value[:, :2]) / STEP_S

    def correct(self, rows: npt.NDArray[np.intp], xyxy: Floats) -> None:
        """Take a new box for each of some filters."""
        measured = _measured(xyxy)
        covariance = self.covariance[rows]
        position, both, speed = (covariance[..., index] for index in range(3))
        wrong = measured - self.value[rows]
        hidden = (HIDDEN * np.tile(np.minimum(wrong[:, 2:], 0), 2)) ** 2
        total = position + _noise(measured) + hidden
        gain, rate_gain = position / total, both / total
        self.value[rows] += gain * wrong
        self.rate[rows] += rate_gain * wrong
        self.covariance[rows] = np.stack(
            [(1 - gain) * position, (1 - gain) * both, speed - rate_gain * both], axis=-1
        )

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Forget the other filters."""
        self.value, self.rate = self.value[kept], self.rate[kept]
        self.covariance = self.covariance[kept]

    def append(self, others: BoxFilters) -> None:
        """Add filters behind the last."""
        self.value = np.concatenate([self.value, others.value])
        self.rate = np.concatenate([self.rate, others.rate])
        self.covariance = np.concatenate([self.covariance, others.covariance])

    def boxes(self) -> Floats:
        """Return corners (N, 4), pixels."""
        half = self.value[:, 2:] / 2
        return np.concatenate([self.value[:, :2] - half, self.value[:, :2] + half], axis=1)


def _measured(xyxy: Floats) -> Floats:
    """Return center and sides."""
    corners = np.asarray(xyxy, np.float64)
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 1.0)
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, sides], axis=1)


def _noise(value: Floats) -> Floats:
    return np.asarray((MEASURED * np.tile(value[:, 2:], 2)) ** 2)


def _size(value: Floats) -> Floats:
    return np.asarray(value[:, 2:].mean(axis=1, keepdims=True))


def _moved(points: Floats, homography: Floats) -> Floats:
    """Map points; what comes to lie beside or behind the camera keeps its place."""
    mapped = points @ homography[:, :2].T + homography[:, 2]
    ahead = mapped[:, 2:] > LEAST_DEPTH
    return np.asarray(np.where(ahead, mapped[:, :2] / np.where(ahead, mapped[:, 2:], 1.0), points))


def turned_by(angular_rate: npt.NDArray[np.floating[Any]], seconds: float) -> Floats:
    """
    Return the rotation (3, 3) that takes directions of before to how the camera sees them now.

    :param angular_rate: (3,), rad/s about the axes of the camera.
    """
    # What stands still turns against the camera; the formula of Rodrigues.
    vector = -np.asarray(angular_rate, np.float64) * seconds
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def homography_of(rotation: Floats, matrix: Floats) -> Floats:
    """Return where a rotation moves pixels, (3, 3): K R K^-1."""
    return np.asarray(matrix @ rotation @ np.linalg.inv(matrix))

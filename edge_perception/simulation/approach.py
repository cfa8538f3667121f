# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compute the path of a multirotor down to a landing pad, and velocities that follow it."""

from __future__ import annotations

from collections.abc import Sequence
import math

import cv2
import numpy as np

from edge_perception.simulation.rendering.pinhole import Floats
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.views import orientation
from edge_perception.simulation.views import View

# How far the pad lies from straight below at the start and at the end, as a share of the height.
BEARING = (0.3, 0.05)
# Degrees by which the vehicle leans back while it brakes, at the start and at the end. It leans
# so that the camera looks towards the pad, which would be out of view otherwise.
LEAN = (14.0, 2.0)
# Degrees that it turns on the path, to either side.
TURN = 60.0
# What wind and control add: share of the height, degrees of tilt, degrees of yaw.
BEARING_SWAY, TILT_SWAY, YAW_SWAY = 0.04, 2.5, 6.0
# Seconds; periods with which a hovering vehicle sways.
SWAY_PERIODS = (2.3, 3.7, 6.1)
Waypoint = tuple[float, Floats, Floats]
# Seconds ahead: where the vehicle should be then decides how fast it goes now.
LOOK_AHEAD_S = 0.2
# Meters and radians per second; faster would be a jump.
FASTEST, FASTEST_TURN = 6.0, 3.0


class Approach:
    """
    A smooth approach, on which the height shrinks by the same share each second.

    The same arguments give the same path.

    :param duration: seconds from the first view to the last one.
    :param start: height above the pad at the start, in meters.
    :param end: height at the end.
    :param side: of the pad in meters.
    """

    def __init__(
        self,
        camera: PinholeCamera,
        *,
        duration: float = 20.0,
        start: float = 8.8,
        end: float = 0.9,
        side: float = 1.0,
        seed: int = 0,
    ) -> None:
        random = np.random.default_rng(seed)
        self.camera = camera
        self.duration = duration
        self.side = side
        self._heights = (start, end)
        self._azimuth = random.uniform(0, 2 * math.pi)
        self._yaw = random.uniform(-math.pi, math.pi)
        self._turn = math.radians(TURN) * random.choice([-1.0, 1.0])
        # One row for each of: bearing x and y, tilt x and y, yaw.
        self._phases = random.uniform(0, 2 * math.pi, (5, len(SWAY_PERIODS)))

    def view(self, time: float) -> View:
        """
        Return what the camera sees.

        :param time: seconds from the start; before it and after the end the vehicle hovers.
        """
        share = min(max(time / self.duration, 0.0), 1.0)
        done = share * share * (3 - 2 * share)
        start, end = self._heights
        height = start * (end / start) ** done
        sway = self._sway(time)
        reach = _between(BEARING, done)
        bearing = np.array([math.cos(self._azimuth), math.sin(self._azimuth)]) * reach
        bearing += BEARING_SWAY * sway[:2]
        # About this axis a turn brings the pad to the middle of the image.
        axis = np.array([bearing[1], -bearing[0]]) / max(float(np.linalg.norm(bearing)), 1e-9)
        tilt = np.radians(_between(LEAN, done) * axis + TILT_SWAY * sway[2:4])
        yaw = self._yaw + self._turn * done + math.radians(YAW_SWAY) * float(sway[4])
        size, direction = math.hypot(*tilt), math.atan2(tilt[1], tilt[0])
        rotation = orientation(tilt=size, direction=direction, yaw=yaw)
        level = orientation(tilt=0.0, direction=0.0, yaw=yaw)
        below = height * np.array([bearing[0], bearing[1], 1.0])
        return View(
            camera=self.camera,
            rotation=rotation,
            position=np.asarray(rotation @ level.T @ below, np.float64),
            side=self.side,
        )

    def _sway(self, time: float) -> Floats:
        """Return five smooth values that seldom leave -1 to 1."""
        angles = self._phases + 2 * math.pi * time / np.array(SWAY_PERIODS)
        return np.asarray(np.sin(angles).sum(axis=1) / math.sqrt(len(SWAY_PERIODS)), np.float64)


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


def velocities(
    waypoints: Sequence[Waypoint], time: float, *, position: Floats, rotation: Floats
) -> tuple[Floats, Floats]:
    """
    Return linear (3,) and angular (3,) velocity in the frame of the vehicle, along waypoints.

    :param waypoints: seconds, position (3,), rotation (3, 3), ascending in time.
    :param time: now, seconds; after the last waypoint the vehicle stays there.
    :param position: of the vehicle now, meters.
    :param rotation: of the vehicle now, (3, 3).
    """
    target, turned = place(waypoints, time + LOOK_AHEAD_S)
    linear = np.asarray(rotation.T @ (target - position) / LOOK_AHEAD_S, np.float64)
    vector, _ = cv2.Rodrigues(rotation.T @ turned)
    turn = np.asarray(vector.ravel() / LOOK_AHEAD_S, np.float64)
    return _at_most(linear, FASTEST), _at_most(turn, FASTEST_TURN)


def place(waypoints: Sequence[Waypoint], time: float) -> tuple[Floats, Floats]:
    """Return position (3,) and rotation (3, 3) at a time, interpolated between waypoints."""
    times = [waypoint[0] for waypoint in waypoints]
    after = int(np.searchsorted(times, time))
    if after == 0:
        return waypoints[0][1:]
    if after == len(waypoints):
        return waypoints[-1][1:]
    (first, a, p), (last, b, q) = waypoints[after - 1], waypoints[after]
    share = (time - first) / (last - first)
    vector, _ = cv2.Rodrigues(p.T @ q)
    part, _ = cv2.Rodrigues(vector * share)
    return a + (b - a) * share, np.asarray(p @ part, np.float64)


def _at_most(vector: Floats, limit: float) -> Floats:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector * min(1.0, limit / length) if length > 0 else vector, np.float64)

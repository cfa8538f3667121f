# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The way of a multirotor down to a landing pad: a view for every moment."""

from __future__ import annotations

import math

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
# Degrees that it turns on the way, to either side.
TURN = 60.0
# What wind and control add: share of the height, degrees of tilt, degrees of yaw.
BEARING_SWAY, TILT_SWAY, YAW_SWAY = 0.04, 2.5, 6.0
# Seconds; a vehicle that hovers sways about so slowly.
SWAY_PERIODS = (2.3, 3.7, 6.1)


class Approach:
    """
    A smooth approach: some seconds in which the height shrinks by the same share in each.

    The same arguments give the same way.

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
        # About this axis a turn brings the pad to the middle of the picture.
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

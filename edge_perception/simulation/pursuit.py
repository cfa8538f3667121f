# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Velocities that bring a vehicle onto its way, for simulators that are steered by velocities."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge_perception.simulation.rendering.pinhole import Floats

Waypoint = tuple[float, Floats, Floats]
# Seconds ahead: where the vehicle should be then decides how fast it goes now.
LOOK_AHEAD_S = 0.2
# Meters and radians per second; faster would be a jump.
FASTEST, FASTEST_TURN = 6.0, 3.0


def velocities(
    waypoints: Sequence[Waypoint], time: float, *, position: Floats, rotation: Floats
) -> tuple[Floats, Floats]:
    """
    Return linear (3,) and angular (3,) velocity in the frame of the vehicle.

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
    """Return position (3,) and rotation (3, 3) at a time, mixed from the waypoints around it."""
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

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Autopilots as they take LANDING_TARGET: frames, validity, gates and timeouts.

Written from ArduPilot's ``AC_PrecLand`` and PX4's ``MavlinkReceiver`` and ``precland``; neither
program runs here.
"""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np

from tools.landing.multirotor import Floats

_BODY_FRD, _LOCAL_FRD, _LOCAL_NED = 12, 20, 1


class Receiver(ABC):
    """
    The part of an autopilot that knows where the target is; times are its own, in seconds.

    :param counts: what became of the messages.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def take(self, fields: Mapping[str, Any], now: float) -> None:
        """Take one LANDING_TARGET."""

    @abstractmethod
    def target(self, now: float) -> Floats | None:
        """Return where to land, in the NED that the vehicle believes in, or None: not known."""


class Px4Receiver(Receiver):
    """
    PX4: only LOCAL_NED with a valid position is a position; it is the newest that counts.

    :param timeout: PLD_BTOUT, seconds.
    """

    def __init__(self, timeout: float = 5.0) -> None:
        super().__init__()
        self._timeout = timeout
        self._target: tuple[float, Floats] | None = None

    def take(self, fields: Mapping[str, Any], now: float) -> None:
        if fields['position_valid'] and fields['frame'] == _LOCAL_NED:
            self._target = now, np.array([fields[axis] for axis in 'xyz'])
            self.counts['taken'] += 1
        else:
            self.counts['unsupported'] += 1

    def target(self, now: float) -> Floats | None:
        if self._target is None or now - self._target[0] > self._timeout:
            return None
        return self._target[1]


class ArduPilotReceiver(Receiver):
    """
    ArduPilot with its default estimator: two seconds without a gap, then a Kalman filter per axis.

    :param state: returns rotation FRD to NED, believed position and size of the angular rate a
        moment ago.
    :param lag: PLND_LAG, seconds.
    """

    INIT_S, GAP_S, LOST_S, GATE, FORCED = 2.0, 0.5, 2.0, 3.0, 3

    def __init__(
        self, state: Callable[[float], tuple[Floats, Floats, float]], lag: float = 0.02
    ) -> None:
        super().__init__()
        self._state, self._lag = state, lag
        self._begun: float | None = None
        self._last = self._updated = -np.inf
        self._axes: list[_AxisFilter] = []
        self._rejected = 0

    def take(self, fields: Mapping[str, Any], now: float) -> None:
        if fields['frame'] not in (_BODY_FRD, _LOCAL_FRD):
            self.counts['unsupported'] += 1
            return
        if not fields['position_valid'] or fields['distance'] <= 0:
            self.counts['no_distance'] += 1
            return
        rotation, position, rate = self._state(now - self._lag)
        if fields['frame'] == _LOCAL_FRD:
            yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
            cos, sin = np.cos(yaw), np.sin(yaw)
            rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        seen = rotation @ np.array([fields[axis] for axis in 'xyz'])
        self.counts['taken'] += 1
        self._measure(position + seen, seen[2], rate, now)

    def _measure(self, place: Floats, height: float, rate: float, now: float) -> None:
        gap, self._last = now - self._last, now
        variance = (height * (0.01 + 0.01 * rate) + 0.02) ** 2
        if self._begun is None or now - self._updated > self.LOST_S:
            self._begin(place, variance, now)
        elif now - self._begun < self.INIT_S and gap > self.GAP_S:
            self.counts['init_failed'] += 1
            self._begin(place, variance, now)
            return
        nis = [axis.nis(value, variance, gap) for axis, value in zip(self._axes, place)]
        if max(nis) > self.GATE and self._rejected < self.FORCED:
            self._rejected += 1
            self.counts['outlier'] += 1
            return
        self._rejected, self._updated = 0, now
        self._height = place[2]
        for axis, value in zip(self._axes, place):
            axis.update(value, variance)

    def _begin(self, place: Floats, variance: float, now: float) -> None:
        self._begun = self._updated = now
        self._axes = [_AxisFilter(value, variance) for value in place[:2]]
        self._height, self._rejected = place[2], 0

    def target(self, now: float) -> Floats | None:
        lost = now - self._updated > self.LOST_S
        if self._begun is None or lost or now - self._begun < self.INIT_S:
            return None
        north, east = (axis.position for axis in self._axes)
        return np.array([north, east, self._height])


class _AxisFilter:
    """Position and velocity of the target along one axis."""

    _ACCELERATION = 0.5

    def __init__(self, position: float, variance: float) -> None:
        self.position, self._velocity = position, 0.0
        self._spread = np.diag([variance, 1.0])

    def nis(self, place: float, variance: float, seconds: float) -> float:
        """Predict to now; return the squared distance of a measurement."""
        seconds = min(max(seconds, 0.0), 1.0)
        motion = np.array([[1.0, seconds], [0, 1]])
        self.position += seconds * self._velocity
        noise = np.array([seconds**2 / 2, seconds]) * self._ACCELERATION
        self._spread = motion @ self._spread @ motion.T + np.outer(noise, noise)
        return float((place - self.position) ** 2 / (self._spread[0, 0] + variance))

    def update(self, place: float, variance: float) -> None:
        gain = self._spread[:, 0] / (self._spread[0, 0] + variance)
        innovation = place - self.position
        self.position += gain[0] * innovation
        self._velocity += gain[1] * innovation
        self._spread = self._spread - np.outer(gain, self._spread[0])


class StateHistory:
    """What the autopilot believed about itself in the last seconds, for its lag."""

    def __init__(self) -> None:
        self._states: deque[tuple[float, Floats, Floats, float]] = deque(maxlen=400)

    def add(self, now: float, rotation: Floats, position: Floats, rate: float) -> None:
        """Add the state of now."""
        self._states.append((now, rotation, position, rate))

    def at(self, time: float) -> tuple[Floats, Floats, float]:
        """Return the state nearest to a time."""
        state = min(reversed(self._states), key=lambda each: abs(each[0] - time))
        return state[1:]

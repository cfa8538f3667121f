# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A multirotor in wind, with a velocity controller and an estimate of itself that errs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
GRAVITY = 9.81
# Of velocity, 1/s, and of its integral, 1/s^2; the largest acceleration, m/s^2; drag of the air,
# 1/s; lag of attitude, s.
_GAIN, _INTEGRAL, _MAX_ACCELERATION, _DRAG, _ATTITUDE_LAG_S = 4.0, 2.0, 5.0, 0.2, 0.1
# Correlation times of attitude error and position error, s.
_ATTITUDE_S, _POSITION_S = 5.0, 1.0


@dataclass(frozen=True, slots=True)
class Disturbances:
    """
    What the vehicle flies in; standard deviations but for the drift.

    :param gust: largest speed of the wind, m/s; it is half as large in the mean.
    :param gust_s: within which the wind changes: 9 s are those of Dryden's turbulence 5 m above
        the ground at 4 m/s (MIL-F-8785C: 36 m).
    :param position: m, each axis, of the vehicle's own position.
    :param drift: m/s, of the same, in a direction by chance.
    :param attitude: radians, roll and pitch.
    """

    gust: float = 4.0
    gust_s: float = 9.0
    position: float = 0.02
    drift: float = 0.05 / 60
    attitude: float = np.radians(0.5)


class Multirotor:
    """
    True and estimated state, NED and FRD, meters, seconds.

    :param position: (3,), NED of the point below which the target is.
    """

    def __init__(
        self,
        position: npt.ArrayLike,
        yaw: float,
        disturbances: Disturbances,
        random: np.random.Generator,
    ) -> None:
        self.position = np.array(position, np.float64)
        self.velocity = np.zeros(3)
        self.yaw = yaw
        self._tilt = np.zeros(2)
        self._integral = np.zeros(3)
        self._disturbances, self._random = disturbances, random
        self._gust = _Wander(disturbances.gust / 2.5, disturbances.gust_s, 2, random)
        self._tilt_error = _Wander(disturbances.attitude, _ATTITUDE_S, 2, random)
        self._position_error = _Wander(disturbances.position, _POSITION_S, 3, random)
        towards = random.normal(size=3)
        self._drift = disturbances.drift * towards / np.linalg.norm(towards)
        self._drifted = np.zeros(3)

    def step(self, velocity: Floats, seconds: float) -> None:
        """Fly toward a velocity (3,), NED m/s, as the autopilot believes to fly."""
        short = velocity - self.velocity
        self._integral = np.clip(self._integral + _INTEGRAL * short * seconds, -2, 2)
        wanted = _GAIN * short + self._integral
        wanted = np.clip(wanted, -_MAX_ACCELERATION, _MAX_ACCELERATION)
        gust = self._gust.step(seconds)
        gust = gust * min(1.0, self._disturbances.gust / max(float(np.linalg.norm(gust)), 1e-6))
        air = np.append(gust, 0.0) - self.velocity
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        forward, right = cos * wanted[0] + sin * wanted[1], cos * wanted[1] - sin * wanted[0]
        target = np.array([right, -forward]) / GRAVITY
        self._tilt += (target - self._tilt) * min(seconds / _ATTITUDE_LAG_S, 1)
        right, forward = GRAVITY * self._tilt[0], -GRAVITY * self._tilt[1]
        pushed = np.array([cos * forward - sin * right, sin * forward + cos * right, wanted[2]])
        drag = _DRAG * air * (1, 1, 0)
        self.velocity = self.velocity + (pushed + drag) * seconds
        self.position = self.position + self.velocity * seconds
        self._tilt_error.step(seconds)
        self._position_error.step(seconds)
        self._drifted = self._drifted + self._drift * seconds

    @property
    def attitude(self) -> tuple[float, float, float]:
        """True roll, pitch, yaw, radians."""
        return (*np.arctan(self._tilt).tolist(), self.yaw)

    @property
    def believed_attitude(self) -> tuple[float, float, float]:
        """Roll, pitch, yaw as the autopilot estimates them."""
        roll, pitch = (np.arctan(self._tilt) + self._tilt_error.value).tolist()
        return roll, pitch, self.yaw

    @property
    def believed_position(self) -> Floats:
        """Position as the autopilot estimates it: (3,)."""
        return self.position + self._position_error.value + self._drifted


class _Wander:
    """A first-order Gauss-Markov process."""

    def __init__(
        self, sigma: float, seconds: float, size: int, random: np.random.Generator
    ) -> None:
        self._sigma, self._seconds, self._random = sigma, seconds, random
        self.value: Floats = sigma * random.normal(size=size)

    def step(self, seconds: float) -> Floats:
        kept = np.exp(-seconds / self._seconds)
        fresh = self._sigma * np.sqrt(1 - kept**2)
        self.value = kept * self.value + fresh * self._random.normal(size=self.value.shape)
        return self.value

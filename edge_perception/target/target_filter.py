# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Estimate where one target is, and how fast it moves, from measurements that may be wrong.

A Kalman filter of constant velocity, driven by white acceleration: Bar-Shalom, Li, Kirubarajan,
"Estimation with Applications to Tracking and Navigation", 6.2.2. Time is that of the stamps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Chi-square of three degrees of freedom that is exceeded by chance in one of a thousand cases.
GATE = 16.27
_PLACE, _SPEED = np.arange(3), np.arange(3, 6)
# For so many seconds a target that is new may have moved with the acceleration.
_FIRST_S = 1.0


@dataclass(frozen=True, slots=True)
class TargetEstimate:
    """
    The target at the stamp of an image.

    :param position: float64 (3,), meters.
    :param velocity: float64 (3,), m/s.
    :param covariance: float64 (6, 6), of position and velocity.
    """

    stamp_ns: int
    position: Floats
    velocity: Floats
    covariance: Floats


class TargetFilter:
    """
    Follows one target; for one thread.

    :param acceleration: square root of the spectral density of the acceleration that is not known,
        m/s^2 per root of Hz; times a root of seconds, also the deviation of the first velocity.
    :param turn_rate: standard deviation of the turns of the frame itself, rad/s; 0 in a fixed one.
    :param rejected: measurements in a row that were outside of the gate.
    """

    def __init__(self, *, acceleration: float, turn_rate: float = 0.0) -> None:
        self._density = acceleration**2
        self._turn_rate = turn_rate
        self.reset()

    def reset(self) -> None:
        """Forget the target."""
        self._state: TargetEstimate | None = None
        # Asked for several times in one image.
        self._predicted: TargetEstimate | None = None
        self.rejected = 0
        # Of the last measurement: squared distance from what was expected, in its covariance.
        self.nis: float | None = None

    @property
    def estimate(self) -> TargetEstimate | None:
        """The target at the last measurement that was taken."""
        return self._state

    def predicted(self, stamp_ns: int) -> TargetEstimate | None:
        """Return the target at a later stamp, without a measurement."""
        state, last = self._state, self._predicted
        if state is None or stamp_ns < state.stamp_ns:
            return None
        if stamp_ns == state.stamp_ns:
            return state
        if last is not None and last.stamp_ns == stamp_ns:
            return last
        seconds = (stamp_ns - state.stamp_ns) / 1e9
        motion = np.eye(6)
        motion[:3, 3:] = seconds * np.eye(3)
        moved = motion @ np.concatenate([state.position, state.velocity])
        spread = motion @ state.covariance @ motion.T + self._noise(seconds, state.position)
        self._predicted = TargetEstimate(stamp_ns, moved[:3], moved[3:], spread)
        return self._predicted

    def update(self, stamp_ns: int, position: Floats, covariance: Floats) -> bool:
        """
        Take a measurement.

        :param covariance: float64 (3, 3), of the position.
        :return: whether it is taken: False for one that is too far away from what was expected, or
            not newer than the last.
        """
        if self._state is None:
            self._start(stamp_ns, position, covariance)
            return True
        expected = self.predicted(stamp_ns)
        if expected is None or stamp_ns == self._state.stamp_ns:
            return False
        innovation = position - expected.position
        certainty = np.linalg.inv(expected.covariance[:3, :3] + covariance)
        self.nis = float(innovation @ certainty @ innovation)
        if not self.nis <= GATE:
            self.rejected += 1
            return False
        self.rejected = 0
        gain = expected.covariance[:, :3] @ certainty
        moved = np.concatenate([expected.position, expected.velocity]) + gain @ innovation
        # Joseph's form keeps it symmetric and positive.
        kept = np.eye(6)
        kept[:, :3] -= gain
        spread = kept @ expected.covariance @ kept.T + gain @ covariance @ gain.T
        self._state, self._predicted = TargetEstimate(stamp_ns, moved[:3], moved[3:], spread), None
        return True

    def _start(self, stamp_ns: int, position: Floats, covariance: Floats) -> None:
        spread = np.diag([0.0, 0, 0, *(3 * [self._density * _FIRST_S])])
        spread[:3, :3] = covariance
        self._state = TargetEstimate(stamp_ns, position, np.zeros(3), spread)
        self._predicted = None
        self.rejected, self.nis = 0, None

    def _noise(self, seconds: float, position: Floats) -> Floats:
        noise = np.zeros((6, 6))
        noise[_PLACE, _PLACE] = self._density * seconds**3 / 3
        noise[_PLACE, _SPEED] = noise[_SPEED, _PLACE] = self._density * seconds**2 / 2
        noise[_SPEED, _SPEED] = self._density * seconds
        if not self._turn_rate:
            return noise
        # A turn moves a target across its direction, by its distance.
        x, y, z = self._turn_rate * seconds * position
        across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        noise[:3, :3] += across @ across.T
        return noise

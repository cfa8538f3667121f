# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""When a measurement may go to a consumer at all."""

from __future__ import annotations

import numpy as np

from edge_perception.bridges.vehicle_frames import TargetMeasurement
from edge_perception.bridges.vehicle_state import NotSentError

# Of a clock that is set by the network, in the direction of the future.
_FUTURE_NS = 5_000_000


# Beyond what a camera sees of any target; much larger numbers do not fit into the messages.
_FARTHEST_M = 10_000.0


class MeasurementRules:
    """
    Lets a measurement pass that is new, fresh and finite; others make silence.

    :param max_age_ns: from the stamp of the image to now.
    """

    def __init__(self, max_age_ns: int) -> None:
        self._max_age_ns = max_age_ns
        self._last_ns = -1

    def check(self, measurement: TargetMeasurement, now_ns: int) -> None:
        """
        Take a measurement that has just arrived.

        :raises NotSentError: it is no new one, too old, from the future, or impossible.
        """
        age_ns = now_ns - measurement.stamp_ns
        if age_ns < -_FUTURE_NS:
            # The clock was set back, or it is another clock: the next ones decide.
            self._last_ns = -1
            raise NotSentError(
                f'the image was taken {-age_ns / 1e9:.3f} s in the future; let camera and bridge '
                'use one clock'
            )
        if measurement.stamp_ns <= self._last_ns and self._last_ns <= now_ns:
            raise NotSentError('its image is not newer than that of the measurement before')
        self._last_ns = measurement.stamp_ns
        if age_ns > self._max_age_ns:
            raise NotSentError(
                f'it is {age_ns / 1e6:.0f} ms old, at most {self._max_age_ns / 1e6:.0f} ms are '
                'allowed (age_limit)'
            )
        numbers = (measurement.position, measurement.rotation, measurement.covariance)
        if not all(np.isfinite(each).all() for each in numbers):
            raise NotSentError('it has numbers that are not finite')
        distance = np.abs(measurement.position).max()
        if distance > _FARTHEST_M:
            raise NotSentError(f'it is {distance:.3g} m away, more than {_FARTHEST_M:g} m')
        variances = np.diag(measurement.covariance)
        if variances.min() < 0 or variances.max() > _FARTHEST_M**2:
            raise NotSentError(
                f'its covariance has {variances.min():.3g} to {variances.max():.3g} on its '
                f'diagonal, expected 0 to {_FARTHEST_M**2:g}'
            )

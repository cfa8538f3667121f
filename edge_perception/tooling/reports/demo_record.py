# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a demonstration has shown, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

import numpy as np

from edge_perception.simulation.pose_errors import PoseError


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One image.

    :param time_s: from the first image.
    :param arrival_s: of its result, by the monotonic clock; None without a result.
    :param age_ms: from the stamp of the image to the arrival of its result.
    :param objects: how many were found; where poses are to be found, whether there is one.
    :param distance_m: from the camera to the object, in truth or else as found; None if unknown.
    :param error: of the pose; None where there is none, or no truth.
    """

    time_s: float
    arrival_s: float | None = None
    age_ms: float | None = None
    objects: int = 0
    distance_m: float | None = None
    error: PoseError | None = None


def summarize(samples: Sequence[Sample]) -> dict[str, Any]:
    """
    Return results, rate, age and pose errors for JSON; null where there is nothing to say.

    :param samples: in the order of time.
    """
    answered = [sample for sample in samples if sample.age_ms is not None]
    found = [sample for sample in answered if sample.objects]
    errors = [sample.error for sample in samples if sample.error is not None]
    return {
        'results': len(answered),
        'rate_hz': _rounded(rate(samples), 2),
        'age_ms': spread([sample.age_ms for sample in answered if sample.age_ms is not None]),
        'results_with_objects': len(found),
        'share_with_objects': _rounded(len(found) / len(answered), 4) if answered else None,
        'pose_error': {
            'poses': len(errors),
            'position_percent_of_distance': spread([100 * error.share for error in errors]),
            'yaw_degrees': spread([abs(math.degrees(error.yaw)) for error in errors]),
            'tilt_degrees': spread([math.degrees(error.tilt) for error in errors]),
        }
        if errors
        else None,
    }


def rate(samples: Sequence[Sample], *, last_s: float = math.inf) -> float:
    """
    Return results in a second.

    :param last_s: only of the last seconds before the latest result.
    :return: NaN for fewer than two.
    """
    arrivals = sorted(sample.arrival_s for sample in samples if sample.arrival_s is not None)
    if arrivals:
        arrivals = [arrival for arrival in arrivals if arrival >= arrivals[-1] - last_s]
    if len(arrivals) < 2 or arrivals[-1] == arrivals[0]:
        return math.nan
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Return percentiles and the largest value; None for no values."""
    if not values:
        return None
    points = np.percentile(np.asarray(values, np.float64), (50, 95, 99, 100))
    return {
        name: round(float(value), 4) for name, value in zip(('p50', 'p95', 'p99', 'max'), points)
    }


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decide over several images which of the two poses of a plane is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import cv2
import numpy as np

from edge_perception.target.target_filter import Floats

# An orientation that is farther away, in squared deviations, is another one: chi-square of three
# degrees of freedom, in one of a thousand cases. It counts as so far, however far it is.
_ELSEWHERE = 16.27
# Difference of the costs at which one is ruled out; more than one image can make it.
_RULED_OUT = 20.0
# Least deviation of an orientation, radians: of the lens and of the print, which no image shows.
_LEAST_SIGMA = 0.01
# Costs fade by this factor with each image, so that evidence of long ago does not bind.
_FADING = 0.95


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """
    An orientation that is possible.

    :param variance: of its angle, squared radians.
    """

    rotation: Floats
    variance: float
    cost: float = 0.0

    def is_like(self, other: _Hypothesis) -> bool:
        """Tell whether two orientations differ by no more than their deviations."""
        apart = angle_between(self.rotation, other.rotation)
        return apart**2 < _ELSEWHERE * (self.variance + other.variance)

    def seen(self, rotations: Sequence[Floats], variances: Sequence[float]) -> tuple[int, float]:
        """Return which of the orientations of an image is nearest, and its squared deviation."""
        apart = [angle_between(self.rotation, rotation) for rotation in rotations]
        scaled = [angle**2 / (self.variance + each) for angle, each in zip(apart, variances)]
        best = int(np.argmin(scaled))
        return best, scaled[best]

    def followed(self, rotation: Floats, variance: float, squared: float) -> _Hypothesis:
        """Return it after an image: moved toward what was seen by a Kalman gain."""
        cost = _FADING * self.cost + min(squared, _ELSEWHERE)
        if squared > _ELSEWHERE:
            return replace(self, cost=cost)
        gain = self.variance / (self.variance + variance)
        turn = np.asarray(cv2.Rodrigues(self.rotation.T @ rotation)[0], np.float64)
        moved = np.asarray(self.rotation @ cv2.Rodrigues(gain * turn)[0], np.float64)
        return _Hypothesis(moved, max((1 - gain) * self.variance, _LEAST_SIGMA**2), cost)


class Facing:
    """
    Carries the orientations that are still possible, in a frame in which they stay.

    The true one stays where it is while the camera moves; the mirrored one turns with the camera.

    :param contradicted: images that decided for another orientation than the one that is kept,
        less those that decided for it.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._kept: list[_Hypothesis] = []
        self.contradicted = 0

    @property
    def decided(self) -> bool:
        """Whether one is left."""
        return len(self._kept) == 1

    @property
    def open(self) -> bool:
        """Whether more than one is left."""
        return len(self._kept) > 1

    def choose(
        self, rotations: Sequence[Floats], sigmas: Sequence[float], turned: float = 0.0
    ) -> int | None:
        """
        Take the orientations of one image; return which of them is right.

        :param rotations: float64 (3, 3) each, one where the image decides, else two.
        :param sigmas: standard deviation of each, radians.
        :param turned: likewise of the turn of the frame since the image before.
        :return: None while undecided, and for an image that contradicts the decision.
        """
        variances = [max(sigma, _LEAST_SIGMA) ** 2 for sigma in sigmas]
        if not self._kept:
            self._kept = [_Hypothesis(*each) for each in zip(rotations, variances)]
            return None if self.open else 0
        followed = []
        for each in self._kept:
            kept = replace(each, variance=each.variance + turned**2)
            nearest, squared = kept.seen(rotations, variances)
            after = kept.followed(rotations[nearest], variances[nearest], squared)
            followed.append((after, nearest if squared <= _ELSEWHERE else None))
        followed.sort(key=lambda each: each[0].cost)
        best, last = followed[0][0], followed[-1][0]
        if last.cost - best.cost > _RULED_OUT or last.is_like(best):
            followed = followed[:1]
        self._kept = [kept for kept, _ in followed]
        if self.open:
            return None
        chosen = followed[0][1]
        if len(rotations) == 1:
            self.contradicted = max(self.contradicted + (1 if chosen is None else -1), 0)
        return chosen


def angle_between(first: Floats, second: Floats) -> float:
    """Return the angle of the turn from one orientation to another, radians."""
    return float(np.arccos(np.clip((np.vdot(first, second) - 1) / 2, -1, 1)))

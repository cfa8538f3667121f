# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Decide over several images which of the two poses of a plane is the right one."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge_perception.target.target_filter import Floats

# Difference of the costs at which one is ruled out: chi-square, one degree of freedom, in one of
# ten thousand cases.
_RULED_OUT = 15.1
# Least deviation of an orientation, radians: of the lens and of the print, which no image shows.
_LEAST_SIGMA = 0.01
# The share of a new orientation in the mean.
_SHARE = 0.2
# A lost hold is not forgotten at once: costs fade by this factor with each image.
_FADING = 0.95


class Facing:
    """
    Carries the orientations that are still possible, in a frame in which they stay.

    The true one stays where it is while the camera moves; the mirrored one turns with the camera.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._kept: list[tuple[Floats, float]] = []

    @property
    def decided(self) -> bool:
        """Whether one orientation is left."""
        return len(self._kept) == 1

    @property
    def open(self) -> bool:
        """Whether more than one is left."""
        return len(self._kept) > 1

    def choose(self, rotations: Sequence[Floats], sigmas: Sequence[float]) -> int | None:
        """
        Take the orientations of one image; return which of them is right, None while undecided.

        :param rotations: float64 (3, 3) each, one where the image decides, else two.
        :param sigmas: standard deviation of each, radians.
        """
        sigmas = [max(sigma, _LEAST_SIGMA) for sigma in sigmas]
        if not self._kept or (len(rotations) == 1 and not self.decided):
            self._kept = [(rotation, 0.0) for rotation in rotations]
            return 0 if self.decided else None
        followed = []
        for kept, cost in self._kept:
            apart = [angle_between(kept, rotation) for rotation in rotations]
            scaled = [(angle / sigma) ** 2 for angle, sigma in zip(apart, sigmas)]
            best = int(np.argmin(scaled))
            mean = _toward(kept, rotations[best])
            followed.append((mean, _FADING * cost + scaled[best], best))
        followed.sort(key=lambda each: each[1])
        if len(followed) > 1 and followed[1][1] - followed[0][1] > _RULED_OUT:
            followed = followed[:1]
        self._kept = [(rotation, cost) for rotation, cost, _ in followed]
        return followed[0][2] if self.decided else None


def angle_between(first: Floats, second: Floats) -> float:
    """Return the angle of the turn from one orientation to another, radians."""
    return float(np.linalg.norm(cv2.Rodrigues(first.T @ second)[0]))


def _toward(kept: Floats, seen: Floats) -> Floats:
    turn = np.asarray(cv2.Rodrigues(kept.T @ seen)[0], np.float64)
    return np.asarray(kept @ cv2.Rodrigues(_SHARE * turn)[0], np.float64)

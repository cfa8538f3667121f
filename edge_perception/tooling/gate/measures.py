# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The figures by which the gate judges results, by task and name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from edge_perception.tooling.gate.agreement import Agreement

# One for each picture, with its longer side in pixels.
Agreements = list[tuple[Agreement, float]]
Measure = Callable[[Agreement, Agreements], float]


@dataclass(frozen=True, slots=True)
class Share:
    """
    How many of a kind there are over all pictures, as a share of another kind.

    :param name: of a count of ``Agreement``.
    :param of: of the count that it is a share of.
    :param unit: what is counted, in words.
    """

    name: str
    of: str
    unit: str = 'objects'

    def parts(self, total: Agreement) -> tuple[int, int]:
        """Return how many there are, and of how many."""
        return getattr(total, self.name), getattr(total, self.of)

    def __call__(self, total: Agreement, _: Agreements) -> float:
        """Return the share; where there is nothing to be a share of, the count."""
        count, of = self.parts(total)
        return count / max(1, of)


def _typical(name: str, *, per_side: bool = False) -> Measure:
    """Return the median over the pictures of the worst in each."""

    def measure(total: Agreement, each: Agreements) -> float:
        counted = [row for row in each if row[0].matched or not total.matched]
        return float(median(getattr(a, name) / (side if per_side else 1) for a, side in counted))

    return measure


MEASURES: dict[str, dict[str, Measure]] = {
    'detections': {
        'lost': Share('lost', 'reference'),
        'invented': Share('invented', 'reference'),
        'class_flips': Share('class_flips', 'matched'),
        'iou': _typical('worst_iou'),
        'score_drift': _typical('score_drift'),
    },
    'keypoints': {
        'lost': Share('lost', 'reference'),
        'invented': Share('invented', 'reference'),
        'keypoints_lost': Share('keypoints_lost', 'keypoints', 'keypoints'),
        'keypoints_invented': Share('keypoints_invented', 'keypoints', 'keypoints'),
        'keypoint_share': _typical('keypoint_px', per_side=True),
    },
    'classes': {
        'class_flips': Share('class_flips', 'reference', 'pictures'),
        'score_drift': _typical('score_drift'),
    },
    'mask': {'mask_share': _typical('mask_share')},
    'poses': {
        'poses_lost': Share('poses_lost', 'poses'),
        'poses_invented': Share('poses_invented', 'poses'),
        'position_share': _typical('position_share'),
        'rotation_deg': _typical('rotation_deg'),
    },
}

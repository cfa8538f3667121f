# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The figures by which the gate judges results, and their limits.

The limits are those of ``thresholds.yaml``, unless the manifest has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from edge_perception.contract import ManifestError
from edge_perception.contract import ModelManifest
from edge_perception.contract.fields import did_you_mean
from edge_perception.contract.fields import shown
from edge_perception.tooling.gate.agreement import Agreement

FILE = Path(__file__).with_name('thresholds.yaml')
# Of these the limit is the least that passes, of all others the most.
AT_LEAST = frozenset({'snr_db', 'class_agreement', 'iou'})

Limits = Mapping[str, Mapping[str, float]]


@cache
def standard_limits() -> Mapping[str, Limits]:
    """Return the limits of the file, by precision, task and name."""
    values: Mapping[str, Limits] = yaml.safe_load(FILE.read_text(encoding='utf-8'))
    return values


def limits_for(manifest: ModelManifest, precision: str) -> Limits:
    """
    Return the limits of a model for a precision, by task and name.

    :raises ManifestError: the manifest overrides a limit that does not exist, or by no number.
    """
    standard = standard_limits()
    problems = list(_mistakes(manifest.gate, standard))
    if problems:
        raise ManifestError(manifest.name, problems)
    own = manifest.gate.get(precision, {})
    return {
        task: {name: float(own.get(name, limit)) for name, limit in limits.items()}
        for task, limits in standard[precision].items()
    }


def passes(name: str, value: float, limit: float) -> bool:
    """Tell whether a figure keeps its limit; what is not a number does not."""
    return value >= limit if name in AT_LEAST else value <= limit


def _mistakes(gate: Mapping[str, Any], standard: Mapping[str, Limits]) -> list[str]:
    problems = []
    for precision, limits in gate.items():
        if precision not in standard:
            problems.append(f'gate: got {shown(precision)}, expected one of {", ".join(standard)}')
            continue
        if not isinstance(limits, Mapping):
            problems.append(f'gate.{precision}: got {shown(limits)}, expected a mapping')
            continue
        known = {name for each in standard[precision].values() for name in each}
        for name, limit in limits.items():
            if name not in known:
                hint = did_you_mean(name, known) or f', expected one of {", ".join(sorted(known))}'
                problems.append(f'gate.{precision}.{name}: unknown limit{hint}')
            elif isinstance(limit, bool) or not isinstance(limit, (int, float)):
                problems.append(f'gate.{precision}.{name}: got {shown(limit)}, expected a number')
    return problems


# One for each image, with its longer side in pixels.
Agreements = list[tuple[Agreement, float]]
Measure = Callable[[Agreement, Agreements], float]


@dataclass(frozen=True, slots=True)
class Share:
    """
    How many of a kind there are over all images, as a share of another kind.

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
    """Return the median over the images of the worst in each."""

    def measure(total: Agreement, each: Agreements) -> float:
        counted = [row for row in each if row[0].matched or not total.matched]
        return float(median(getattr(a, name) / (side if per_side else 1) for a, side in counted))

    return measure


MEASURES: dict[str, dict[str, Measure]] = {
    'detections': {
        'missed': Share('missed', 'reference'),
        'false_positives': Share('false_positives', 'reference'),
        'class_flips': Share('class_flips', 'matched'),
        'iou': _typical('worst_iou'),
        'score_drift': _typical('score_drift'),
    },
    'keypoints': {
        'missed': Share('missed', 'reference'),
        'false_positives': Share('false_positives', 'reference'),
        'keypoints_missed': Share('keypoints_missed', 'keypoints', 'keypoints'),
        'keypoints_false': Share('keypoints_false', 'keypoints', 'keypoints'),
        'keypoint_share': _typical('keypoint_px', per_side=True),
    },
    'classes': {
        'class_flips': Share('class_flips', 'reference', 'images'),
        'score_drift': _typical('score_drift'),
    },
    'mask': {'mask_share': _typical('mask_share')},
    'instances': {'mask_share': _typical('mask_share')},
    'poses': {
        'poses_missed': Share('poses_missed', 'poses'),
        'poses_false': Share('poses_false', 'poses'),
        'position_share': _typical('position_share'),
        'rotation_deg': _typical('rotation_deg'),
    },
}

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compute figures of scored images, and check them against thresholds."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
import math

import numpy as np

from edge_perception.contract import option
from edge_perception.contract import Options
from edge_perception.simulation.matching import Match
from edge_perception.simulation.matching import match_images
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.pose_errors import PoseError

STATISTICS = ('p50', 'p95', 'p99', 'max', 'mean')


def summary(values: Sequence[float], statistic: str) -> float:
    """
    Return a statistic of values; NaN for no values.

    :param statistic: one of ``STATISTICS``.
    """
    if not values:
        return math.nan
    if statistic == 'mean':
        return float(np.mean(values))
    percent = 100.0 if statistic == 'max' else float(statistic.removeprefix('p'))
    return float(np.percentile(values, percent))


def _counted(score: Score, threshold: Threshold) -> list[Match]:
    """Return the matches of true objects that a threshold is about."""
    return [
        match
        for match in score.matches
        if match.truth is not None
        and match.truth.size_px >= threshold.from_size_px
        and match.truth.inside >= threshold.from_inside
    ]


def _false_detections(score: Score, threshold: Threshold) -> list[float]:
    """Return the number of false positives in each image with truth and result."""
    counts = {
        image.stamp_ns: 0.0
        for image in score.images
        if image.truths is not None and image.found is not None
    }
    for match in score.matches:
        if match.truth is None:
            counts[match.image.stamp_ns] += 1
    return list(counts.values())


def _errors(read: Callable[[PoseError], float]) -> Callable[[Score, Threshold], list[float]]:
    return lambda score, threshold: [
        read(match.error) for match in _counted(score, threshold) if match.error is not None
    ]


def _dropped(score: Score, threshold: Threshold) -> list[float]:
    """Return the share of frames that the node dropped; not those that a newer one replaced."""
    if not score.received:
        return []
    lost = sum(n for reason, n in score.dropped.items() if reason != 'superseded')
    return [lost / score.received]


# Figures of which there is one number; the mean of their values.
SINGLE = ('recall', 'false_detections', 'answered', 'dropped')
FIGURES: dict[str, Callable[[Score, Threshold], list[float]]] = {
    'recall': lambda score, threshold: [
        float(match.found is not None) for match in _counted(score, threshold)
    ],
    'false_detections': _false_detections,
    'answered': lambda score, _: [float(image.found is not None) for image in score.images],
    'dropped': _dropped,
    'position_percent': _errors(lambda error: 100 * error.share),
    'yaw_degrees': _errors(lambda error: abs(math.degrees(error.yaw))),
    'tilt_degrees': _errors(lambda error: math.degrees(error.tilt)),
    'overlap': lambda score, threshold: [
        match.overlap for match in _counted(score, threshold) if match.overlap is not None
    ],
    'age_ms': lambda score, _: [each.age_ms for each in score.images if each.age_ms is not None],
    'response_ms': lambda score, _: [
        each.response_ms for each in score.images if each.response_ms is not None
    ],
}


@dataclass(frozen=True, slots=True)
class Threshold(Options):
    """What a figure has to be."""

    figure: str = option('', 'what is measured', choices=tuple(FIGURES))
    minimum: float = option(-math.inf, 'smallest value')
    maximum: float = option(math.inf, 'largest value')
    statistic: str = option('p50', 'of figures that have many values', choices=STATISTICS)
    from_size_px: float = option(0.0, 'only objects of at least this size count', minimum=0.0)
    from_inside: float = option(
        0.0, 'only objects of which at least this share is in the image count', minimum=0.0
    )

    @property
    def name(self) -> str:
        """The threshold in words."""
        words = [self.figure]
        if self.figure not in SINGLE:
            words.append(self.statistic)
        if self.from_size_px:
            words.append(f'from {self.from_size_px:g} px')
        if self.from_inside:
            words.append(f'{100 * self.from_inside:g} % in the image')
        return ', '.join(words)

    @property
    def expected(self) -> str:
        """The limits in words."""
        words = []
        if self.minimum > -math.inf:
            words.append(f'at least {self.minimum:g}')
        if self.maximum < math.inf:
            words.append(f'at most {self.maximum:g}')
        return ' and '.join(words) or 'any value'


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """
    A threshold and the figure that was compared with it.

    :param got: NaN where there was nothing to measure, which is no pass.
    :param count: how many values it was made of.
    """

    threshold: Threshold
    got: float
    count: int

    @property
    def passed(self) -> bool:
        """Whether the figure is within its limits."""
        return self.threshold.minimum <= self.got <= self.threshold.maximum

    @property
    def sentence(self) -> str:
        """What was expected and what came."""
        of = f'of {self.count}' if self.count != 1 else 'of one'
        got = 'nothing to measure' if math.isnan(self.got) else f'{self.got:.4g} {of}'
        return f'{self.threshold.name}: got {got}, expected {self.threshold.expected}'


@dataclass(frozen=True)
class Score:
    """
    Scored images and their matches.

    :param dropped: frames of the node by reason.
    :param received: frames that the node received.
    """

    images: Sequence[ScoredImage]
    dropped: Mapping[str, int] = field(default_factory=dict)
    received: int = 0
    matches: list[Match] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matches.extend(match_images(self.images))

    def judge(self, thresholds: Sequence[Threshold]) -> list[ThresholdCheck]:
        """Compare the figures with thresholds."""
        return [self._check(threshold) for threshold in thresholds]

    def values(self, threshold: Threshold) -> list[float]:
        """Return the values that a threshold is about."""
        return FIGURES[threshold.figure](self, threshold)

    def _check(self, threshold: Threshold) -> ThresholdCheck:
        values = self.values(threshold)
        statistic = 'mean' if threshold.figure in SINGLE else threshold.statistic
        return ThresholdCheck(threshold, summary(values, statistic), len(values))


def worst(score: Score, *, count: int, from_size_px: float = 0.0) -> list[Match]:
    """
    Return the worst matches, one for each image: false ones, misses, then the largest errors.

    :param from_size_px: smaller objects may be missed.
    """

    def badness(match: Match) -> float:
        if match.truth is None:
            return 3.0
        if match.found is None:
            large = match.truth.size_px >= from_size_px and match.truth.inside > 0.5
            return 2.0 if large else -1.0
        if match.error is not None:
            return min(match.error.share + match.error.tilt / math.pi, 1.9)
        return 1.0 - (match.overlap or 0.0)

    chosen: dict[int, Match] = {}
    for match in sorted(score.matches, key=badness, reverse=True):
        if badness(match) >= 0:
            chosen.setdefault(match.image.stamp_ns, match)
    return list(chosen.values())[:count]

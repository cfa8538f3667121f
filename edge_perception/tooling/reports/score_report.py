# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Convert a score to rows of a table, figures for JSON, and a CSV line for each image."""

from __future__ import annotations

from collections.abc import Sequence
import csv
import io
import math
from typing import Any

from edge_perception.simulation.matching import Match
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.scoring import Score
from edge_perception.simulation.scoring import summary
from edge_perception.simulation.scoring import Threshold
from edge_perception.simulation.scoring import ThresholdCheck

POINTS = ('p50', 'p95', 'p99', 'max')
# Figure, what it is called, unit.
ERRORS = (
    ('position_percent', 'position error', '% of the distance'),
    ('yaw_degrees', 'yaw error', 'deg'),
    ('tilt_degrees', 'tilt error', 'deg'),
)
COLUMNS = (
    *('stamp_ns', 'found', 'age_ms', 'response_ms', 'size_px', 'inside'),
    *('distance_m', 'position_error_m', 'yaw_error_degrees', 'tilt_error_degrees'),
)
Rows = list[tuple[str, str]]


def score_rows(score: Score, *, last_s: float = math.inf) -> Rows:
    """
    Return name and value of each line of the table.

    :param last_s: the rate is that of the last seconds only.
    """
    results, found = with_result(score), with_object(score)
    share = f'in {len(found)} results, {100 * len(found) / len(results):.1f} %' if results else '-'
    hertz = rate(score, last_s=last_s)
    rows = [
        ('images', str(len(score.images))),
        ('results', f'{len(results)}, {"-" if math.isnan(hertz) else f"{hertz:.1f}"} Hz'),
        ('age', _milliseconds(score, 'age_ms')),
        ('response', _milliseconds(score, 'response_ms')),
        ('dropped', _drops(score)),
        ('objects found', share),
    ]
    known = [each for each in score.images if each.truths is not None and each.found is not None]
    if known:
        false = sum(match.truth is None for match in score.matches)
        rows.append(('false detections', f'{false} in {len(known)} images'))
    distances = [each.distance for each in score.images if each.distance is not None]
    if distances:
        rows.append(('distance', f'{distances[0]:.2f} m to {distances[-1]:.2f} m'))
    if any(match.truth is not None and match.truth.pose for match in score.matches):
        rows += [(title, _error(score, figure, unit)) for figure, title, unit in ERRORS]
    return rows


def check_rows(checks: Sequence[ThresholdCheck]) -> Rows:
    """Return name and outcome of each threshold."""
    return [
        (
            check.threshold.name,
            ('passed: ' if check.passed else 'FAILED: ') + check.sentence.split(': ', 1)[1],
        )
        for check in checks
    ]


def score_figures(score: Score) -> dict[str, Any]:
    """Return counts, rate, age and pose errors for JSON; null where there is nothing to say."""
    results, found = with_result(score), with_object(score)
    hertz = rate(score)
    errors = [match for match in score.matches if match.error is not None]
    return {
        'images': len(score.images),
        'results': len(results),
        'rate_hz': None if math.isnan(hertz) else round(hertz, 2),
        'age_ms': _spread(score, 'age_ms'),
        'response_ms': _spread(score, 'response_ms'),
        'results_with_objects': len(found),
        'share_with_objects': round(len(found) / len(results), 4) if results else None,
        'pose_error': {
            'poses': len(errors),
            'position_percent_of_distance': _spread(score, 'position_percent'),
            'yaw_degrees': _spread(score, 'yaw_degrees'),
            'tilt_degrees': _spread(score, 'tilt_degrees'),
        }
        if errors
        else None,
    }


def check_figures(checks: Sequence[ThresholdCheck]) -> dict[str, Any]:
    """Return the outcome of each threshold for JSON."""
    return {
        'passed': all(check.passed for check in checks),
        'verdicts': [
            {
                'name': check.threshold.name,
                'got': None if math.isnan(check.got) else round(check.got, 4),
                'values': check.count,
                'expected': check.threshold.expected,
                'passed': check.passed,
            }
            for check in checks
        ],
    }


def images_csv(score: Score) -> str:
    """Return one line of CSV for each image; of several objects the first one."""
    first = {match.image.stamp_ns: match for match in reversed(score.matches)}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    rows.writerow(COLUMNS)
    for image in score.images:
        rows.writerow(_line(image, first.get(image.stamp_ns)))
    return text.getvalue()


def caption(match: Match) -> str:
    """Say what is wrong in an image."""
    words = f'Image of {match.image.stamp_ns / 1e9:.3f} s: '
    if match.truth is None:
        return words + 'something is found that is not there'
    if match.found is None:
        return words + f'missed, {match.truth.size_px:.0f} px large'
    if match.error is None:
        return words + f'the boxes share {100 * (match.overlap or 0):.0f} %'
    return words + (
        f'{match.error.distance:.2f} m away, position off by {100 * match.error.share:.2f} %, '
        f'yaw by {abs(math.degrees(match.error.yaw)):.2f} and tilt by '
        f'{math.degrees(match.error.tilt):.2f} degrees'
    )


def with_result(score: Score) -> list[ScoredImage]:
    """Return the images for which a result was published."""
    return [each for each in score.images if each.found is not None]


def with_object(score: Score) -> list[ScoredImage]:
    """Return the images in which a true object was found or, without truth, anything."""
    true = {match.image.stamp_ns for match in score.matches if match.truth and match.found}
    return [
        each
        for each in with_result(score)
        if (each.found if each.truths is None else each.stamp_ns in true)
    ]


def rate(score: Score, *, last_s: float = math.inf) -> float:
    """
    Return results in a second.

    :param last_s: only of the last seconds before the latest result.
    :return: NaN for fewer than two.
    """
    arrivals = sorted(each.result_s for each in score.images if each.result_s is not None)
    if arrivals:
        arrivals = [arrival for arrival in arrivals if arrival >= arrivals[-1] - last_s]
    if len(arrivals) < 2 or arrivals[-1] == arrivals[0]:
        return math.nan
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def _milliseconds(score: Score, figure: str) -> str:
    values = _spread(score, figure)
    return ', '.join(f'{name} {value:.1f} ms' for name, value in values.items()) if values else '-'


def _drops(score: Score) -> str:
    if not score.received:
        return '-'
    parts = [
        f'{count} {reason} ({100 * count / score.received:.1f} %)'
        for reason, count in sorted(score.dropped.items())
        if count
    ]
    return f'of {score.received}: ' + (', '.join(parts) or 'none')


def _error(score: Score, figure: str, unit: str) -> str:
    values = _spread(score, figure)
    return f'median {values["p50"]:.3f} {unit}, p95 {values["p95"]:.3f}' if values else '-'


def _spread(score: Score, figure: str) -> dict[str, float] | None:
    """Return percentiles and the largest value of a figure; None for no values."""
    values = score.values(Threshold(figure))
    return {point: round(summary(values, point), 4) for point in POINTS} if values else None


def _line(image: ScoredImage, match: Match | None) -> list[object]:
    truth = (image.truths or (None,))[0]
    error = match.error if match else None
    values = (
        image.age_ms,
        image.response_ms,
        truth and truth.size_px,
        truth and truth.inside,
        error and error.distance,
        error and error.position,
        error and math.degrees(error.yaw),
        error and math.degrees(error.tilt),
    )
    objects = [each for each in image.found or () if each.pose or each.box]
    found = '' if image.found is None else len(objects)
    numbers = ('' if value is None else f'{value:.5g}' for value in values)
    return [image.stamp_ns, found, *numbers]

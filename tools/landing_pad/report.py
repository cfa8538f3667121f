# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of an evaluation, and the report that lies beside the model."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

# What the model has to reach; see ``figures``.
FOUND, POSITION, YAW, TILT, FALSE = 98.0, 1.0, 2.0, 3.0, 0.5
SMALLEST_SIZE, SMALLEST_VISIBLE, TILT_SIZE, LARGEST_TILT = 48.0, 0.6, 150.0, 45.0
SMALLEST_NEGATIVES = 2000
# Negatives that are reported apart.
ALTERED = 'altered or mirrored pads'
SIZES = (48, 70, 100, 150, 250, 400, 700)

JudgedRow = dict[str, Any]


def figures(samples: Sequence[JudgedRow], negatives: dict[str, list[int]]) -> dict[str, float]:
    """
    Return what the bars are about.

    Sizes are those of the side of the pad at its distance, before tilt; the found pads are those
    with a pose that is not somewhere else.
    """
    counted = [sample for sample in samples if _counts(sample)]
    any_angle = [sample for sample in samples if _counts(sample, largest_tilt=90.0)]
    found = [sample for sample in counted if sample['found']]
    large = [sample for sample in found if sample['size'] >= TILT_SIZE]
    small = [sample for sample in found if sample['size'] < TILT_SIZE]
    counted_negatives = [entry for name, entry in negatives.items() if name != ALTERED]
    false, pictures = (sum(entry[part] for entry in counted_negatives) for part in (0, 1))
    return {
        'pictures_with_pad': len(samples),
        'pictures_counted': len(counted),
        'found_percent': 100 * len(found) / max(len(counted), 1),
        'found_percent_at_any_angle': 100 * _mean(any_angle, 'found'),
        'pictures_at_any_angle': len(any_angle),
        'wrong_percent': 100 * _mean(counted, 'wrong'),
        'position_error_percent_of_distance_median': 100 * _median(found, 'position'),
        'yaw_error_degrees_median': _median(found, 'yaw'),
        'tilt_error_degrees_median_150_px_and_more': _median(large, 'tilt'),
        'tilt_error_degrees_median_below_150_px': _median(small, 'tilt'),
        'false_detections_percent': 100 * false / max(pictures, 1),
        'negatives': pictures,
        'ambiguous_percent': 100 * _mean(found, 'ambiguous'),
        'mahalanobis_squared_median': _median(found, 'mahalanobis'),
        'keypoint_error_input_pixels_median': _median(found, 'keypoint'),
        'refined_error_pixels_median': _median(found, 'refined'),
    }


def _counts(sample: JudgedRow, largest_tilt: float = LARGEST_TILT) -> bool:
    return bool(
        sample['size'] >= SMALLEST_SIZE
        and sample['visible'] >= SMALLEST_VISIBLE
        and sample['obliqueness'] <= largest_tilt
    )


def bars(values: dict[str, float]) -> list[tuple[str, str, str, bool]]:
    """Return each bar: what it is about, the bar, the figure, and whether it is met."""

    def row(
        text: str, key: str, bar: float, unit: str, low: bool = False
    ) -> tuple[str, str, str, bool]:
        value = values[key]
        met = value >= bar if low else value <= bar
        return text, f'{"at least" if low else "at most"} {bar:g}{unit}', f'{value:.3g}{unit}', met

    return [
        row('found, 48 px or larger and 60 % visible', 'found_percent', FOUND, ' %', low=True),
        row(
            'position error, median, of the distance',
            'position_error_percent_of_distance_median', POSITION, ' %',
        ),
        row('yaw error, median', 'yaw_error_degrees_median', YAW, ' deg'),
        row(
            'tilt error, median, 150 px and more',
            'tilt_error_degrees_median_150_px_and_more', TILT, ' deg',
        ),
        row('false detections', 'false_detections_percent', FALSE, ' %'),
        row('pictures without a pad', 'negatives', SMALLEST_NEGATIVES, '', low=True),
    ]  # fmt: skip


def write_report(
    folder: Path, raw: dict[str, Any], seconds: Sequence[tuple[float, float]], digest: str
) -> str:
    """Write report.json and report.md; return the text."""
    values = figures(raw['samples'], raw['negatives'])
    infer, pose = np.median(np.array(seconds), axis=0) * 1000
    values |= {'inference_ms_median': float(infer), 'pose_ms_median': float(pose)}
    details = {'model_sha256': digest, 'figures': values, 'negatives': raw['negatives']}
    (folder / 'report.json').write_text(json.dumps(details, indent=1) + '\n', encoding='utf-8')
    text = _text(values, raw, digest)
    (folder / 'report.md').write_text(text, encoding='utf-8')
    return text


def _text(values: dict[str, float], raw: dict[str, Any], digest: str) -> str:
    lines = ['# The landing pad on pictures that training never saw', '']
    lines += [
        f'Model {digest[:12]}. Rendered views of a 1 m pad in a lens with 70 degrees at 640x480: '
        'distance log-uniform 0.7 to 9.5 m, tilt of the pad against the optical axis uniform 0 to '
        '45 degrees, yaw uniform; grounds that are not in the training (sand, foliage, bricks, '
        'planks), other seeds. Towards the border of the picture a pad is seen more obliquely '
        'than it is tilted: counted are the pictures with at most 45 degrees between line of '
        'sight and axis of the pad; the others are in a table below. Negatives: rendered scenes '
        'with distractors, and photographs, videos and recordings, which no training saw. Made by '
        '`tools/landing_pad/evaluate.py`.',
        '',
        '| figure | bar | measured | met |',
        '|---|---|---|---|',
        *(f'| {a} | {b} | {c} | {"yes" if d else "**no**"} |' for a, b, c, d in bars(values)),
        '',
        'Found with the more oblique views as well: '
        f'{values["found_percent_at_any_angle"]:.1f} % of {values["pictures_at_any_angle"]}.',
        f'Tilt error below 150 px, median: {values["tilt_error_degrees_median_below_150_px"]:.3g} '
        'deg.',
        f'A pose of something else than the pad: {values["wrong_percent"]:.3g} % of the '
        f'{values["pictures_counted"]} counted pictures.',
        f'Poses marked ambiguous: {values["ambiguous_percent"]:.3g} %. Squared error in units of '
        f'the covariance, median: {values["mahalanobis_squared_median"]:.3g} (5.35 if the '
        'covariance is exact).',
        f'Keypoints of the network: {values["keypoint_error_input_pixels_median"]:.3g} px of its '
        f'input; refined in the picture: {values["refined_error_pixels_median"]:.3g} px.',
        f'Median time on one thread: inference {values["inference_ms_median"]:.3g} ms, pose '
        f'{values["pose_ms_median"]:.3g} ms.',
        '',
        '## By size',
        '',
        '| px | pictures | found | position | yaw | tilt | 90 % of tilts below | ambiguous |',
        '|---|---|---|---|---|---|---|---|',
        *_by_size(raw['samples']),
        '',
        '## By angle between line of sight and axis of the pad',
        '',
        '| degrees | pictures | found |',
        '|---|---|---|',
        *_by_obliqueness(raw['samples']),
        '',
        '## By visible share',
        '',
        '| visible | pictures | found |',
        '|---|---|---|',
        *_by_visible(raw['samples']),
        '',
        '## False detections',
        '',
        'Copies of the pad that are mirrored, or have a third of their cells and more turned '
        'over, are not in the bar: nobody prints them by chance.',
        '',
        '| pictures | number | found |',
        '|---|---|---|',
        *(f'| {name} | {entry[1]} | {entry[0]} |' for name, entry in raw['negatives'].items()),
    ]
    return '\n'.join(lines) + '\n'


def _by_size(samples: Sequence[JudgedRow]) -> list[str]:
    lines = []
    for low, high in zip(SIZES, SIZES[1:]):
        rows = [sample for sample in samples if low <= sample['size'] < high and _counts(sample)]
        found = [sample for sample in rows if sample['found']]
        lines.append(
            f'| {low} to {high} | {len(rows)} | {100 * _mean(rows, "found"):.1f} % '
            f'| {100 * _median(found, "position"):.2f} % | {_median(found, "yaw"):.2f} deg '
            f'| {_median(found, "tilt"):.2f} deg | {_quantile(found, "tilt", 0.9):.2f} deg '
            f'| {100 * _mean(found, "ambiguous"):.1f} % |'
        )
    return lines


def _by_obliqueness(samples: Sequence[JudgedRow]) -> list[str]:
    lines = []
    for low, high in ((0, 15), (15, 30), (30, 45), (45, 60), (60, 90)):
        rows = [
            sample
            for sample in samples
            if low <= sample['obliqueness'] < high and _counts(sample, largest_tilt=90.0)
        ]
        lines.append(f'| {low} to {high} | {len(rows)} | {100 * _mean(rows, "found"):.1f} % |')
    return lines


def _by_visible(samples: Sequence[JudgedRow]) -> list[str]:
    def row(low: float, high: float) -> str:
        rows = [
            sample
            for sample in samples
            if low <= sample['visible'] < high and sample['obliqueness'] <= LARGEST_TILT
        ]
        return (
            f'| {low:g} to {min(high, 1):g} | {len(rows)} | {100 * _mean(rows, "found"):.1f} % |'
        )

    edges = (0.2, 0.4, 0.6, 0.8, 1.01)
    return [row(low, high) for low, high in zip(edges, edges[1:])]


def _values(samples: Sequence[JudgedRow], key: str) -> list[float]:
    return [sample[key] for sample in samples if math.isfinite(sample[key])]


def _reduced(
    samples: Sequence[JudgedRow], key: str, reduce: Callable[[list[float]], Any]
) -> float:
    values = _values(samples, key)
    return float(reduce(values)) if values else float('nan')


def _median(samples: Sequence[JudgedRow], key: str) -> float:
    return _reduced(samples, key, np.median)


def _mean(samples: Sequence[JudgedRow], key: str) -> float:
    return _reduced(samples, key, np.mean)


def _quantile(samples: Sequence[JudgedRow], key: str, share: float) -> float:
    return _reduced(samples, key, lambda values: np.quantile(values, share))

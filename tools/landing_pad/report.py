# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compute the figures of an evaluation, and write the report beside the model."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial
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
ANGLES = (0, 15, 30, 45, 60, 90)
VISIBLE_SHARES = (0.2, 0.4, 0.6, 0.8, 1.01)

JudgedRow = dict[str, Any]
INTRODUCTION = (
    'Model {0}. Rendered views of a 1 m pad in a lens with 70 degrees at 640x480: '
    'distance log-uniform 0.7 to 9.5 m, tilt of the pad against the optical axis uniform 0 to '
    '45 degrees, yaw uniform; grounds that are not in the training (sand, foliage, bricks, '
    'planks), other seeds. Towards the border of the image a pad is seen more obliquely '
    'than it is tilted: counted are the images with at most 45 degrees between line of '
    'sight and axis of the pad; the others are in a table below. Negatives: rendered scenes '
    'with distractors, and photographs, videos and recordings, which no training saw. Made by '
    '`tools/landing_pad/evaluate.py`.'
)
SUMMARY = """\
Found with the more oblique views as well: {found_percent_at_any_angle:.1f} % of \
{pictures_at_any_angle}.
Tilt error below 150 px, median: {tilt_error_degrees_median_below_150_px:.3g} deg.
A pose of something else than the pad: {wrong_percent:.3g} % of the {pictures_counted} counted \
images.
Poses marked ambiguous: {ambiguous_percent:.3g} %. Squared error in units of the covariance, \
median: {mahalanobis_squared_median:.3g} (5.35 if the covariance is exact).
Keypoints of the network: {keypoint_error_input_pixels_median:.3g} px of its input; refined in \
the image: {refined_error_pixels_median:.3g} px.
Median time on one thread: inference {inference_ms_median:.3g} ms, pose {pose_ms_median:.3g} ms.
"""
ALTERED_NOTE = (
    'Copies of the pad that are mirrored, or have a third of their cells and more inverted, are '
    'not in the bar: they are not printed by chance.'
)


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
    false, images = (sum(entry[part] for entry in counted_negatives) for part in (0, 1))
    return {
        'pictures_with_pad': len(samples),
        'pictures_counted': len(counted),
        'found_percent': 100 * len(found) / max(len(counted), 1),
        'found_percent_at_any_angle': 100 * _reduced(any_angle, 'found'),
        'pictures_at_any_angle': len(any_angle),
        'wrong_percent': 100 * _reduced(counted, 'wrong'),
        'position_error_percent_of_distance_median': 100 * _median(found, 'position'),
        'yaw_error_degrees_median': _median(found, 'yaw'),
        'tilt_error_degrees_median_150_px_and_more': _median(large, 'tilt'),
        'tilt_error_degrees_median_below_150_px': _median(small, 'tilt'),
        'false_detections_percent': 100 * false / max(images, 1),
        'negatives': images,
        'ambiguous_percent': 100 * _reduced(found, 'ambiguous'),
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


def bars(values: dict[str, float]) -> list[tuple[str, str, str, str]]:
    """Return each bar: what it is about, the bar, the figure, and whether it is met."""
    rows = []
    for text, key, sign, bar, unit in (
        ('found, 48 px or larger and 60 % visible', 'found_percent', 1, FOUND, ' %'),
        ('position error, median, of the distance',
         'position_error_percent_of_distance_median', -1, POSITION, ' %'),
        ('yaw error, median', 'yaw_error_degrees_median', -1, YAW, ' deg'),
        ('tilt error, median, 150 px and more',
         'tilt_error_degrees_median_150_px_and_more', -1, TILT, ' deg'),
        ('false detections', 'false_detections_percent', -1, FALSE, ' %'),
        ('images without a pad', 'negatives', 1, SMALLEST_NEGATIVES, ''),
    ):  # fmt: skip
        met = 'yes' if sign * values[key] >= sign * bar else '**no**'
        least = f'at {"least" if sign > 0 else "most"} {bar:g}{unit}'
        rows.append((text, least, f'{values[key]:.3g}{unit}', met))
    return rows


def write_report(
    folder: Path,
    samples: Sequence[JudgedRow],
    negatives: dict[str, list[int]],
    seconds: Sequence[tuple[float, float]],
    digest: str,
) -> str:
    """
    Write report.json and report.md, and return the text.

    :param seconds: of inference and of the search for the pose, for each image.
    :param digest: SHA-256 of the model.
    """
    values = figures(samples, negatives)
    infer, pose = np.median(np.array(seconds), axis=0) * 1000
    values |= {'inference_ms_median': float(infer), 'pose_ms_median': float(pose)}
    details = {'model_sha256': digest, 'figures': values, 'negatives': negatives}
    (folder / 'report.json').write_text(json.dumps(details, indent=1) + '\n', encoding='utf-8')
    found_columns = ('images', 'found')
    any_angle = [each for each in samples if _counts(each, largest_tilt=90.0)]
    visible = [each for each in samples if each['obliqueness'] <= LARGEST_TILT]
    text = '\n'.join([
        '# The landing pad on images that training never saw\n',
        INTRODUCTION.format(digest[:12]) + '\n',
        _table(('figure', 'bar', 'measured', 'met'), bars(values)),
        SUMMARY.format(**values),
        '## By size\n',
        _table(('px', *found_columns, 'position', 'yaw', 'tilt', '90 % of tilts below',
                'ambiguous'), _by_size(samples)),
        '## By angle between line of sight and axis of the pad\n',
        _table(('degrees', *found_columns), _found(any_angle, 'obliqueness', ANGLES)),
        '## By visible share\n',
        _table(('visible', *found_columns), _found(visible, 'visible', VISIBLE_SHARES)),
        f'## False detections\n\n{ALTERED_NOTE}\n',
        _table(('images', 'number', 'found'),
               ((name, entry[1], entry[0]) for name, entry in negatives.items())),
    ])  # fmt: skip
    (folder / 'report.md').write_text(text.rstrip('\n') + '\n', encoding='utf-8')
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(map(str, line))} |\n' for line in lines)


def _found(
    samples: Sequence[JudgedRow], key: str, edges: Sequence[float]
) -> Iterator[tuple[str, int, str]]:
    """Yield a range of a value, how many samples are in it, and the share that was found."""
    for low, high in zip(edges, edges[1:]):
        rows = [sample for sample in samples if low <= sample[key] < high]
        share = f'{100 * _reduced(rows, "found"):.1f} %'
        yield f'{low:g} to {min(high, 1) if key == "visible" else high:g}', len(rows), share


def _by_size(samples: Sequence[JudgedRow]) -> Iterator[tuple[object, ...]]:
    counted = [sample for sample in samples if _counts(sample)]
    ranges = zip(_found(counted, 'size', SIZES), SIZES, SIZES[1:])
    for cells, low, high in ranges:
        found = [each for each in counted if low <= each['size'] < high and each['found']]
        yield (
            *cells,
            f'{100 * _median(found, "position"):.2f} %',
            f'{_median(found, "yaw"):.2f} deg',
            f'{_median(found, "tilt"):.2f} deg',
            f'{_reduced(found, "tilt", partial(np.quantile, q=0.9)):.2f} deg',
            f'{100 * _reduced(found, "ambiguous"):.1f} %',
        )


def _reduced(
    samples: Sequence[JudgedRow], key: str, reduce: Callable[[list[float]], Any] = np.mean
) -> float:
    values = [sample[key] for sample in samples if math.isfinite(sample[key])]
    return float(reduce(values)) if values else math.nan


_median = partial(_reduced, reduce=np.median)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The report of trials: one HTML file with verdicts, plots and the worst pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import html
import math
from typing import Any

import numpy as np

from edge_perception.simulation.trial import Match
from edge_perception.simulation.trial_score import by_distance
from edge_perception.simulation.trial_score import Score
from edge_perception.simulation.trial_score import summary
from edge_perception.simulation.trial_score import Threshold
from edge_perception.simulation.trial_score import Verdict
from edge_perception.tooling.reports.demo_report import BLUE
from edge_perception.tooling.reports.demo_report import GRAY
from edge_perception.tooling.reports.demo_report import GREEN
from edge_perception.tooling.reports.demo_report import ORANGE
from edge_perception.tooling.reports.demo_report import page
from edge_perception.tooling.reports.demo_report import svg

# Edges of the bins of distance in meters: each a quarter longer than the one before.
DISTANCES = tuple(0.25 * 1.25**step for step in range(28))
# What an error is called, and how it is read from a match.
ERRORS: tuple[tuple[str, Callable[[Any], float]], ...] = (
    ('position in %\nof the distance', lambda error: 100 * float(error.share)),
    ('yaw in degrees', lambda error: abs(math.degrees(error.yaw))),
    ('tilt in degrees', lambda error: math.degrees(error.tilt)),
)


def trial_page(
    score: Score,
    verdicts: Sequence[Verdict],
    *,
    title: str,
    plots: Mapping[str, str],
    pictures: Sequence[tuple[str, bytes]] = (),
    notes: Sequence[str] = (),
) -> str:
    """
    Return the report as HTML.

    :param plots: SVG by caption, as of ``draw_trials``.
    :param pictures: caption and JPEG of the worst images.
    """
    rows = [
        (
            verdict.threshold.name,
            ('passed: ' if verdict.passed else 'FAILED: ') + verdict.sentence.split(': ', 1)[1],
        )
        for verdict in verdicts
    ]
    figures = dict(plots)
    for caption, data in pictures:
        encoded = base64.b64encode(data).decode('ascii')
        image = f'<img alt="{html.escape(caption)}" src="data:image/jpeg;base64,{encoded}">'
        figures[caption] = image
    return page(title=title, rows=[*rows, *summary_rows(score)], plots=figures, notes=notes)


def summary_rows(score: Score) -> list[tuple[str, str]]:
    """Return what the trials say, in lines of name and value."""
    trials = score.trials
    with_result = sum(trial.found is not None for trial in trials)
    rows = [('images', f'{len(trials)}, {with_result} of them with a result')]
    for name, title in (
        ('age_ms', 'age by the clock of ROS'),
        ('response_ms', 'from image to result by a wall clock'),
    ):
        values = score.values(Threshold(name))
        words = [f'{point} {summary(values, point):.1f}' for point in ('p50', 'p95', 'p99', 'max')]
        rows.append((title, ', '.join(words) + ' ms' if values else 'none'))
    if score.received:
        parts = [
            f'{count} {reason} ({100 * count / score.received:.1f} %)'
            for reason, count in sorted(score.dropped.items())
            if count
        ]
        rows.append(('dropped', f'of {score.received}: ' + (', '.join(parts) or 'none')))
    return rows


def draw_trials(score: Score) -> dict[str, str]:
    """
    Draw what there is to draw.

    :return: SVG by caption.
    :raises ModuleNotFoundError: matplotlib is missing.
    """
    plots = {
        'Age of the results by the clock of ROS.': svg([_ages(score)]),
    }
    known = [each for each in score.matches if each.truth is not None and each.truth.pose]
    if known:
        plots['Found and missed, by time and distance.'] = svg([_found(score, known)])
    if any(each.error is not None for each in score.matches):
        plots['Error of the pose by distance; the line is the median of each bin.'] = svg(
            [_errors(score, name, read) for name, read in ERRORS]
        )
    return plots


def _ages(score: Score) -> Callable[[Any], None]:
    start = score.trials[0].stamp_ns if score.trials else 0
    rows = [((t.stamp_ns - start) / 1e9, t.age_ms) for t in score.trials if t.age_ms is not None]

    def draw(axes: Any) -> None:
        axes.plot([r[0] for r in rows], [r[1] for r in rows], '.', color=BLUE, markersize=3)
        axes.set_xlabel('time in s')
        axes.set_ylabel('age in ms')
        axes.set_ylim(bottom=0)

    return draw


def _found(score: Score, known: Sequence[Match]) -> Callable[[Any], None]:
    start = score.trials[0].stamp_ns
    groups = (('found', GREEN, True), ('missed', ORANGE, False))

    def draw(axes: Any) -> None:
        for name, color, found in groups:
            rows = [
                ((m.trial.stamp_ns - start) / 1e9, math.dist(m.truth.pose.position, (0, 0, 0)))
                for m in known
                if (m.found is not None) == found and m.truth is not None and m.truth.pose
            ]
            label = f'{name} ({len(rows)})'
            times, distances = [r[0] for r in rows], [r[1] for r in rows]
            axes.plot(times, distances, '.', color=color, markersize=4, label=label)
        silent = [t for t in score.trials if t.found is None]
        times = [(t.stamp_ns - start) / 1e9 for t in silent]
        label = f'no result ({len(silent)})'
        axes.plot(times, [0.0] * len(times), '|', color=GRAY, markersize=8, label=label)
        axes.set_xlabel('time in s')
        axes.set_ylabel('distance in m')
        axes.set_ylim(bottom=0)
        axes.legend()

    return draw


def _errors(score: Score, name: str, read: Callable[[Any], float]) -> Callable[[Any], None]:
    compared = [match for match in score.matches if match.error is not None]

    def draw(axes: Any) -> None:
        distances = [match.error.distance for match in compared if match.error]
        values = [read(match.error) for match in compared]
        axes.plot(distances, values, '.', color=BLUE, markersize=3, alpha=0.5)
        bins = by_distance(compared, edges=DISTANCES)
        middles = [math.sqrt(low * high) for low, high, _ in bins]
        medians = [float(np.median([read(m.error) for m in each])) for _, _, each in bins]
        axes.plot(middles, medians, 'o-', color=ORANGE, linewidth=1.5, markersize=3)
        axes.set_ylabel(name)
        # A single wild value is not to hide all the others.
        axes.set_ylim(0, max(1e-3, 1.5 * float(np.percentile(values, 98))))
        axes.set_xlabel('distance in m')

    return draw

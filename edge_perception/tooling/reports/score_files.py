# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write the files of a score: report with plots, image, video, figures."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import math
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract.user_files import replacing
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.simulation.matching import ScoredImage
from edge_perception.simulation.pose_errors import PoseError
from edge_perception.simulation.scoring import Score
from edge_perception.tooling.notes import note
from edge_perception.tooling.reports.annotated_images import AnnotatedImages
from edge_perception.tooling.reports.annotated_images import NoVideoError
from edge_perception.tooling.reports.page import page
from edge_perception.tooling.reports.plots import BLUE
from edge_perception.tooling.reports.plots import GRAY
from edge_perception.tooling.reports.plots import GREEN
from edge_perception.tooling.reports.plots import NO_PLOTS
from edge_perception.tooling.reports.plots import ORANGE
from edge_perception.tooling.reports.plots import svg
from edge_perception.tooling.reports.score_report import with_object

# Edges of the bins of distance in meters: each a quarter longer than the one before.
DISTANCES = tuple(0.25 * 1.25**step for step in range(28))
# What an error is called, and how it is read.
KINDS: tuple[tuple[str, Callable[[PoseError], float]], ...] = (
    ('position in %\nof the distance', lambda error: 100 * error.share),
    ('yaw in degrees', lambda error: abs(math.degrees(error.yaw))),
    ('tilt in degrees', lambda error: math.degrees(error.tilt)),
)


def write_score(
    folder: Path,
    score: Score,
    *,
    title: str,
    rows: Sequence[tuple[str, str]],
    images: AnnotatedImages,
    texts: Mapping[str, str],
    say: Callable[[str], object],
) -> None:
    """
    Write ``report.html``, ``picture.jpg``, ``video.mp4`` and other files.

    :param rows: name and value of each line of the table of the report.
    :param texts: other files, content by name.
    :param say: gets the path of each file that is written.
    :raises ConfigurationError: a file cannot be written.
    """
    files = {name: text.encode() for name, text in texts.items()}
    best = images.best(score)
    if best is not None:
        files['picture.jpg'] = best
    plots, notes = {}, []
    try:
        plots = draw_plots(score)
    except ModuleNotFoundError:
        note(NO_PLOTS)
        notes.append(NO_PLOTS)
    shown = [] if best is None else [('The best image.', best)]
    shown += images.worst(score)
    report = page(title=title, rows=rows, plots=plots, images=shown, notes=notes)
    files['report.html'] = report.encode()
    for name, data in files.items():
        with writing(folder / name):
            write_whole(folder / name, data)
        say(str(folder / name))
    if score.images:
        _write_video(folder / 'video.mp4', images, say)


def _write_video(path: Path, images: AnnotatedImages, say: Callable[[str], object]) -> None:
    try:
        with replacing(path) as temporary:
            images.write_video(temporary)
    except NoVideoError as error:
        note(f'no {path}: {error}')
    else:
        say(str(path))


def draw_plots(score: Score) -> dict[str, str]:
    """
    Draw what there is to draw.

    :return: SVG by caption.
    :raises ModuleNotFoundError: matplotlib is missing.
    """
    plots = {'Age of the results by the clock of ROS.': svg([_ages(score)])}
    if any(image.distance is not None for image in score.images):
        plots['Distance to the object, and where it was found.'] = svg([_distances(score)])
    errors = [match.error for match in score.matches if match.error is not None]
    if errors:
        plots['Error of the pose by distance; the line is the median of each bin.'] = svg(
            [_errors(errors, name, read) for name, read in KINDS]
        )
    return plots


def _time_s(score: Score, stamp_ns: int) -> float:
    return (stamp_ns - score.images[0].stamp_ns) / 1e9


def _ages(score: Score) -> Callable[[Any], None]:
    known = [each for each in score.images if each.age_ms is not None]

    def draw(axes: Any) -> None:
        times = [_time_s(score, each.stamp_ns) for each in known]
        axes.plot(times, [each.age_ms for each in known], '.', color=BLUE, markersize=3)
        axes.set_xlabel('time in s')
        axes.set_ylabel('age in ms')
        axes.set_ylim(bottom=0)

    return draw


def _distances(score: Score) -> Callable[[Any], None]:
    found = {image.stamp_ns for image in with_object(score)}
    groups: tuple[tuple[str, str, Callable[[ScoredImage], bool]], ...] = (
        ('found', GREEN, lambda each: each.stamp_ns in found),
        ('not found', ORANGE, lambda each: each.found is not None and each.stamp_ns not in found),
        ('no result', GRAY, lambda each: each.found is None),
    )

    def draw(axes: Any) -> None:
        for name, color, belongs in groups:
            rows = [each for each in score.images if each.distance is not None and belongs(each)]
            if rows:
                times = [_time_s(score, each.stamp_ns) for each in rows]
                distances = [each.distance for each in rows]
                label = f'{name} ({len(rows)})'
                axes.plot(times, distances, '.', color=color, markersize=4, label=label)
        axes.set_xlabel('time in s')
        axes.set_ylabel('distance in m')
        axes.set_ylim(bottom=0)
        axes.legend()

    return draw


def _errors(
    errors: list[PoseError], name: str, read: Callable[[PoseError], float]
) -> Callable[[Any], None]:
    def draw(axes: Any) -> None:
        distances, values = [each.distance for each in errors], [read(each) for each in errors]
        axes.plot(distances, values, '.', color=BLUE, markersize=3, alpha=0.5)
        bins = [
            (math.sqrt(low * high), float(np.median(inside)))
            for low, high in zip(DISTANCES, DISTANCES[1:])
            if (inside := [v for d, v in zip(distances, values) if low <= d < high])
        ]
        middles, medians = [bin_[0] for bin_ in bins], [bin_[1] for bin_ in bins]
        axes.plot(middles, medians, 'o-', color=ORANGE, linewidth=1.5, markersize=3)
        axes.set_ylabel(name)
        # A single wild value is not to hide all the others.
        axes.set_ylim(0, max(1e-3, 1.5 * float(np.percentile(values, 98))))
        axes.set_xlabel('distance in m')

    return draw

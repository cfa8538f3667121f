# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Write what a score leaves behind: report, image, video, figures."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from edge_perception.contract.user_files import replacing
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.simulation.scoring import Score
from edge_perception.tooling.notes import note
from edge_perception.tooling.reports.annotated_images import AnnotatedImages
from edge_perception.tooling.reports.annotated_images import NoVideoError
from edge_perception.tooling.reports.page import page
from edge_perception.tooling.reports.plots import NO_PLOTS
from edge_perception.tooling.reports.score_plots import draw_plots


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

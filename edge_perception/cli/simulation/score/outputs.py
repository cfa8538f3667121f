# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a score leaves behind: report, JUnit XML, figures; and what it prints."""

from __future__ import annotations

from collections.abc import Sequence
import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from edge_perception.cli.simulation.demo.outputs import NO_PLOTS
from edge_perception.cli.simulation.score.pictures import best_picture
from edge_perception.cli.simulation.score.pictures import NoVideoError
from edge_perception.cli.simulation.score.pictures import VIDEO_EVERY
from edge_perception.cli.simulation.score.pictures import worst_pictures
from edge_perception.cli.simulation.score.pictures import write_video
from edge_perception.models.atomic_files import replacing
from edge_perception.models.atomic_files import writing
from edge_perception.simulation.trial_score import Score
from edge_perception.simulation.trial_score import Verdict
from edge_perception.testing.junit import junit_xml
from edge_perception.tooling.notes import note
from edge_perception.tooling.reports.trial_report import draw_trials
from edge_perception.tooling.reports.trial_report import summary_rows
from edge_perception.tooling.reports.trial_report import trial_page

COLUMNS = (
    *('stamp_ns', 'found', 'age_ms', 'response_ms', 'size_px', 'inside'),
    *('distance_m', 'position_error_m', 'yaw_error_degrees', 'tilt_error_degrees'),
)
TITLE = 'Perception against the truth'


def write(
    folder: Path, score: Score, verdicts: Sequence[Verdict], *, watch: Any, console: Console
) -> None:
    """
    Write the files and print their paths.

    :param watch: has the pictures and the intrinsics.
    :raises ConfigurationError: a file cannot be written.
    """
    texts = {
        'junit.xml': junit_xml(verdicts, suite='edge_perception.score'),
        'score.json': json.dumps(figures(score, verdicts), indent=2) + '\n',
        'images.csv': table(score),
        'report.html': _page(score, verdicts, watch),
    }
    files = {name: text.encode() for name, text in texts.items()}
    picture = best_picture(score, watch)
    if picture is not None:
        files['picture.jpg'] = picture
    for name, data in files.items():
        with replacing(folder / name) as temporary, writing(folder / name):
            temporary.write_bytes(data)
        console.print(str(folder / name), soft_wrap=True, highlight=False)
    if any(watch.picture(trial.stamp_ns) for trial in score.trials[::VIDEO_EVERY]):
        try:
            with replacing(folder / 'video.mp4') as temporary:
                write_video(temporary, score, watch)
        except NoVideoError as error:
            note(f'no {folder / "video.mp4"}: {error}')
        else:
            console.print(str(folder / 'video.mp4'), soft_wrap=True, highlight=False)


def _page(score: Score, verdicts: Sequence[Verdict], watch: Any) -> str:
    """Return the report; without matplotlib it has no plots, and says so."""
    plots, notes = {}, []
    try:
        plots = draw_trials(score)
    except ModuleNotFoundError:
        note(NO_PLOTS)
        notes.append(NO_PLOTS)
    pictures = worst_pictures(score, watch)
    return trial_page(score, verdicts, title=TITLE, plots=plots, pictures=pictures, notes=notes)


def figures(score: Score, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return verdicts and counts for JSON."""
    return {
        'passed': all(verdict.passed for verdict in verdicts),
        'verdicts': [
            {
                'name': verdict.threshold.name,
                'got': None if math.isnan(verdict.got) else round(verdict.got, 4),
                'values': verdict.count,
                'expected': verdict.threshold.expected,
                'passed': verdict.passed,
            }
            for verdict in verdicts
        ],
        'images': len(score.trials),
        'results': sum(trial.found is not None for trial in score.trials),
        'received': score.received,
        'dropped': dict(score.dropped),
    }


def table(score: Score) -> str:
    """Return one line of CSV for each image; of several objects the first one."""
    first = {match.trial.stamp_ns: match for match in reversed(score.matches)}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    rows.writerow(COLUMNS)
    for trial in score.trials:
        match = first.get(trial.stamp_ns)
        truth = (trial.truths or (None,))[0]
        error = match.error if match else None
        values = (
            trial.age_ms,
            trial.response_ms,
            truth and truth.size_px,
            truth and truth.inside,
            error and error.distance,
            error and error.position,
            error and math.degrees(error.yaw),
            error and math.degrees(error.tilt),
        )
        found = '' if trial.found is None else len(trial.found)
        numbers = ('' if value is None else f'{value:.5g}' for value in values)
        rows.writerow((trial.stamp_ns, found, *numbers))
    return text.getvalue()


def show(score: Score, verdicts: Sequence[Verdict], *, console: Console) -> None:
    """Print verdicts and summary."""
    for verdict in verdicts:
        word = ('passed', 'green') if verdict.passed else ('FAILED', 'red')
        console.print(Text.assemble(word, f'  {verdict.sentence}'), soft_wrap=True)
    for name, value in summary_rows(score):
        console.print(Text(f'{name}: {value}'), soft_wrap=True)

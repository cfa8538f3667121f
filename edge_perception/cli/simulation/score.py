# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception score``: compare what the node publishes with the truth of a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
import json
import math
from pathlib import Path
import time
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.machine_facts import machine_facts
from edge_perception.cli.output.machine_facts import machine_rows
from edge_perception.contract.user_files import writing
from edge_perception.simulation.nodes.processes import interruptible
from edge_perception.simulation.nodes.processes import require_ros
from edge_perception.simulation.scoring import Score
from edge_perception.simulation.scoring import Threshold
from edge_perception.simulation.scoring import ThresholdCheck
from edge_perception.testing.junit import junit_xml
from edge_perception.testing.thresholds import read_thresholds
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import say
from edge_perception.tooling.progress import PrintableConsole
from edge_perception.tooling.reports.annotated_images import AnnotatedImages
from edge_perception.tooling.reports.score_files import write_score
from edge_perception.tooling.reports.score_report import check_figures
from edge_perception.tooling.reports.score_report import check_rows
from edge_perception.tooling.reports.score_report import images_csv
from edge_perception.tooling.reports.score_report import score_figures
from edge_perception.tooling.reports.score_report import score_rows

EXAMPLES = """\b
Examples:
  edge-perception score
  edge-perception score --use-sim-time --thresholds mine.yaml --seconds 60
"""
THRESHOLDS = 'config/thresholds_landing_pad.yaml'
POLL_S = 0.1
# The last results and the last report of the node, which comes each second.
GRACE_S = 1.3
AXIS_SHARE = 0.4  # of a drawn axis, of the size of the object
# Why a pose of the truth cannot be compared.
NO_POSE = 'not finite, at distance 0 from the camera, or without an orientation'
TITLE = 'Perception against the truth'


@click.command('score', epilog=EXAMPLES)
@click.option(
    '--thresholds',
    type=click.Path(path_type=Path),
    metavar='FILE',
    help='What the figures have to be; without it, those of the landing pad.',
)
@click.option(
    '--out',
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    default=Path('build/score'),
    show_default=True,
    metavar='FOLDER',
    help='Write report, JUnit XML and figures into this folder.',
)
@click.option(
    '--seconds',
    type=click.FloatRange(min=0),
    default=0.0,
    metavar='NUMBER',
    help='End after so long; without it Ctrl-C, or the end of the images, ends it.',
)
@click.option(
    '--quiet-seconds',
    type=click.FloatRange(min=0.5),
    default=10.0,
    show_default=True,
    metavar='NUMBER',
    help='No image for so long means that the images have ended.',
)
@click.option('--camera', default='/camera', show_default=True, help='Namespace of the camera.')
@click.option('--node', default='/perception', show_default=True, help='Name of the node.')
@click.option(
    '--object-size',
    type=click.FloatRange(min=0.001),
    default=1.0,
    show_default=True,
    metavar='METERS',
    help='Longer side of the object.',
)
@click.option('--use-sim-time', is_flag=True, help='Ages by /clock, as the node measures them.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Compare what the node publishes with the truth of a simulator, image by image.

    The truth comes on /ground_truth/pose (PoseStamped, in the optical frame of the camera) or on
    /ground_truth/boxes (Detection2DArray), with the stamps of the images. Ends with status 1 when
    a threshold is not kept.
    """
    be_quiet()
    require_ros()
    from edge_perception.ros.system.shared_files import find_shared
    from edge_perception.simulation.nodes.score_watch import ScoreWatch

    for name in ('seconds', 'quiet_seconds', 'object_size'):
        if math.isnan(given[name]):  # in no range, and yet let through
            raise click.UsageError(f"--{name.replace('_', '-')}: got 'nan', expected a number")
    thresholds = read_thresholds(given['thresholds'] or find_shared(THRESHOLDS))
    with writing(given['out']):
        given['out'].mkdir(parents=True, exist_ok=True)
    watch = ScoreWatch(
        camera=given['camera'],
        node=given['node'],
        use_sim_time=given['use_sim_time'],
        object_size=given['object_size'],
    )
    images = AnnotatedImages(axis_length=AXIS_SHARE * given['object_size'])
    console = PrintableConsole()
    try:
        with interruptible():
            console.print(f'listening to {given["camera"]} and {given["node"]}')
            _listen(watch, images, seconds=given['seconds'], quiet_s=given['quiet_seconds'])
    except KeyboardInterrupt:
        note('interrupted; the report is about what has come so far')
    finally:
        watch.close()
    if not _report(watch, images, thresholds, given['out'], console):
        ctx.exit(FAILED)


def _report(
    watch: Any, images: AnnotatedImages, thresholds: Sequence[Threshold], out: Path, show: Console
) -> bool:
    """Print and write everything; tell whether all thresholds were kept."""
    if watch.no_poses:
        note(f'{watch.no_poses} poses on /ground_truth/pose were left out: {NO_POSE}')
    score = watch.score()
    checks = score.judge(thresholds)
    _show(score, checks, show)
    for check in checks:
        if not check.passed:
            say('score_failed', check.sentence)
    figures = {
        **check_figures(checks),
        **score_figures(score),
        'received': score.received,
        'dropped': dict(score.dropped),
        'machine': machine_facts(),
    }
    # After the checks were printed: a file that cannot be written must not cost them.
    write_score(
        out,
        score,
        title=TITLE,
        rows=[*check_rows(checks), *score_rows(score), *machine_rows()],
        images=images,
        texts={
            'junit.xml': junit_xml(checks, suite='edge_perception.score'),
            'score.json': json.dumps(figures, indent=2) + '\n',
            'images.csv': images_csv(score),
        },
        say=partial(show.print, highlight=False, markup=False, soft_wrap=True),
    )
    return all(check.passed for check in checks)


def _show(score: Score, checks: Sequence[ThresholdCheck], console: Console) -> None:
    for check in checks:
        word = ('passed', 'green') if check.passed else ('FAILED', 'red')
        console.print(Text.assemble(word, f'  {check.sentence}'), soft_wrap=True)
    for name, value in score_rows(score):
        console.print(Text(f'{name}: {value}'), soft_wrap=True)


def _listen(watch: Any, kept: AnnotatedImages, *, seconds: float, quiet_s: float) -> None:
    """Return when the time is over or, after the first one, no image has come for a while."""
    started = changed = time.monotonic()
    images, said = 0, False
    while not seconds or time.monotonic() < started + seconds:
        now = time.monotonic()
        if watch.images != images:
            images, changed = watch.images, now
        quiet = now > changed + quiet_s
        if quiet and images:
            break
        if quiet and not said:
            said = True
            note(f'no image on {watch.image_topic} so far; --camera takes its namespace')
        kept.collect(watch)
        time.sleep(POLL_S)
    time.sleep(GRACE_S)
    kept.collect(watch)

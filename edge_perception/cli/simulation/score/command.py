# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception score``: hold what the node publishes against the truth of a simulator."""

from __future__ import annotations

from collections.abc import Sequence
import math
from pathlib import Path
import time
from typing import Any

import click
from rich.console import Console

from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.failures import say
from edge_perception.cli.simulation.score.outputs import show
from edge_perception.cli.simulation.score.outputs import write
from edge_perception.models.atomic_files import writing
from edge_perception.simulation.nodes.processes import interruptible
from edge_perception.simulation.nodes.processes import require_ros
from edge_perception.simulation.trial_score import Score
from edge_perception.simulation.trial_score import Threshold
from edge_perception.testing.thresholds import read_thresholds
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.notes import note

EXAMPLES = """\b
Examples:
  edge-perception score
  edge-perception score --use-sim-time --thresholds mine.yaml --seconds 60
"""
THRESHOLDS = 'config/thresholds_landing_pad.yaml'
POLL_S = 0.1
# The last results and the last report of the node, which comes each second.
GRACE_S = 1.3


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
    from edge_perception.simulation.nodes.trial_watch import TrialWatch

    for name in ('seconds', 'quiet_seconds', 'object_size'):
        if math.isnan(given[name]):  # in no range, and yet let through
            raise click.UsageError(f"--{name.replace('_', '-')}: got 'nan', expected a number")
    thresholds = read_thresholds(given['thresholds'] or find_shared(THRESHOLDS))
    with writing(given['out']):
        given['out'].mkdir(parents=True, exist_ok=True)
    watch = TrialWatch(
        camera=given['camera'],
        node=given['node'],
        use_sim_time=given['use_sim_time'],
        object_size=given['object_size'],
    )
    console = Console()
    try:
        with interruptible():
            console.print(f'listening to {given["camera"]} and {given["node"]}')
            _listen(watch, seconds=given['seconds'], quiet_s=given['quiet_seconds'])
    except KeyboardInterrupt:
        note('interrupted; the report is about what has come so far')
    finally:
        watch.close()
    if not _report(watch, thresholds, out=given['out'], console=console):
        ctx.exit(FAILED)


def _report(watch: Any, thresholds: Sequence[Threshold], *, out: Path, console: Console) -> bool:
    """Print and write everything; tell whether all thresholds were kept."""
    if watch.no_poses:
        note(
            f'{watch.no_poses} poses on /ground_truth/pose were left out: not finite, in the '
            'camera itself, or without an orientation'
        )
    score = Score(watch.trials(), dropped=watch.dropped, received=watch.received)
    verdicts = score.judge(thresholds)
    show(score, verdicts, console=console)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        say('score_failed', verdict.sentence)
    # After the verdict was printed: a file that cannot be written must not cost it.
    write(out, score, verdicts, watch=watch, console=console)
    return not failed


def _listen(watch: Any, *, seconds: float, quiet_s: float) -> None:
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
        time.sleep(POLL_S)
    time.sleep(GRACE_S)

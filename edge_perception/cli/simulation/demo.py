# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception demo``: run camera and node as processes, and watch them over DDS."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
import json
import math
import os
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console

from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.live_rows import LiveRows
from edge_perception.cli.output.machine_facts import machine_facts
from edge_perception.cli.output.machine_facts import machine_rows
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract.user_files import writing
from edge_perception.models.drafting import draft_file
from edge_perception.models.finding import find_model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.simulation.nodes.processes import interruptible
from edge_perception.simulation.nodes.processes import isolate
from edge_perception.simulation.nodes.processes import require_ros
from edge_perception.simulation.scoring import Score
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.frame_sources import find_sources
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import say
from edge_perception.tooling.progress import PrintableConsole
from edge_perception.tooling.reports.annotated_images import AnnotatedImages
from edge_perception.tooling.reports.annotated_images import VIDEO_RATE
from edge_perception.tooling.reports.score_files import write_score
from edge_perception.tooling.reports.score_report import score_figures
from edge_perception.tooling.reports.score_report import score_rows

if TYPE_CHECKING:
    from edge_perception.simulation.nodes.demonstration import Demonstration

EXAMPLES = """\b
Examples:
  edge-perception demo
  edge-perception demo --model models/yolox_nano --video drive.mp4
  edge-perception demo --model yolo11n.onnx --camera 0 --seconds 60
"""
INTERRUPTED = 128 + 2  # what shells return for a command that Ctrl-C ended
RATE_WINDOW_S = 2.0  # of the live rate


@click.command('demo', epilog=EXAMPLES)
@click.option('--model', default='landing_pad', show_default=True, help='Model of the node.')
@click.option('--image', metavar='FILE', help='Show this image instead of the approach.')
@click.option('--video', metavar='FILE', help='Show this video instead, again and again.')
@click.option('--camera', metavar='NUMBER', help='Show what this camera sees instead.')
@click.option(
    '--field-of-view',
    type=click.FloatRange(min=1, max=170),
    metavar='DEGREES',
    help='Horizontal, of your image, video or camera; with it there are poses.',
)
@click.option(
    '--seconds',
    type=click.FloatRange(min=1, max=600),
    default=20.0,
    show_default=True,
    help='How long the approach takes.',
)
@click.option(
    '--out',
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    default=Path('build/demo'),
    show_default=True,
    metavar='FOLDER',
    help='Write report, image, video and numbers into this folder.',
)
@click.option(
    '--seed',
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help='Decides the way and the ground.',
)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Show a drone on its way down to a landing pad, and what the node makes of it.

    A camera, the perception node and this command are three processes that talk by ROS 2. Poses
    are compared with the truth. With --image, --video or --camera there is no truth.
    """
    be_quiet()
    for name in ('seconds', 'field_of_view'):
        if math.isnan(given[name] or 0.0):  # in no range, and yet let through
            raise click.UsageError(f"--{name.replace('_', '-')}: got 'nan', expected a number")
    source = _source(given)
    host = PluginHost()
    model = find_model(given['model'], draft=partial(draft_file, host))
    require_ros()
    with writing(given['out']):
        given['out'].mkdir(parents=True, exist_ok=True)
    from edge_perception.simulation.nodes.demonstration import DemoError
    from edge_perception.simulation.nodes.demonstration import Demonstration

    demonstration = Demonstration(
        model=given['model'],
        manifest=model.manifest,
        source=source,
        field_of_view=given['field_of_view'] or 0.0,
        seconds=given['seconds'],
        seed=given['seed'],
        out=given['out'],
        # Of what has boxes of its own; those of the pad come with poses.
        tracked=bool(source) and _boxes(host, model.manifest),
    )
    try:
        with interruptible():
            _run(demonstration, PrintableConsole())
    except DemoError as failure:
        say('demo_failed', str(failure))
        for line in failure.words:
            click.echo(f'  {line}', err=True)
        ctx.exit(FAILED)
    except KeyboardInterrupt:
        note('interrupted; camera and node have ended, no report was written')
        ctx.exit(INTERRUPTED)


def _boxes(host: PluginHost, manifest: ModelManifest) -> bool:
    """Tell whether a model gives boxes."""
    decoder = host.decoders.get(manifest.decoder)
    return decoder is not None and 'detections' in decoder.tasks


def _run(demonstration: Demonstration, console: Console) -> None:
    """
    Run it to its end, show it meanwhile, and write what it has shown.

    :raises DemoError: results did not come as they should.
    """
    manifest = demonstration.manifest
    images = AnnotatedImages(skeleton=manifest.skeleton, axis_length=_axis_length(manifest))
    screen = LiveRows(console, title=demonstration.title, seconds=demonstration.seconds)
    score, published = _follow(demonstration, images, screen)
    screen.summary(score_rows(score))
    counts = {'received': score.received, 'published': published, 'dropped': dict(score.dropped)}
    facts = {
        'model': manifest.name,
        'source': demonstration.source or 'approach',
        'seconds': demonstration.seconds,
        'seed': demonstration.seed,
        'node': counts,
        **score_figures(score),
        'machine': machine_facts(),
    }
    write_score(
        demonstration.out,
        score,
        title=demonstration.title,
        images=images,
        rows=[*score_rows(score), *machine_rows()],
        texts={'summary.json': json.dumps(facts, indent=2, ensure_ascii=False) + '\n'},
        say=partial(console.print, highlight=False, markup=False, soft_wrap=True),
    )


def _follow(
    demonstration: Demonstration, images: AnnotatedImages, screen: LiveRows
) -> tuple[Score, int]:
    """
    Start the processes, watch them to their end, and return the score and the frames published.

    :raises DemoError: results did not come as they should.
    """
    from edge_perception.simulation.nodes.score_watch import ScoreWatch

    manifest, seconds = demonstration.manifest, demonstration.seconds
    # Read by the first context of ROS of this process, and by the processes to come.
    os.environ.update(isolate(os.environ))
    with ExitStack() as stack:
        node, camera = stack.enter_context(demonstration.processes())
        watch = ScoreWatch(
            object_size=demonstration.pad_size,
            image_period_s=1 / VIDEO_RATE,
            new_node=True,
            # A model of one kind of object may have no labels; then it is called as the model.
            labels=manifest.labels if len(manifest.labels) else LabelMap((manifest.name,)),
        )
        stack.callback(watch.close)
        with screen.shown():
            for _ in demonstration.follow(watch, node, camera):
                images.collect(watch)
                if screen.due():
                    score = watch.score()
                    rows = score_rows(score, last_s=RATE_WINDOW_S)
                    screen.show(rows, elapsed_s=min(_elapsed_s(score), seconds))
        score = watch.score()
        demonstration.require_results(score, node)
        return score, watch.counted('published')


def _elapsed_s(score: Score) -> float:
    stamps = [image.stamp_ns for image in score.images]
    return (stamps[-1] - stamps[0]) / 1e9 if stamps else 0.0


def _axis_length(manifest: ModelManifest) -> float:
    """Return half of the extent of the object."""
    points = np.asarray(manifest.object_points, np.float64)
    return float(np.ptp(points, axis=0).max()) / 2 if points.size else 0.1


def _source(given: dict[str, Any]) -> str:
    """
    Return what the camera is to show; empty for the approach.

    :raises ImageError: it cannot be read.
    """
    named = {name: given[name] for name in ('image', 'video', 'camera') if given[name] is not None}
    if len(named) > 1:
        raise click.UsageError('got --' + ' and --'.join(named) + ', expected one of them')
    if not named:
        if given['field_of_view']:
            raise click.UsageError('--field-of-view only goes with --image, --video or --camera')
        return ''
    ((option, name),) = named.items()
    sources, errors = find_sources((name,))
    if errors:
        raise errors[0]
    if len(sources) != 1 or (option == 'camera') != (sources[0].file is None):
        expected = 'the number of a camera, as in --camera 0' if option == 'camera' else 'a file'
        raise click.UsageError(f'--{option}: got {name!r}, expected {expected}')
    if sources[0].file is None:
        return name if name.startswith('camera:') else f'camera:{name}'
    next(iter(sources[0].frames(every=1, limit=1)))  # says in a sentence what cannot be read
    return str(sources[0].file.expanduser().absolute())

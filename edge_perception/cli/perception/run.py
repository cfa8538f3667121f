# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception run``: the pipeline of the node without ROS."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from edge_perception.cli import arguments
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.reporters import JsonLines
from edge_perception.cli.output.reporters import Tables
from edge_perception.cli.output.verdict_tables import print_columns
from edge_perception.contract import ConfigurationError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract.loading.processor import machine_in_words
from edge_perception.models.artifact_directories import cached_entries
from edge_perception.models.artifacts import artifact_files
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import PRECISIONS
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import collect
from edge_perception.models.assembly import raise_all
from edge_perception.models.drafting import draft_file
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.finding import find_model
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.runtime.sample_range import SAMPLE_RANGES
from edge_perception.tooling import frame_sources
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.drawn_frames import plan
from edge_perception.tooling.engine_comparison import compare_engines
from edge_perception.tooling.engine_comparison import Frames
from edge_perception.tooling.frame_run import FrameRun
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import say
from edge_perception.tooling.offline import engine_for
from edge_perception.tooling.progress import loading
from edge_perception.tooling.variants import ALL
from edge_perception.tooling.variants import REFERENCE_ENGINE

# Paragraphs that begin with a backspace are not wrapped by click.
EXAMPLES = """\b
Examples:
  edge-perception run models/yolox_nano street.jpg
  edge-perception run yolo11n.onnx photos/ --out drawn --classes person
  edge-perception run yolox_nano drive.mp4 --json --every 10 > drive.jsonl
  edge-perception run yolox_nano camera:0 --limit 100 -o threads=2
  edge-perception run yolox_nano drive.mp4 --out drawn -o tracking.enabled=true
"""
SHARE = click.FloatRange(0, 1)
COUNT = click.IntRange(min=1)


@click.command('run', epilog=EXAMPLES)
@click.argument('model')
@click.argument('names', metavar='SOURCE...', nargs=-1, required=True)
@arguments.json_option
@click.option(
    '--out',
    type=arguments.NEW_FOLDER,
    metavar='FOLDER',
    help='Write drawn images and videos to FOLDER.',
)
@click.option(
    '--engine', default='',
    help='Inference engine (auto: best that can load MODEL; all: every one, side by side; '
    f'default: {REFERENCE_ENGINE}, or the one whose own format MODEL has).',
)  # fmt: skip
@click.option('--artifact', default='', metavar='FILE', help='File that the engine loads.')
@click.option('--precision', type=click.Choice(PRECISIONS), help='Precision of the artifact.')
@arguments.engine_options
@click.option('--score-threshold', type=SHARE, help='Minimum score of an object.')
@click.option('--iou-threshold', type=SHARE, help='Overlap from which boxes are one object.')
@click.option('--max-detections', type=COUNT, help='Maximum number of objects in a frame.')
@click.option('--classes', metavar='NAMES', help='Only these classes, e.g. person,car or 0,2.')
@click.option(
    '--rotate', type=click.Choice(['0', '90', '180', '270']), default='0', show_default=True,
    help='Clockwise rotation of the images in degrees, before the model sees them.',
)  # fmt: skip
@click.option(
    '--mono16-range', type=click.Choice(SAMPLE_RANGES), default='full', show_default=True,
    help='Range of 16-bit images that becomes 0 to 255, as mono16_range of the node.',
)  # fmt: skip
@click.option('--every', type=COUNT, default=1, help='Only every Nth frame of videos.')
@click.option('--limit', type=COUNT, metavar='N', help='At most N frames of each video or camera.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Show what MODEL perceives in each SOURCE.

    A SOURCE is an image, a video, a folder of both, or a camera: camera:0 or just 0. Boxes and
    points are in pixels of the source image.
    """
    frame_sources.be_quiet()
    errors: list[EdgePerceptionError] = []
    sources, unreadable = frame_sources.find_sources(
        given['names'], mono16_range=given['mono16_range']
    )
    outputs: dict[frame_sources.Source, Path] = {}
    with collect(errors):
        outputs = plan(given['out'], sources) if given['out'] else {}
    host = PluginHost()
    for plugin in host.plugins:
        if not plugin.usable:
            note(f'plugin {plugin.name} of {plugin.distribution} {plugin.reason}; {plugin.remedy}')
    model = _find(host, given)
    given['engine'] = given['engine'] or _engine(host, model)
    request = _request(host, given, errors)
    for error in unreadable:
        say(error.code, str(error))
    if given['engine'] == ALL:
        complete = _compare(host, request, sources, given, errors)
        ctx.exit(0 if complete and not unreadable else FAILED)
    with loading(request.model):
        assembled = assemble(host, request, model=model, found=errors)
    for sentence in (*assembled.passed_over, *assembled.warnings()):
        note(sentence)
    if (proven := assembled.artifact.proven) and not proven.endswith(machine_in_words()):
        note(f'artifact {assembled.artifact.path}: proven {proven}')
    if given['engine'] == AUTO:
        note(f'engine {assembled.engine} with {assembled.artifact.path.name}')
    reporter = (JsonLines if given['as_json'] else Tables)(assembled.model.manifest)
    job = FrameRun(assembled, reporter, outputs, every=given['every'], limit=given['limit'])
    try:
        complete = job.run(sources)
    finally:
        assembled.pipeline.engine.deactivate()
    ctx.exit(0 if complete and not unreadable else FAILED)


def _find(host: PluginHost, given: dict[str, Any]) -> Model | None:
    """Return the model; None where assembling it will say, with all else, why there is none."""
    with suppress(EdgePerceptionError):
        return find_model(given['model'], draft=partial(draft_file, host))
    return None


def _engine(host: PluginHost, model: Model | None) -> str:
    """Return the engine of the reference, else the one whose own format a model has."""
    reference = host.engines.get(REFERENCE_ENGINE)
    if model is None or (reference and model.source.suffix in reference.artifact_suffixes):
        return REFERENCE_ENGINE
    if any(artifact_files(model, reference, cached_entries(model)) if reference else ()):
        return REFERENCE_ENGINE  # it was built for it
    return engine_for(host, model.source, '')


def _request(
    host: PluginHost, given: dict[str, Any], errors: list[EdgePerceptionError]
) -> Request:
    options = parse_assignments(
        given['assignments'],
        {**host.engines, **host.stages},
        chosen=given['engine'],
        errors=errors,
    )
    classes = given['classes'] or ''
    return Request(
        model=given['model'],
        engine=given['engine'],
        engine_options={name: options[name] for name in options.keys() - host.stages.keys()},
        stage_options={name: options[name] for name in options.keys() & host.stages.keys()},
        # To look at an artifact before it is proven is what this command is for; it says so.
        artifact=ArtifactRequest(
            path=given['artifact'], precision=given['precision'] or '', allow_unverified=True
        ),
        rotation=int(given['rotate']),
        score_threshold=given['score_threshold'],
        iou_threshold=given['iou_threshold'],
        max_detections=given['max_detections'],
        classes=tuple(name.strip() for name in classes.split(',') if name.strip()),
    )


def _compare(
    host: PluginHost,
    request: Request,
    sources: list[frame_sources.Source],
    given: dict[str, Any],
    errors: list[EdgePerceptionError],
) -> bool:
    """
    Show the sources to every engine; return whether all could be read and any engine works.

    :raises ConfigurationError: only one engine can be shown them.
    """
    if given['out'] is not None:
        errors.append(ConfigurationError('--out', ['draws what one engine sees; name an engine']))
    if any(source.live for source in sources):
        problem = 'a camera gives no image twice; record a video, or name an engine'
        errors.append(ConfigurationError('--engine all', [problem]))
    raise_all(errors)
    frames = Frames(sources, every=given['every'], limit=given['limit'])
    columns = compare_engines(host, request, frames) if sources else []
    if given['as_json']:
        arguments.print_json([column.values() for column in columns])
    elif sources:
        print_columns(columns)
    return any(not column.trouble for column in columns) and not frames.unreadable

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception run``: the pipeline of the node without ROS."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edge_perception.cli.output.drawn_images import DrawnFrames
from edge_perception.cli.output.drawn_images import plan
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.failures import say
from edge_perception.cli.output.reporters import JsonLines
from edge_perception.cli.output.reporters import loading
from edge_perception.cli.output.reporters import progress_bar
from edge_perception.cli.output.reporters import Reporter
from edge_perception.cli.output.tables import Tables
from edge_perception.cli.perception.comparison import compare_engines
from edge_perception.cli.perception.comparison import Frames
from edge_perception.contract import ConfigurationError
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Frame
from edge_perception.contract import ImageError
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.artifacts import PRECISIONS
from edge_perception.models.assembly import assemble
from edge_perception.models.assembly import Assembled
from edge_perception.models.assembly import collect
from edge_perception.models.assembly import raise_all
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.runtime.drawing import draw
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.frame_sources import find_sources
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.notes import note
from edge_perception.tooling.progress import result_console

# Paragraphs that begin with a backspace are not wrapped by click.
EXAMPLES = """\b
Examples:
  edge-perception run models/yolox_nano street.jpg
  edge-perception run yolo11n.onnx photos/ --out drawn --classes person
  edge-perception run yolox_nano drive.mp4 --json --every 10 > drive.jsonl
  edge-perception run yolox_nano camera:0 --limit 100 -o threads=2
"""
SHARE = click.FloatRange(0, 1)
COUNT = click.IntRange(min=1)


@click.command('run', epilog=EXAMPLES)
@click.argument('model')
@click.argument('names', metavar='SOURCE...', nargs=-1, required=True)
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON object for each frame.')
@click.option(
    '--out',
    type=click.Path(file_okay=False, path_type=Path),
    metavar='FOLDER',
    help='Write drawn pictures and videos into this folder.',
)
@click.option(
    '--engine',
    default='onnxruntime',
    show_default=True,
    help='Inference engine; auto: the best that can load MODEL; all: every one, side by side.',
)
@click.option('--artifact', default='', metavar='FILE', help='File that the engine loads.')
@click.option('--precision', type=click.Choice(PRECISIONS), help='Precision of the artifact.')
@click.option(
    '-o',
    '--option',
    'assignments',
    multiple=True,
    metavar='NAME=VALUE',
    help='Option of the engine, e.g. threads=2; "edge-perception plugins" lists them.',
)
@click.option('--score-threshold', type=SHARE, help='Leave out what scores less.')
@click.option('--iou-threshold', type=SHARE, help='Overlap from which boxes are one object.')
@click.option('--max-detections', type=COUNT, help='At most so many objects in a frame.')
@click.option('--classes', metavar='NAMES', help='Only these classes, e.g. person,car or 0,2.')
@click.option(
    '--rotate',
    type=click.Choice(['0', '90', '180', '270']),
    default='0',
    show_default=True,
    help='Degrees by which images are turned clockwise before the model sees them.',
)
@click.option('--every', type=COUNT, default=1, help='Only every so many-th frame of videos.')
@click.option('--limit', type=COUNT, metavar='N', help='At most N frames of each video or camera.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Show what MODEL perceives in each SOURCE.

    A SOURCE is an image, a video, a folder of both, or a camera: camera:0 or just 0. Boxes and
    points are in pixels of the source image.
    """
    be_quiet()
    errors: list[EdgePerceptionError] = []
    sources, unreadable = find_sources(given['names'])
    outputs: dict[Source, Path] = {}
    with collect(errors):
        outputs = plan(given['out'], sources) if given['out'] else {}
    host = PluginHost()
    for plugin in host.plugins:
        if not plugin.usable:
            note(f'plugin {plugin.name} of {plugin.distribution} {plugin.reason}; {plugin.remedy}')
    request = _request(host, given, errors)
    for error in unreadable:
        say(error.code, str(error))
    if given['engine'] == 'all':
        complete = _compare(host, request, sources, given, errors)
        ctx.exit(0 if complete and not unreadable else FAILED)
    with loading(request.model):
        assembled = assemble(host, request, found=errors)
    for sentence in (*assembled.passed_over, *assembled.warnings()):
        note(sentence)
    if given['engine'] == AUTO:
        note(f'engine {assembled.engine} with {assembled.artifact.path.name}')
    reporter: Reporter = Tables(result_console(), assembled.model.manifest)
    if given['as_json']:
        reporter = JsonLines(assembled.model.manifest)
    job = _Job(assembled, reporter, outputs, every=given['every'], limit=given['limit'])
    try:
        complete = job.run(sources)
    finally:
        assembled.pipeline.engine.deactivate()
    ctx.exit(0 if complete and not unreadable else FAILED)


def _request(
    host: PluginHost, given: dict[str, Any], errors: list[EdgePerceptionError]
) -> Request:
    options = parse_assignments(
        given['assignments'], host.engines, chosen=given['engine'], errors=errors
    )
    classes = given['classes'] or ''
    return Request(
        model=given['model'],
        engine=given['engine'],
        engine_options=options,
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
    sources: list[Source],
    given: dict[str, Any],
    errors: list[EdgePerceptionError],
) -> bool:
    """
    Show the sources to every engine, and return whether all could be read and any engine could.

    :raises ConfigurationError: only one engine can be shown them.
    """
    if given['out'] is not None:
        errors.append(ConfigurationError('--out', ['draws what one engine sees; name an engine']))
    if any(source.live for source in sources):
        problem = 'a camera never gives the same picture twice; record a video, or name an engine'
        errors.append(ConfigurationError('--engine all', [problem]))
    raise_all(errors)
    frames = Frames(sources, every=given['every'], limit=given['limit'])
    able = bool(sources) and compare_engines(host, request, frames, as_json=given['as_json'])
    return able and not frames.unreadable


@dataclass(frozen=True)
class _Job:
    """Every frame of every source through the pipeline, to the reporter and into pictures."""

    assembled: Assembled
    reporter: Reporter
    outputs: dict[Source, Path]
    every: int
    limit: int | None

    def run(self, sources: list[Source]) -> bool:
        """Process all sources; say which cannot be read, and return whether all could."""
        complete = True
        with progress_bar(self.reporter.bar_console, total=self._count(sources)) as advance:
            for source in sources:
                with ExitStack() as stack:
                    pictures = None
                    if source in self.outputs:
                        pictures = DrawnFrames(self.outputs[source], source, every=self.every)
                        stack.enter_context(pictures.finishing())
                    complete &= self._process(source, pictures, advance)
                self.reporter.end_source(source)
        self.reporter.finish()
        return complete

    def _process(
        self, source: Source, pictures: DrawnFrames | None, advance: Callable[[], object]
    ) -> bool:
        """Process one source as far as it can be read, and return whether all of it could."""
        frames = source.frames(every=self.every, limit=self.limit)
        try:
            for index, frame in frames:
                self._process_frame(source, index, frame, pictures)
                advance()
        except ImageError as error:
            say(error.code, str(error))
            return False
        except KeyboardInterrupt:
            if not source.live:
                raise
        if source.missing:
            note(
                f'{source.name}: its header promises {source.missing} more frames than can be '
                'read; it may be damaged'
            )
        return True

    def _process_frame(
        self, source: Source, index: int, frame: Frame, pictures: DrawnFrames | None
    ) -> None:
        manifest = self.assembled.model.manifest
        result = self.assembled.pipeline.process(frame, selection=self.assembled.selection)
        self.reporter.add(result, source=source, index=index)
        if pictures is not None:
            perception, skeleton = result.perception, manifest.skeleton
            pictures.add(draw(frame, perception, labels=manifest.labels, skeleton=skeleton))

    def _count(self, sources: list[Source]) -> int | None:
        """Return how many frames to expect, None when nobody knows."""
        total = 0
        for source in sources:
            with suppress(ImageError):  # it is said when the source has its turn
                count = source.count(every=self.every, limit=self.limit)
                if count is None:
                    return None
                total += count
        return total

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception build``: from a model to an artifact that has been proven."""

from __future__ import annotations

import os
import shlex
from typing import Any

import click

from edge_perception.cli import arguments
from edge_perception.cli.output.failures import REJECTED
from edge_perception.cli.output.how_to_load import say_how_to_load
from edge_perception.cli.output.verdict_tables import print_verdict
from edge_perception.contract import Builder
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import parse_options
from edge_perception.models.artifacts import PRECISIONS
from edge_perception.models.assembly import collect
from edge_perception.models.assembly import raise_all
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.building.artifact_build import BuildRequest
from edge_perception.tooling.building.calibration_images import find_calibration
from edge_perception.tooling.building.gated_build import BuildResult
from edge_perception.tooling.building.gated_build import choose_builder
from edge_perception.tooling.building.gated_build import GatedBuild
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.frame_sources import Source
from edge_perception.tooling.notes import note
from edge_perception.tooling.notes import tell
from edge_perception.tooling.offline import gate_images
from edge_perception.tooling.offline import offline_model

EXAMPLES = """\b
Examples:
  edge-perception build models/yolox_nano --target openvino --images photos
  edge-perception build models/nanodet --target onnxruntime --precision int8 \\
      --calibration drives --images photos

Exit status: 0 built and proven, 1 an engine failed while it was compared, 2 wrong usage or
configuration, or it could not be built, 3 built and rejected.
"""


@click.command('build', epilog=EXAMPLES)
@click.argument('model')
@click.option('--target', required=True, help='Target to build for ("plugins" lists them).')
@click.option('--precision', type=click.Choice(PRECISIONS), default='fp32', show_default=True,
              help='Precision of the artifact.')  # fmt: skip
@click.option(
    '--calibration', type=arguments.FILE, multiple=True, metavar='FOLDER',
    help='Images or videos of what the camera will see, for int8; not those of the gate.',
)  # fmt: skip
@arguments.images_option
@arguments.manifest_option
@click.option(
    '--output', type=arguments.NEW_FOLDER, metavar='FOLDER',
    help='Copy the artifact and its proof there as well, e.g. artifacts/ of the model.',
)  # fmt: skip
@click.option('-o', '--option', 'assignments', multiple=True, metavar='NAME=VALUE',
              help='Option of the target.')  # fmt: skip
@click.option('--full-int8', is_flag=True, help='Quantize the head and every layer, for int8.')
@click.option('--fold-preprocessing', is_flag=True,
              help='Put normalization, order of colors and layout into the artifact, which then '
                   'takes uint8 (targets onnxruntime and openvino).')  # fmt: skip
@click.option('--rebuild', is_flag=True, help='Build again what is in the cache.')
@click.option('--keep-rejected', is_flag=True,
              help='Keep a rejected artifact, marked so that nothing loads it.')  # fmt: skip
@arguments.gate_report_option
@arguments.json_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Simplify MODEL, quantize it if asked to, convert it, compare it with its reference, store it.

    Only what passes the gate gets into the cache, from where the node takes it.
    """
    be_quiet()
    _check_usage(given)
    host = PluginHost()
    builder = choose_builder(host, given['target'])
    model = offline_model(host, given['model'], given['manifest'])
    request, sources = _request(model, builder, given)
    job = GatedBuild(
        host, request, sources=sources, report=given['report'], command=_again(given, model)
    )
    done = job.run(rebuild=given['rebuild'], keep_rejected=given['keep_rejected'])
    if given['output'] and done.artifact is not None and done.passed:
        done = done.copied(given['output'])
    if given['as_json']:
        arguments.print_json(done.values())
    else:
        _print(done)
        if done.passed and done.artifact is not None:
            for variant in job.candidates(done.artifact):
                say_how_to_load(host, variant, images=given['images'], manifest=given['manifest'])
    ctx.exit(0 if done.passed else REJECTED)


def _check_usage(given: dict[str, Any]) -> None:
    for name in ('calibration', 'full_int8'):
        if given[name] and given['precision'] != 'int8':
            raise click.UsageError(
                f'--{name.replace("_", "-")} is for int8: got --precision {given["precision"]}, '
                'expected --precision int8'
            )


def _request(
    model: Model, builder: Builder, given: dict[str, Any]
) -> tuple[BuildRequest, list[Source]]:
    """
    Return what is to be built and the images for the gate.

    :raises EdgePerceptionError: with all that is missing, not only the first.
    """
    errors: list[EdgePerceptionError] = []
    request = None
    sources: list[Source] = []
    with collect(errors):
        name = builder.name
        values = parse_assignments(given['assignments'], {name: builder}, chosen=name)
        request = BuildRequest(
            model=model,
            builder=builder,
            precision=given['precision'],
            calibration=find_calibration(given['calibration']) if given['calibration'] else None,
            options=parse_options(
                builder.options_type, values.get(name, {}), owner=f'target {name!r}'
            ),
            full_int8=given['full_int8'],
            fold_preprocessing=given['fold_preprocessing'],
        )
    with collect(errors):
        sources = gate_images(model, given['images'])
    raise_all(errors)
    assert request is not None
    return request, sources


def _again(given: dict[str, Any], model: Model) -> str:
    """Return the command that builds the same, from wherever it is typed."""
    words = ['edge-perception', 'build', os.path.abspath(model.place)]
    words += ['--target', given['target'], '--precision', given['precision']]
    for name in ('calibration', 'images', 'manifest', 'output'):
        values = given[name] if isinstance(given[name], tuple) else (given[name],)
        for value in filter(None, values):
            words += [f'--{name}', os.path.abspath(os.path.expanduser(value))]
    for assignment in given['assignments']:
        words += ['--option', assignment]
    flags = [name for name in ('full_int8', 'fold_preprocessing') if given[name]]
    return shlex.join([*words, *(f'--{name.replace("_", "-")}' for name in flags)])


def _print(done: BuildResult) -> None:
    for each in done.notes:
        note(each)
    for verdict in done.verdicts.values():
        print_verdict(verdict)
    if done.passed:
        tell(f'artifact: {done.artifact}')
    for report in done.reports:
        tell(f'report: {report}' if done.passed else f'rejected, see {report}')

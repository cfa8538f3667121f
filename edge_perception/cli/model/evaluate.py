# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception evaluate``: average precision, engine by engine, side by side."""

from __future__ import annotations

from typing import Any

import click

from edge_perception.cli import arguments
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.verdict_tables import print_measurements
from edge_perception.contract import EdgePerceptionError
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.gate import average_precision
from edge_perception.tooling.gate.coco_annotations import Dataset
from edge_perception.tooling.gate.coco_annotations import read_dataset
from edge_perception.tooling.offline import offline_model
from edge_perception.tooling.progress import counted
from edge_perception.tooling.progress import result_console
from edge_perception.tooling.progress import Step
from edge_perception.tooling.progress import steps
from edge_perception.tooling.variants import load
from edge_perception.tooling.variants import told
from edge_perception.tooling.variants import VariantFigures
from edge_perception.tooling.variants import variants

EXAMPLES = """\b
Examples:
  edge-perception evaluate models/yolox_nano --dataset instances.json --images val
  edge-perception evaluate models/yolox_nano --dataset instances.json --images val --engine litert
"""


@click.command('evaluate', epilog=EXAMPLES)
@click.argument('model')
@click.option('--dataset', required=True, type=arguments.FILE, metavar='COCO.json',
              help='Annotations in the format of COCO, with boxes or with keypoints.')  # fmt: skip
@click.option(
    '--images',
    required=True,
    type=arguments.FILE,
    metavar='FOLDER',
    help='Folder of the annotated images.',
)
@arguments.variant_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Measure the average precision of MODEL on every engine and in every precision."""
    be_quiet()
    host = PluginHost()
    dataset = read_dataset(given['dataset'], given['images'])
    model = offline_model(host, given['model'], given['manifest'])
    engine, files = given['engine'], given['artifacts']
    options = parse_assignments(given['assignments'], host.engines, chosen=engine)
    found = variants(host, model, engine, files=files, options=options)
    rows = [VariantFigures(each) for each in found]
    with steps() as step:
        for row in rows:
            _fill(host, row, dataset, step)
    if given['as_json']:
        arguments.print_json([row.values() for row in rows])
    else:
        print_measurements(rows, {name: (name, '.4f') for name in average_precision.FIGURES})
        kind = 'keypoints (OKS)' if dataset.kind == 'keypoints' else 'boxes'
        result_console().print(f'{len(dataset.images)} images, {kind}', highlight=False)
    ctx.exit(0 if any(row.figures for row in rows) else FAILED)


def _fill(host: PluginHost, row: VariantFigures, dataset: Dataset, step: Step) -> None:
    name = f'{row.variant.engine} {row.variant.shown}'
    advance = counted(step, name, of=len(dataset.images), then='average precision')
    try:
        step(f'loading {name}', None)
        with load(host, row.variant) as assembled:
            row.figures = average_precision.evaluate(assembled, dataset, advance=advance)
    except EdgePerceptionError as error:
        row.trouble = told(error)

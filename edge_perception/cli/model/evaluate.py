# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception evaluate``: average precision, engine by engine, side by side."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.tables import new_table
from edge_perception.contract import EdgePerceptionError
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.assignments import require_assignments
from edge_perception.tooling.frame_sources import be_quiet
from edge_perception.tooling.gate.average_precision import Dataset
from edge_perception.tooling.gate.average_precision import evaluate
from edge_perception.tooling.gate.average_precision import FIGURES
from edge_perception.tooling.gate.average_precision import read_dataset
from edge_perception.tooling.offline import offline_model
from edge_perception.tooling.progress import counted
from edge_perception.tooling.progress import result_console
from edge_perception.tooling.progress import Step
from edge_perception.tooling.progress import steps
from edge_perception.tooling.variants import load
from edge_perception.tooling.variants import Variant
from edge_perception.tooling.variants import variants

EXAMPLES = """\b
Examples:
  edge-perception evaluate models/yolox_nano --dataset instances.json --images val
  edge-perception evaluate models/yolox_nano --dataset instances.json --images val --engine litert
"""


@dataclass
class Row:
    """What one engine makes of the labeled pictures with one artifact."""

    variant: Variant
    figures: dict[str, float] | None = None
    trouble: str = ''


@click.command('evaluate', epilog=EXAMPLES)
@click.argument('model')
@click.option(
    '--dataset', required=True, type=click.Path(path_type=Path), metavar='COCO.json',
    help='Annotations in the format of COCO, with boxes or with keypoints.',
)  # fmt: skip
@click.option(
    '--images', required=True, type=click.Path(path_type=Path), metavar='FOLDER',
    help='Where the pictures of the annotations lie.',
)  # fmt: skip
@click.option(
    '--engine', default='all', show_default=True, help='Engine, or all that can load MODEL.'
)
@click.option('--artifact', 'artifacts', multiple=True, metavar='FILE',
              type=click.Path(path_type=Path),
              help='Files to look at; else all that are proven.')  # fmt: skip
@click.option('-o', '--option', 'assignments', multiple=True, metavar='NAME=VALUE',
              help='Option of the engine, e.g. device=GPU; with all engines: ENGINE.NAME=VALUE.',
              )  # fmt: skip
@click.option('--manifest', type=click.Path(path_type=Path), metavar='FILE',
              help='Manifest of a bare ONNX file.')  # fmt: skip
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON list.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Measure how well MODEL finds what is labeled, on every engine and in every precision."""
    be_quiet()
    host = PluginHost()
    dataset = read_dataset(given['dataset'], given['images'])
    model = offline_model(host, given['model'], given['manifest'])
    engine, files = given['engine'], given['artifacts']
    options = require_assignments(given['assignments'], host.engines, chosen=engine)
    rows = [Row(each) for each in variants(host, model, engine, files=files, options=options)]
    with steps() as step:
        for row in rows:
            _fill(host, row, dataset, step)
    if given['as_json']:
        click.echo(json.dumps([_values(row) for row in rows], indent=2))
    else:
        _print(rows, dataset)
    ctx.exit(0 if any(row.figures for row in rows) else FAILED)


def _fill(host: PluginHost, row: Row, dataset: Dataset, step: Step) -> None:
    name = f'{row.variant.engine} {row.variant.shown}'
    advance = counted(step, name, of=len(dataset.pictures), then='average precision')
    try:
        step(f'loading {name}', None)
        with load(host, row.variant) as assembled:
            row.figures = evaluate(assembled, dataset, advance=advance)
    except EdgePerceptionError as error:
        row.trouble = ' '.join(sentence for _, sentence in error.sentences())


def _values(row: Row) -> dict[str, Any]:
    return {
        'engine': row.variant.engine,
        'artifact': row.variant.path.name,
        'path': str(row.variant.path),
        'precision': row.variant.precision,
        **(row.figures or {}),
        'trouble': row.trouble,
    }


def _print(rows: list[Row], dataset: Dataset) -> None:
    table = new_table('engine', 'artifact', 'precision', *FIGURES)
    for row in rows:
        figures = row.figures or {}
        cells = [f'{figures[name]:.4f}' if figures else '' for name in FIGURES]
        names = (row.variant.engine, row.variant.shown, row.variant.precision)
        table.add_row(*map(Text, names), *cells)
    console = result_console()
    console.print(table)
    for row in rows:
        if row.trouble:
            console.print(Text(f'{row.variant.engine}: {row.trouble}'), soft_wrap=True)
    kind = 'keypoints (OKS)' if dataset.kind == 'keypoints' else 'boxes'
    console.print(f'{len(dataset.pictures)} pictures, {kind}', highlight=False)

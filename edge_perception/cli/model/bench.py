# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception bench``: how fast each engine computes a model, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
from typing import Any

import click
from click.core import ParameterSource
from rich.text import Text

from edge_perception.cli.model.bench_node import bench_node
from edge_perception.cli.model.bench_node import NodeBench
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.tables import new_table
from edge_perception.contract import dump_manifest
from edge_perception.contract import option_specs
from edge_perception.models.atomic_files import replacing
from edge_perception.models.atomic_files import writing
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.assignments import require_assignments
from edge_perception.tooling.benchmark.engine_benchmark import EngineTimes
from edge_perception.tooling.benchmark.engine_benchmark import figures
from edge_perception.tooling.benchmark.engine_benchmark import plot
from edge_perception.tooling.notes import note
from edge_perception.tooling.offline import offline_model
from edge_perception.tooling.progress import result_console
from edge_perception.tooling.progress import steps
from edge_perception.tooling.reports.page import page
from edge_perception.tooling.reports.plots import NO_PLOTS
from edge_perception.tooling.variants import ALL
from edge_perception.tooling.variants import Variant
from edge_perception.tooling.variants import variants

EXAMPLES = """\b
Examples:
  edge-perception bench models/yolox_nano --engine all
  edge-perception bench models/yolox_nano --engine onnxruntime --threads 1,2 --report bench.html
  edge-perception bench models/yolox_nano --node --rates 10,30
"""
# What says something about the engine alone, and about the node.
OF_THE_ENGINE = ('artifacts', 'manifest', 'threads', 'frames', 'report')
OF_THE_NODE = ('rates', 'seconds', 'size', 'compressed', 'budget_ms')
CHILD = (sys.executable, '-m', 'edge_perception.tooling.benchmark.benchmark_child')


@dataclass
class Row:
    """One variant with one number of threads."""

    variant: Variant
    threads: int
    figures: dict[str, float] = field(default_factory=dict)
    device: str = ''
    trouble: str = ''

    def values(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            'label': f'{self.variant.engine} {self.variant.shown}',
            'engine': self.variant.engine,
            'artifact': self.variant.path.name,
            'path': str(self.variant.path),
            'precision': self.variant.precision,
            'bytes': self.variant.path.stat().st_size,
            'threads': self.threads,
            'device': self.device,
            'trouble': self.trouble,
            **self.figures,
        }


@click.command('bench', epilog=EXAMPLES)
@click.argument('model')
@click.option(
    '--engine',
    default='all',
    show_default=True,
    help='Engine, or all that can load MODEL; with --node the default is auto.',
)
@click.option('--artifact', 'artifacts', multiple=True, metavar='FILE',
              type=click.Path(path_type=Path),
              help='Files to look at; else all that are proven.')  # fmt: skip
@click.option('-o', '--option', 'assignments', multiple=True, metavar='NAME=VALUE',
              help='Option of the engine, e.g. device=GPU; with all engines: ENGINE.NAME=VALUE.',
              )  # fmt: skip
@click.option('--manifest', type=click.Path(path_type=Path), metavar='FILE',
              help='Manifest of a bare ONNX file.')  # fmt: skip
@click.option('--threads', default='', metavar='N,N',
              help='Numbers of threads to try; else 1 to the number of cores, doubled each time.',
              )  # fmt: skip
@click.option('--frames', type=click.IntRange(min=2), default=100, show_default=True,
              help='Frames that are counted.')  # fmt: skip
@click.option('--report', type=click.Path(dir_okay=False, path_type=Path), metavar='FILE',
              help='Write an HTML report with plots.')  # fmt: skip
@click.option('--node', is_flag=True, help='Measure the node, with a camera in another process.')
@click.option('--rates', default='10,30,60', show_default=True, metavar='HZ,HZ',
              help='With --node: rates of the camera, beside the peak.')  # fmt: skip
@click.option('--seconds', type=click.FloatRange(min=1), default=5.0, show_default=True,
              help='With --node: how long each rate is shown.')  # fmt: skip
@click.option('--size', default='640x480', show_default=True, metavar='WxH',
              help='With --node: size of the images.')  # fmt: skip
@click.option('--compressed', is_flag=True, help='With --node: JPEG instead of raw images.')
@click.option('--budget-ms', type=click.FloatRange(min=0), default=500.0, show_default=True,
              help='With --node: how old a result may be.')  # fmt: skip
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON object.')
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Measure how long each engine takes for a frame of MODEL, in every precision, alone.

    The engine only: preprocessing and decoding are the same for all. Every run has a process of
    its own, and frames that warm it up are not counted.
    """
    _refuse_what_does_not_count(ctx, node=given['node'])
    host = PluginHost()
    model = offline_model(host, given['model'], given['manifest'])
    if given['node']:
        request = _node_bench(host, given)
        ctx.exit(0 if bench_node(host, model, request, as_json=given['as_json']) else FAILED)
    rows = _rows(host, model, given)
    with steps() as step:
        for index, row in enumerate(rows):

            def advance(share: float, before: int = index) -> None:
                step('measuring', (before + share) / len(rows))

            advance(0.0)
            _run(row, given['frames'], advance)
    if given['as_json']:
        click.echo(json.dumps({**_machine(), 'runs': [row.values() for row in rows]}, indent=2))
    else:
        _print(rows)
    # After they were printed: a report that cannot be written must not cost the figures.
    if given['report']:
        _write_report(given['report'], rows, model.manifest.name)
    ctx.exit(0 if any(row.figures for row in rows) else FAILED)


def _refuse_what_does_not_count(ctx: click.Context, *, node: bool) -> None:
    names = OF_THE_ENGINE if node else OF_THE_NODE
    wrong = [
        each.opts[0]
        for each in ctx.command.params
        if each.name in names
        and ctx.get_parameter_source(each.name) is not ParameterSource.DEFAULT
    ]
    if wrong and node:
        raise click.UsageError(f'{", ".join(wrong)}: about the engine alone, expected no --node')
    if wrong:
        raise click.UsageError(f'{", ".join(wrong)}: about the node, expected --node as well')
    given = ctx.get_parameter_source('engine') is not ParameterSource.DEFAULT
    if node and given and ctx.params['engine'] == ALL:
        raise click.UsageError("--engine: got 'all', a node has one; expected its name, or auto")


def _rows(host: PluginHost, model: Model, given: dict[str, Any]) -> list[Row]:
    engine = given['engine']
    options = require_assignments(given['assignments'], host.engines, chosen=engine)
    if any('threads' in values for values in options.values()):
        raise click.UsageError('-o threads: has an option of its own, expected --threads N')
    counts = _thread_counts(given['threads'])
    return [
        Row(_threaded(variant, host, count), count)
        for variant in variants(host, model, engine, files=given['artifacts'], options=options)
        for count in counts
        if count == counts[0] or _has_threads(host, variant)
    ]


def _node_bench(host: PluginHost, given: dict[str, Any]) -> NodeBench:
    width, cross, height = given['size'].partition('x')
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) * int(height)):
        raise click.BadParameter(f'--size: got {given["size"]!r}, expected e.g. 640x480')
    rates = [part.strip() for part in given['rates'].split(',') if part.strip()]
    if not all(part.replace('.', '', 1).isdecimal() and float(part) > 0 for part in rates):
        raise click.BadParameter(f'--rates: got {given["rates"]!r}, expected e.g. 10,30')
    engine = AUTO if given['engine'] == ALL else given['engine']
    return NodeBench(
        engine=engine,
        options=require_assignments(given['assignments'], host.engines, chosen=engine),
        rates_hz=tuple(map(float, rates)),
        seconds=given['seconds'],
        width=int(width),
        height=int(height),
        compressed=given['compressed'],
        budget_ms=given['budget_ms'],
    )


def _thread_counts(text: str) -> list[int]:
    if not text:
        cores = os.cpu_count() or 1
        return [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= cores]
    parts = [part.strip() for part in text.split(',')]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f'got {text!r}, expected numbers such as 1,2')
    return [int(part) for part in parts]


def _has_threads(host: PluginHost, variant: Variant) -> bool:
    specs = option_specs(host.engines[variant.engine].options_type)
    return any(spec.name == 'threads' for spec in specs)


def _threaded(variant: Variant, host: PluginHost, count: int) -> Variant:
    return variant.with_options({'threads': count}) if _has_threads(host, variant) else variant


def _run(row: Row, frames: int, advance: Callable[[float], object]) -> None:
    """Let a process of its own fill a row; ``advance`` takes the share that is behind us."""
    model = row.variant.model
    order = {
        'manifest': dump_manifest(model.manifest),
        'folder': str(model.folder.absolute()),
        'source': str(model.source.absolute()),
        'engine': row.variant.engine,
        'path': str(row.variant.path.absolute()),
        'precision': row.variant.precision,
        'options': row.variant.options,
        'frames': frames,
    }
    answer: dict[str, Any] = {}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        CHILD, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps(order))
            child.stdin.close()
            for line in child.stdout:
                answer = json.loads(line)
                advance(answer.get('done', frames) / frames)
        except BaseException:
            child.kill()
            raise
    if child.returncode or 'done' in answer or not answer:
        row.trouble = f'its process ended with {child.returncode}'
        return
    row.trouble = answer.pop('trouble', '')
    if not row.trouble:
        row.device = answer.pop('device')
        row.figures = figures(EngineTimes(**answer))


def _machine() -> dict[str, Any]:
    return {
        'host': {
            'machine': platform.machine(),
            'cores': os.cpu_count(),
            'system': platform.platform(),
            'python': platform.python_version(),
        }
    }


def _print(rows: list[Row]) -> None:
    table = new_table('engine', 'artifact', 'precision', 'threads', 'p50 ms', 'p95 ms', 'p99 ms',
                      'jitter ms', 'CPU %', 'RSS MB')  # fmt: skip
    names = (
        'P50_LATENCY',
        'P95_LATENCY',
        'P99_LATENCY',
        'BasicPerformanceMetrics.MEAN_JITTER',
        'ResourceMetrics.MEAN_OVERALL_CPU_UTILIZATION',
        'RSS_MB',
    )
    for row in rows:
        digits = (2, 2, 2, 2, 0, 0)
        cells = [f'{row.figures[name]:.{n}f}' for name, n in zip(names, digits) if row.figures]
        first = (row.variant.engine, row.variant.shown, row.variant.precision)
        table.add_row(*map(Text, first), str(row.threads), *cells)
    console = result_console()
    console.print(table)
    for row in rows:
        if row.trouble:
            console.print(Text(f'{row.variant.engine}: {row.trouble}'), soft_wrap=True)


def _write_report(path: Path, rows: list[Row], name: str) -> None:
    values = [row.values() for row in rows if row.figures]
    host = _machine()['host']
    notes = [f'{row.variant.engine}: {row.trouble}' for row in rows if row.trouble]
    plots: dict[str, str] = {}
    try:
        plots = plot(values)
    except ModuleNotFoundError:
        note(NO_PLOTS)
        notes.append(NO_PLOTS)
    text = page(
        title=f'{name} on the engines of this machine',
        rows=[(key, str(value)) for key, value in host.items()],
        plots=plots,
        notes=notes,
    )
    with replacing(path) as temporary, writing(path):
        temporary.write_text(text, encoding='utf-8')

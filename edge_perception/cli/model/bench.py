# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``edge-perception bench``: how fast each engine computes a model, and what it takes."""

from __future__ import annotations

from dataclasses import replace
import os
import re
from typing import Any

import click
from click.core import ParameterSource

from edge_perception.cli import arguments
from edge_perception.cli.model.bench_node import bench_node
from edge_perception.cli.model.bench_node import NodeBench
from edge_perception.cli.output.failures import FAILED
from edge_perception.cli.output.machine_facts import machine_facts
from edge_perception.cli.output.machine_facts import machine_rows
from edge_perception.cli.output.verdict_tables import print_measurements
from edge_perception.contract import option_specs
from edge_perception.contract.user_files import write_whole
from edge_perception.contract.user_files import writing
from edge_perception.models.engine_choice import AUTO
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.assignments import parse_assignments
from edge_perception.tooling.benchmark.benchmark_child import run
from edge_perception.tooling.benchmark.engine_benchmark import report
from edge_perception.tooling.offline import offline_model
from edge_perception.tooling.progress import steps
from edge_perception.tooling.variants import ALL
from edge_perception.tooling.variants import VariantFigures
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
# Name and format of each figure, by heading.
COLUMNS = {
    'threads': ('threads', ''),
    'p50 ms': ('P50_LATENCY', '.2f'),
    'p95 ms': ('P95_LATENCY', '.2f'),
    'p99 ms': ('P99_LATENCY', '.2f'),
    'jitter ms': ('BasicPerformanceMetrics.MEAN_JITTER', '.2f'),
    'CPU %': ('ResourceMetrics.MEAN_OVERALL_CPU_UTILIZATION', '.0f'),
    'RSS MB': ('RSS_MB', '.0f'),
}


@click.command('bench', epilog=EXAMPLES)
@click.argument('model')
@arguments.variant_options
@click.option('--threads', default='', metavar='N,N',
              help='Numbers of threads to try (default: 1, 2, 4, ... up to the number of cores).',
              )  # fmt: skip
@click.option('--frames', type=click.IntRange(min=2), default=100, show_default=True,
              help='Number of measured frames, after the warm-up.')  # fmt: skip
@click.option('--report', type=arguments.NEW_FILE, metavar='FILE',
              help='Write an HTML report with plots.')  # fmt: skip
@click.option('--node', is_flag=True, help='Measure the node (default engine: auto).')
@click.option('--rates', default='10,30,60', show_default=True, metavar='HZ,HZ',
              help='With --node: camera rates in Hz, besides the peak.')  # fmt: skip
@click.option('--seconds', type=click.FloatRange(min=1), default=5.0, show_default=True,
              help='With --node: duration of each rate in s.')  # fmt: skip
@click.option('--size', default='640x480', show_default=True, metavar='WxH',
              help='With --node: image size in pixels.')  # fmt: skip
@click.option('--compressed', is_flag=True, help='With --node: JPEG instead of raw images.')
@click.option('--budget-ms', type=click.FloatRange(min=0), default=500.0, show_default=True,
              help='With --node: maximum result age in ms (0 = no limit).')  # fmt: skip
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """
    Measure the inference time of MODEL on each engine, in every precision.

    Preprocessing and decoding are not measured. Each run has a process of its own.
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
            run(row, given['frames'], advance)
    if given['as_json']:
        arguments.print_json({'host': machine_facts(), 'runs': [row.values() for row in rows]})
    else:
        print_measurements(rows, COLUMNS)
    # After they were printed: a report that cannot be written must not cost the figures.
    if given['report']:
        with writing(given['report']):
            text = report(rows, model=model.manifest.name, machine=machine_rows())
            write_whole(given['report'], text)
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


def _rows(host: PluginHost, model: Model, given: dict[str, Any]) -> list[VariantFigures]:
    engine = given['engine']
    options = parse_assignments(given['assignments'], host.engines, chosen=engine)
    if any('threads' in values for values in options.values()):
        raise click.UsageError('-o threads: has an option of its own, expected --threads N')
    counts = _thread_counts(given['threads'])
    rows = []
    for variant in variants(host, model, engine, files=given['artifacts'], options=options):
        specs = option_specs(host.engines[variant.engine].options_type)
        threaded = any(spec.name == 'threads' for spec in specs)
        facts = {
            'label': f'{variant.engine} {variant.shown}',
            'bytes': variant.path.stat().st_size,
            'device': '',
        }
        for count in counts if threaded else counts[:1]:
            with_threads = {'threads': count} if threaded else {}
            chosen = replace(variant, options={**variant.options, **with_threads})
            rows.append(VariantFigures(chosen, facts={**facts, 'threads': count}))
    return rows


def _node_bench(host: PluginHost, given: dict[str, Any]) -> NodeBench:
    size = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', given['size'])
    if size is None:
        raise click.BadParameter(f'--size: got {given["size"]!r}, expected e.g. 640x480')
    rates = [part.strip() for part in given['rates'].split(',') if part.strip()]
    if not all(part.replace('.', '', 1).isdecimal() and float(part) > 0 for part in rates):
        raise click.BadParameter(f'--rates: got {given["rates"]!r}, expected e.g. 10,30')
    engine = AUTO if given['engine'] == ALL else given['engine']
    return NodeBench(
        engine=engine,
        options=parse_assignments(given['assignments'], host.engines, chosen=engine),
        rates_hz=tuple(map(float, rates)),
        width=int(size[1]),
        height=int(size[2]),
        **{name: given[name] for name in ('seconds', 'compressed', 'budget_ms')},
    )


def _thread_counts(text: str) -> list[int]:
    if not text:
        cores = os.cpu_count() or 1
        return [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= cores]
    parts = [part.strip() for part in text.split(',')]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f'got {text!r}, expected numbers such as 1,2')
    return [int(part) for part in parts]

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Benchmark one engine in a process of its own, so that memory and threads are those of one engine.

``run`` is the parent's side, ``main`` the child's. The child reads what to run as JSON from
standard input. It writes lines of JSON to standard output: how many frames are done now and then,
and in the end what came out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Any

from edge_perception.contract import dump_manifest
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import parse_manifest
from edge_perception.contract.loading.load_trial import ending
from edge_perception.contract.loading.load_trial import last_line
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.benchmark.engine_benchmark import EngineTimes
from edge_perception.tooling.benchmark.engine_benchmark import figures
from edge_perception.tooling.benchmark.engine_benchmark import measure
from edge_perception.tooling.child_process import child_environment
from edge_perception.tooling.child_process import module_command
from edge_perception.tooling.variants import load
from edge_perception.tooling.variants import told
from edge_perception.tooling.variants import Variant
from edge_perception.tooling.variants import VariantFigures

CHILD = module_command('edge_perception.tooling.benchmark.benchmark_child')


def run(row: VariantFigures, frames: int, advance: Callable[[float], object]) -> None:
    """
    Let a process of its own fill in figures, device or trouble.

    :param frames: to count; those that warm the engine up are run besides.
    :param advance: takes the share of the frames that is done.
    """
    model = row.variant.model
    order = {
        'manifest': dump_manifest(model.manifest),
        'folder': str(model.folder.absolute()),
        'source': str(model.source.absolute()),
        'engine': row.variant.engine,
        'path': str(row.variant.path.absolute()),
        'precision': row.variant.precision,
        'options': dict(row.variant.options),
        'frames': frames,
    }
    answer: dict[str, Any] = {}
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            CHILD, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=child_environment()
        ) as child,
    ):
        assert child.stdin is not None and child.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it died before; how is said below
                child.stdin.write(json.dumps(order))
                child.stdin.close()
            for line in child.stdout:
                answer = json.loads(line)
                advance(answer.get('done', frames) / frames)
        except BaseException:
            child.kill()
            raise
        status = child.wait()
        errors.seek(0)
        said = last_line(errors.read())
    if status or 'done' in answer or not answer:
        row.trouble = f'its process ended with {ending(status)}: {said}'
        return
    row.trouble = answer.pop('trouble', '')
    if not row.trouble:
        row.facts['device'] = answer.pop('device')
        row.figures = figures(EngineTimes(**answer))


def main() -> None:
    """Run once."""
    # What vendor libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    order = json.load(sys.stdin)
    folder = Path(order['folder'])
    manifest = parse_manifest(order['manifest'], folder=folder, subject=order['engine'])
    model = Model(folder=folder, manifest=manifest, source=Path(order['source']))
    path, precision, options = Path(order['path']), order['precision'], order['options']
    answer: dict[str, Any]
    try:
        with load(
            PluginHost(), Variant(model, order['engine'], path, precision, options)
        ) as assembled:
            measured = measure(
                assembled.pipeline.engine,
                frames=order['frames'],
                advance=lambda done: print(json.dumps({'done': done}), file=answers, flush=True),
            )
            answer = {**asdict(measured), 'device': assembled.pipeline.engine.device}
    except EdgePerceptionError as error:
        answer = {'trouble': told(error)}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == '__main__':
    main()

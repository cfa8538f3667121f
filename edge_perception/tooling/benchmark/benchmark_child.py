# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
One run of bench in a process of its own, so that memory and threads are those of one engine.

Reads what to run as JSON from standard input. Writes lines of JSON to standard output: how many
frames are done now and then, and in the end what came out.
"""

from __future__ import annotations

from dataclasses import asdict
import json
import os
from pathlib import Path
import sys

from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import parse_manifest
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.tooling.benchmark.engine_benchmark import measure
from edge_perception.tooling.variants import load
from edge_perception.tooling.variants import Variant


def main() -> None:
    """Run once."""
    # What vendor libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    order = json.load(sys.stdin)
    folder = Path(order['folder'])
    manifest = parse_manifest(order['manifest'], folder=folder, subject=order['engine'])
    model = Model(folder=folder, manifest=manifest, source=Path(order['source']))
    variant = Variant(
        model, order['engine'], Path(order['path']), order['precision'], order['options']
    )
    try:
        with load(PluginHost(), variant) as assembled:
            measured = measure(
                assembled.pipeline.engine,
                frames=order['frames'],
                advance=lambda done: print(json.dumps({'done': done}), file=answers, flush=True),
            )
            answer = {**asdict(measured), 'device': assembled.pipeline.engine.device}
    except EdgePerceptionError as error:
        answer = {'trouble': ' '.join(sentence for _, sentence in error.sentences())}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == '__main__':
    main()

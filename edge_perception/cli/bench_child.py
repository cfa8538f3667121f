# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
One run of bench in a process of its own, so that memory and threads are those of one engine.

Reads what to run as JSON from standard input, and writes what came out as the last line of
standard output.
"""

from __future__ import annotations

from dataclasses import asdict
import json
from pathlib import Path
import sys

from edge_perception.cli.variants import load
from edge_perception.cli.variants import Variant
from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import parse_manifest
from edge_perception.core.models import Model
from edge_perception.core.plugin_host import PluginHost
from edge_perception.tooling.engine_bench import measure


def main() -> None:
    """Run once."""
    order = json.load(sys.stdin)
    folder = Path(order['folder'])
    manifest = parse_manifest(order['manifest'], folder=folder, subject=order['engine'])
    model = Model(folder=folder, manifest=manifest, source=Path(order['source']))
    variant = Variant(
        model, order['engine'], Path(order['path']), order['precision'], order['options']
    )
    try:
        with load(PluginHost(), variant) as assembled:
            measured = measure(assembled.pipeline.engine, frames=order['frames'])
            answer = {**asdict(measured), 'device': assembled.pipeline.engine.device}
    except EdgePerceptionError as error:
        answer = {'trouble': ' '.join(sentence for _, sentence in error.sentences())}
    print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()

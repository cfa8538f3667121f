# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare a model with its preprocessing folded into the artifact with the plain one, in turns.

Both are alive in one process and get the same images, frame by frame in turns. As a process:
``python -m tools.benchmark.folding MODEL ENGINE IMAGES``.
"""

from __future__ import annotations

import json
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

import numpy as np

from edge_perception.contract import EdgePerceptionError
from edge_perception.contract import Frame
from edge_perception.models.artifacts import ArtifactRequest
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.tooling.building.folding import fold_preprocessing
from edge_perception.tooling.building.simplify import simplify
from edge_perception.tooling.offline import offline_model
from tools.benchmark.subjects import THREADS

ENGINES = ('onnxruntime', 'openvino')
WARM_UP, FRAMES = 20, 300


def main() -> int:
    """Print the figures of a model and an engine in JSON."""
    try:
        print(json.dumps(measure(*sys.argv[1:])))
    except EdgePerceptionError as error:
        print(error)
        return 1
    return 0


def measure(model: str, engine: str, images: str) -> dict[str, float]:
    """
    Return the medians of preprocessing, and of it with the network, in ms, and their ratios.

    :raises EdgePerceptionError: the engine cannot run the model here.
    """
    host = PluginHost()
    found = offline_model(host, model, None)
    frames = [Frame(image) for image in np.load(images)]
    with TemporaryDirectory() as workspace:
        plain, twin = (Path(workspace) / name for name in ('plain.onnx', 'twin.onnx'))
        for path in (plain, twin):
            simplify(found.source, path, found.manifest)
        paths = {'plain': plain, 'folded': fold_preprocessing(twin, found.manifest.input)}
        assembled = {
            name: assemble(
                host,
                Request(
                    model=model,
                    engine=engine,
                    engine_options={engine: {'threads': THREADS}},
                    artifact=ArtifactRequest(str(path), unjudged=True),
                ),
            )
            for name, path in paths.items()
        }
    times: dict[str, list[tuple[int, int]]] = {name: [] for name in assembled}
    for number in range(WARM_UP + FRAMES):
        # Who comes second finds warmer caches, so they swap places.
        for name in sorted(assembled, reverse=bool(number % 2)):
            each = assembled[name]
            frame = frames[number % len(frames)]
            stages = each.pipeline.process(frame, selection=each.selection).times
            if number >= WARM_UP:
                times[name].append((stages['preprocess'], stages['infer']))
    figures: dict[str, float] = {}
    for stage, width in (('preprocess', 1), ('preprocess_and_infer', 2)):
        ms = {
            name: float(np.median([sum(each[:width]) for each in values])) / 1e6
            for name, values in times.items()
        }
        figures |= {f'{stage}_ms': ms['plain'], f'folded_{stage}_ms': ms['folded']}
        figures[f'folded_{stage}_ratio'] = ms['folded'] / ms['plain']
    for each in assembled.values():
        each.pipeline.engine.deactivate()
    return figures


if __name__ == '__main__':
    sys.exit(main())

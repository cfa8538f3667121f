# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare preprocessing inside of the artifact with that before it, frame by frame in turns.

As a process: ``python -m tools.benchmark.folded_loops MODEL ENGINE IMAGES``.
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
    Return medians of preprocessing, alone and with the network, in milliseconds, and ratios.

    :raises EdgePerceptionError: the engine cannot run the model here.
    """
    host, frames = PluginHost(), [Frame(image) for image in np.load(images)]
    found = offline_model(host, model, None)
    assembled = {}
    with TemporaryDirectory() as workspace:
        for name in ('plain', 'folded'):
            path = Path(workspace) / f'{name}.onnx'
            simplify(found.source, path, found.manifest)
            if name == 'folded':
                path = fold_preprocessing(path, found.manifest.input)
            artifact = ArtifactRequest(str(path), unjudged=True)
            options = {engine: {'threads': THREADS}}
            request = Request(model, engine, engine_options=options, artifact=artifact)
            assembled[name] = assemble(host, request)
    times: dict[str, list[tuple[int, int]]] = {name: [] for name in assembled}
    for number in range(WARM_UP + FRAMES):
        # Who comes second finds warmer caches, so they swap places.
        for name in sorted(assembled, reverse=bool(number % 2)):
            pipeline, selection = assembled[name].pipeline, assembled[name].selection
            taken = pipeline.process(frames[number % len(frames)], selection=selection).times
            times[name].append((taken['preprocess'], taken['preprocess'] + taken['infer']))
    medians = {name: np.median(each[WARM_UP:], axis=0) / 1e6 for name, each in times.items()}
    figures: dict[str, float] = {}
    for index, stage in enumerate(('preprocess', 'preprocess_and_infer')):
        plain, folded = (float(medians[name][index]) for name in ('plain', 'folded'))
        figures |= {f'{stage}_ms': plain, f'folded_{stage}_ms': folded}
        figures[f'folded_{stage}_ratio'] = folded / plain
    for each in assembled.values():
        each.pipeline.engine.deactivate()
    return figures


if __name__ == '__main__':
    sys.exit(main())

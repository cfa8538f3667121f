# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Models that give the same outputs for every picture, for those who compare and judge them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Calibration
from edge_perception.contract import Frame
from edge_perception.contract import InputRecipe
from edge_perception.contract import LabelMap
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Selection
from edge_perception.models.artifacts import Artifact
from edge_perception.models.assembly import Assembled
from edge_perception.models.finding import Model
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.stages import make_stage
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor
from edge_perception.testing import FakeEngine
from edge_perception.tooling.gate.comparison import Gate
from edge_perception.tooling.gate.comparison import GateVerdict
from edge_perception.tooling.gate.gate_limits import limits_for

WIDTH, HEIGHT = 96, 64
CELLS = 126  # at strides 8, 16 and 32
FRAME = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def manifest_of(decoder: str, *labels: str, **values: Any) -> ModelManifest:
    recipe = InputRecipe(width=WIDTH, height=HEIGHT, resize='stretch')
    return ModelManifest(
        name='net',
        source='net.onnx',
        input=recipe,
        decoder=decoder,
        labels=LabelMap(labels),
        **values,
    )


def giving(
    manifest: ModelManifest, selection: Selection | None = None, **outputs: np.ndarray
) -> Assembled:
    """Return a model that gives these outputs, active."""
    engine = FakeEngine(manifest, outputs=outputs)
    engine.activate()
    host = PluginHost()
    kind = host.decoders[manifest.decoder]
    stages = [make_stage(each, manifest, {}) for each in host.stages.values()]
    options = parse_options(kind.options_type, manifest.decoder_options, owner='decoder')
    pipeline = Pipeline(
        engine,
        decoder=kind(manifest, outputs=engine.outputs, options=options),
        preprocessor=Preprocessor(manifest.input, spec=engine.inputs[0]),
        input_name=engine.inputs[0].name,
        stages=[stage for stage in stages if stage is not None],
        suppliers={'calibration': Calibration.guessed},
    )
    return Assembled(
        model=Model(Path(), manifest, Path(manifest.source)),
        engine='fake',
        artifact=Artifact(Path(manifest.source), 'fp32'),
        pipeline=pipeline,
        selection=selection or Selection(),
    )


def judged(reference: Assembled, candidate: Assembled, *, precision: str = 'int8') -> GateVerdict:
    """Return what the gate says after one picture."""
    limits = limits_for(reference.model.manifest, precision)
    gate = Gate(reference, candidate, precision=precision, limits=limits)
    gate.add('picture', FRAME)
    return gate.verdict()


def cells(*objects: tuple[int, tuple[float, ...]], numbers: int) -> np.ndarray:
    """Return raw outputs, (1, numbers, CELLS): zeros but for each object's cell."""
    output = np.zeros((1, numbers, CELLS), np.float32)
    for cell, values in objects:
        output[0, :, cell] = values
    return output

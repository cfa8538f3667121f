# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Real networks, through engine, preprocessing and decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edge_perception.contract import check_input
from edge_perception.contract import Decoder
from edge_perception.contract import Frame
from edge_perception.contract import load_manifest
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from edge_perception.decoders import DECODERS
from edge_perception.models.assembly import assemble
from edge_perception.models.plugin_host import PluginHost
from edge_perception.models.request import Request
from edge_perception.runtime.pipeline import Pipeline
from edge_perception.runtime.preprocessing import Preprocessor

# That load the ONNX file of a model as it is and compute in float32.
ONNX_ENGINES = ('onnxruntime', 'openvino')


def make_decoder(manifest: ModelManifest, *outputs: TensorSpec) -> Decoder:
    """Make the decoder that a manifest asks for."""
    kind = {decoder.name: decoder for decoder in DECODERS}[manifest.decoder]
    options = parse_options(kind.options_type, manifest.decoder_options, owner=manifest.decoder)
    return kind(manifest, outputs=outputs, options=options)


class Network:
    """
    A model folder that can be asked what it sees in an image, put together as the node does it.

    :param engine: its name.
    :param size: width and height that replace those of the manifest.
    """

    def __init__(
        self,
        folder: Path,
        *,
        engine: str = 'onnxruntime',
        rotation: int = 0,
        size: tuple[int, int] | None = None,
    ) -> None:
        if size is not None:
            path = folder / 'model.yaml'
            manifest = yaml.safe_load(path.read_text())
            manifest['input'].update(width=size[0], height=size[1])
            path.write_text(yaml.safe_dump(manifest))
        request = Request(model=str(folder), engine=engine, rotation=rotation)
        self._assembled = assemble(PluginHost(), request)
        self.manifest = self._assembled.model.manifest
        self.engine = self._assembled.pipeline.engine
        self.decoder = self._assembled.pipeline.decoder

    def perceive(self, image: np.ndarray, selection: Selection | None = None) -> Perception:
        """Tell what is in an image (BGR)."""
        return self._assembled.pipeline.process(
            Frame(image), selection=selection or self.manifest.selection
        ).perception


class LiteNetwork:
    """
    The same for TFLite files, through the engine, the pipeline and everything between them.

    :param options: of the engine.
    """

    def __init__(self, folder: Path, *, rotation: int = 0, **options: Any) -> None:
        self.manifest = load_manifest(folder / 'model.yaml')
        kind = PluginHost().engines['litert']
        self.engine = kind.create(
            self.manifest, folder / self.manifest.source, kind.options_type(**options)
        )
        image = check_input(self.manifest, self.engine.inputs)
        self._pipeline = Pipeline(
            self.engine,
            decoder=make_decoder(self.manifest, *(spec.real() for spec in self.engine.outputs)),
            preprocessor=Preprocessor(self.manifest.input, spec=image, rotation=rotation),
            input_name=image.name,
        )
        self.engine.activate()

    def perceive(self, image: np.ndarray, selection: Selection | None = None) -> Perception:
        """Tell what is in an image (BGR)."""
        chosen = selection or self.manifest.selection
        return self._pipeline.process(Frame(image), selection=chosen).perception

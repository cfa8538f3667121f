# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A real network between the preprocessing and a decoder, without the rest of the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Decoder
from edge_perception.contract import Frame
from edge_perception.contract import load_manifest
from edge_perception.contract import ModelManifest
from edge_perception.contract import parse_options
from edge_perception.contract import Perception
from edge_perception.contract import Selection
from edge_perception.contract import TensorSpec
from edge_perception.core.preprocessing import Preprocessor
from edge_perception.decoders import DECODERS

DTYPES = {
    'tensor(float)': np.dtype(np.float32),
    'tensor(uint8)': np.dtype(np.uint8),
    'tensor(int64)': np.dtype(np.int64),
}


def make_decoder(manifest: ModelManifest, *outputs: TensorSpec) -> Decoder:
    """Make the decoder that a manifest asks for."""
    kind = {decoder.name: decoder for decoder in DECODERS}[manifest.decoder]
    options = parse_options(kind.options_type, manifest.decoder_options, owner=manifest.decoder)
    return kind(manifest, outputs=outputs, options=options)


class Network:
    """
    A model folder that can be asked what it sees in an image.

    :param size: width and height that replace those of the manifest.
    """

    def __init__(
        self, folder: Path, *, rotation: int = 0, size: tuple[int, int] | None = None
    ) -> None:
        self.manifest = load_manifest(folder / 'model.yaml')
        if size is not None:
            recipe = replace(self.manifest.input, width=size[0], height=size[1])
            self.manifest = replace(self.manifest, input=recipe)
        inputs, outputs = self._open(folder / self.manifest.source)
        wanted = self.manifest.input.name
        self._input = next(spec for spec in inputs if wanted in ('', spec.name))
        self.preprocessor = Preprocessor(self.manifest.input, spec=self._input, rotation=rotation)
        self.decoder = make_decoder(self.manifest, *outputs)

    def perceive(self, image: np.ndarray, selection: Selection | None = None) -> Perception:
        """Tell what is in an image (BGR)."""
        buffer = np.empty(self.manifest.input.shape, self.manifest.input.dtype)
        transform = self.preprocessor(Frame(image), buffer)
        return self.decoder.decode(
            self._infer(buffer),
            transform=transform,
            selection=selection or self.manifest.selection,
        )

    def _open(self, source: Path) -> tuple[list[TensorSpec], list[TensorSpec]]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(source), options, providers=['CPUExecutionProvider']
        )
        sides = (self._session.get_inputs(), self._session.get_outputs())
        inputs, outputs = ([_spec(each) for each in side] for side in sides)
        self._outputs = [spec.name for spec in outputs]
        return inputs, outputs

    def _infer(self, buffer: np.ndarray) -> Mapping[str, np.ndarray]:
        results = self._session.run(self._outputs, {self._input.name: buffer})
        return dict(zip(self._outputs, results))


class LiteNetwork(Network):
    """The same for TFLite files."""

    def _open(self, source: Path) -> tuple[list[TensorSpec], list[TensorSpec]]:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(source))
        self._interpreter.allocate_tensors()
        (details,) = self._interpreter.get_input_details()
        self._index = details['index']
        self._outputs = self._interpreter.get_output_details()
        return [_lite_spec(details)], [_lite_spec(each) for each in self._outputs]

    def _infer(self, buffer: np.ndarray) -> Mapping[str, np.ndarray]:
        self._interpreter.set_tensor(self._index, buffer)
        self._interpreter.invoke()
        return {
            each['name']: self._interpreter.get_tensor(each['index']) for each in self._outputs
        }


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return TensorSpec(node.name, shape, DTYPES[node.type])


def _lite_spec(details: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(
        details['name'], tuple(map(int, details['shape'])), np.dtype(details['dtype'])
    )

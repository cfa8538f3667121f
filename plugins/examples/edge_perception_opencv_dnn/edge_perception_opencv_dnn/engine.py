# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import Availability
from edge_perception.contract import Capabilities
from edge_perception.contract import check_input
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import in_words
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception_opencv_dnn.library import devices
from edge_perception_opencv_dnn.library import ENGINE
from edge_perception_opencv_dnn.library import load_libraries
from edge_perception_opencv_dnn.library import open_network
from edge_perception_opencv_dnn.library import read_specs
from edge_perception_opencv_dnn.options import OpenCvOptions


class OpenCvEngineType(EngineType):
    """ONNX files on the dnn module of OpenCV."""

    name = ENGINE
    artifact_suffixes = ('.onnx',)
    options_type = OpenCvOptions
    # OpenCV has inputs and outputs in float32 only.
    capabilities = Capabilities(precisions=('fp32',))

    def precision(self, options: Options) -> str:
        """Return fp16 where the device computes in it."""
        assert isinstance(options, OpenCvOptions)
        return 'fp16' if options.device.endswith('fp16') else 'fp32'

    def probe(self) -> Availability:
        """Tell whether OpenCV and onnx are here, and what this OpenCV can compute on."""
        try:
            cv2, _ = load_libraries()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        return Availability(
            available=True, runtime=f'opencv {cv2.__version__}', devices=devices(cv2)
        )

    def describe(self, artifact: Path) -> ModelDescription:
        """Read tensors; OpenCV is not asked."""
        inputs, outputs = read_specs(artifact)
        return ModelDescription(inputs=inputs, outputs=outputs)

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load a model with one input and outputs in float32."""
        assert isinstance(options, OpenCvOptions)
        inputs, outputs = read_specs(artifact)
        image = check_input(manifest, inputs)
        for spec in (*inputs, *outputs):
            if spec.dtype != np.float32 or (spec in inputs and len(inputs) > 1):
                raise ArtifactError(
                    artifact,
                    reason=f'has the tensor {spec.name!r} ({spec.describe()}), expected one image '
                    'and outputs, all in float32',
                    remedy='use the engine onnxruntime for it',
                )
        network = open_network(artifact, options.device)
        return OpenCvEngine(artifact, options, network=network, image=image, outputs=outputs)


class OpenCvEngine(Engine):
    """
    One model of OpenCV.

    :param network: loaded already; used by the first activation.
    """

    def __init__(
        self,
        artifact: Path,
        options: OpenCvOptions,
        *,
        network: Any,
        image: TensorSpec,
        outputs: tuple[TensorSpec, ...],
    ) -> None:
        super().__init__(inputs=(image,), outputs=outputs, device=options.device)
        self._artifact = artifact
        self._options = options
        self._network = network

    def _activate(self) -> None:
        if self._network is None:
            self._network = open_network(self._artifact, self._options.device)

    def _deactivate(self) -> None:
        self._network = None

    def _infer(self, tensors: Tensors) -> Tensors:
        cv2, _ = load_libraries()
        (image,) = self.inputs
        names = [spec.name for spec in self.outputs]
        try:
            self._network.setInput(np.ascontiguousarray(tensors[image.name]), image.name)
            results = self._network.forward(names)
        except cv2.error as error:
            raise InferenceError(f'{self._artifact}: opencv failed: {in_words(error)}') from error
        return dict(zip(names, results))

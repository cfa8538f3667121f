# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_perception.contract import Availability
from edge_perception.contract import Capabilities
from edge_perception.contract import check_input
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception_myengine.library import load_library
from edge_perception_myengine.library import open_network
from edge_perception_myengine.library import tensor_specs
from edge_perception_myengine.options import MyEngineOptions


class MyEngineType(EngineType):
    """What is registered: cheap, without state."""

    name = 'myengine'
    artifact_suffixes = ('.onnx',)
    options_type = MyEngineOptions
    capabilities = Capabilities(precisions=('fp32',), dynamic_shapes=False)

    def probe(self) -> Availability:
        """Tell whether the runtime is here; opens no model and no device."""
        try:
            library = load_library()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        runtime = f'onnxruntime {library.__version__}'
        return Availability(available=True, runtime=runtime, devices=('cpu',))

    def describe(self, artifact: Path) -> ModelDescription:
        """Read what the file says of itself."""
        network = open_network(artifact, threads=1)
        return ModelDescription(
            inputs=tensor_specs(network.get_inputs()),
            outputs=tensor_specs(network.get_outputs()),
            metadata=dict(network.get_modelmeta().custom_metadata_map),
        )

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load the file and compare its input with the manifest."""
        assert isinstance(options, MyEngineOptions)
        network = open_network(artifact, threads=options.threads)
        image = check_input(manifest, tensor_specs(network.get_inputs()))
        outputs = tensor_specs(network.get_outputs())
        return MyEngine(artifact, options, network=network, image=image, outputs=outputs)


class MyEngine(Engine):
    """
    One model.

    :param network: loaded already; used by the first activation.
    """

    def __init__(
        self,
        artifact: Path,
        options: MyEngineOptions,
        *,
        network: Any,
        image: TensorSpec,
        outputs: tuple[TensorSpec, ...],
    ) -> None:
        # Where the file has an open batch and your runtime computes several frames in one call:
        # batches=(1, 2, 4).
        super().__init__(inputs=(image,), outputs=outputs, device='cpu')
        self._artifact = artifact
        self._options = options
        self._network = network

    def _activate(self) -> None:
        """Take memory and devices."""
        if self._network is None:
            self._network = open_network(self._artifact, threads=self._options.threads)

    def _infer(self, tensors: Tensors) -> Tensors:
        """
        Run once; names, shapes and dtypes of the inputs were checked.

        The arrays are those of ``input_buffers``, or others that the host has filled meanwhile:
        read them where they are if your runtime can.
        """
        names = [spec.name for spec in self.outputs]
        return dict(zip(names, self._network.run(names, dict(tensors))))

    def _deactivate(self) -> None:
        """Give everything back; also called when ``_activate`` failed half-way."""
        self._network = None

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Capabilities
from edge_perception.contract import check_only_input
from edge_perception.contract import Engine
from edge_perception.contract import EngineType
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import InferenceError
from edge_perception.contract import ModelDescription
from edge_perception.contract import ModelManifest
from edge_perception.contract import Options
from edge_perception.contract import Tensor
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception_onnxruntime.errors import one_line
from edge_perception_onnxruntime.inference_session import device_of
from edge_perception_onnxruntime.inference_session import open_session
from edge_perception_onnxruntime.inference_session import tensor_specs
from edge_perception_onnxruntime.library import ENGINE
from edge_perception_onnxruntime.library import load_library
from edge_perception_onnxruntime.library import providers
from edge_perception_onnxruntime.library import runtime_version
from edge_perception_onnxruntime.options import OnnxRuntimeOptions
from edge_perception_onnxruntime.providers import precision


class OnnxRuntimeEngineType(EngineType):
    """ONNX files on ONNX Runtime; on the CPU in float32 it is the reference for all others."""

    name = ENGINE
    auto_rank = 30
    artifact_suffixes = ('.onnx', '.ort')
    options_type = OnnxRuntimeOptions
    capabilities = Capabilities(
        precisions=('fp32', 'fp16', 'int8'), dynamic_shapes=True, metadata=True
    )

    def precision(self, options: Options) -> str:
        """Return fp16 where the provider computes in it, else fp32."""
        assert isinstance(options, OnnxRuntimeOptions)
        return precision(options)

    def probe(self) -> Availability:
        """Tell whether ONNX Runtime is here, and which providers it has."""
        try:
            library = load_library()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        return Availability(
            available=True, runtime=runtime_version(library), devices=tuple(providers(library))
        )

    def describe(self, artifact: Path) -> ModelDescription:
        """Read tensors and metadata; the graph is not optimized, which is what takes the time."""
        session = open_session(artifact, OnnxRuntimeOptions(threads=1, graph_level='disable'))
        return ModelDescription(
            inputs=tensor_specs(artifact, session.get_inputs(), {}),
            outputs=tensor_specs(artifact, session.get_outputs(), {}),
            metadata=dict(session.get_modelmeta().custom_metadata_map),
        )

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load a model; where its input is open, it becomes that of the manifest."""
        assert isinstance(options, OnnxRuntimeOptions)
        session = open_session(artifact, options, manifest.input.shape)
        inputs = tensor_specs(artifact, session.get_inputs(), {})
        image = check_only_input(manifest, inputs, artifact=artifact)
        # Only the batch: exporters also write the height of the image at outputs that are smaller.
        batch = session.get_inputs()[0].shape[0]
        sizes = {batch: 1} if isinstance(batch, str) else {}
        return OnnxRuntimeEngine(
            artifact,
            options=options,
            session=session,
            inputs=(image,),
            outputs=tensor_specs(artifact, session.get_outputs(), sizes),
            device=device_of(session, options),
        )


class OnnxRuntimeEngine(Engine):
    """
    One session with its own input and output memory.

    :param session: made from the artifact with these options; used by the first activation.
    """

    def __init__(
        self,
        artifact: Path,
        *,
        options: OnnxRuntimeOptions,
        session: Any,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        device: str,
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, device=device)
        self._artifact = artifact
        self._options = options
        self._session = session
        self._binding: Any = None
        self._buffers: dict[str, Tensor] = {}
        self._input_values: dict[str, Any] = {}
        self._fixed_outputs: dict[str, Tensor] = {}
        self._open_outputs: dict[str, int] = {}

    def _activate(self) -> None:
        library = load_library()
        if self._session is None:
            self._session = open_session(self._artifact, self._options, self.inputs[0].shape)
        self._binding = self._session.io_binding()
        for spec in self.inputs:
            self._buffers[spec.name] = np.zeros(spec.shape, spec.dtype)
            # Shares the memory of the array.
            value = library.OrtValue.ortvalue_from_numpy(self._buffers[spec.name])
            self._input_values[spec.name] = value
        for index, spec in enumerate(self.outputs):
            # An output of unknown rank looks like a scalar, so scalars are left open as well.
            if spec.shape and min(spec.shape) > 0:
                array = np.empty(spec.shape, spec.dtype)
                self._fixed_outputs[spec.name] = array
                value = library.OrtValue.ortvalue_from_numpy(array)
                self._binding.bind_ortvalue_output(spec.name, value)
            else:
                self._open_outputs[spec.name] = index
                self._binding.bind_output(spec.name)

    def _deactivate(self) -> None:
        self._binding = None  # before the session that it belongs to
        self._session = None
        for memory in (self._input_values, self._buffers, self._fixed_outputs, self._open_outputs):
            memory.clear()

    def _input_buffers(self) -> Mapping[str, Tensor]:
        return self._buffers

    def _infer(self, tensors: Tensors) -> Tensors:
        for name, buffer in self._buffers.items():
            if tensors[name] is not buffer:
                np.copyto(buffer, tensors[name])
            # For each frame: binding is what copies the input to a GPU.
            self._binding.bind_ortvalue_input(name, self._input_values[name])
        for name in self._open_outputs:
            # For each frame: the memory of the last one would be taken, whatever its size.
            self._binding.bind_output(name)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise InferenceError(
                f'{self._artifact}: onnxruntime failed: {one_line(error)}'
            ) from error
        if not self._open_outputs:
            return self._fixed_outputs
        values = self._binding.get_outputs()
        opened = {name: values[index].numpy() for name, index in self._open_outputs.items()}
        return {**self._fixed_outputs, **opened}

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_perception.contract import Availability
from edge_perception.contract import Capabilities
from edge_perception.contract import check_inputs
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

# Of models whose first dimension is open; larger ones would take memory for nothing.
BATCHES = tuple(range(1, 17))


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
        image, fed = check_inputs(manifest, inputs, artifact=artifact)
        # Only the batch: exporters also write the height of the image at outputs that are smaller.
        batch = next(node.shape[0] for node in session.get_inputs() if node.name == image.name)
        sizes = {batch: 1} if isinstance(batch, str) else {}
        outputs = tensor_specs(artifact, session.get_outputs(), sizes)
        in_rows = all(node.shape[:1] == [batch] for node in session.get_outputs())
        return OnnxRuntimeEngine(
            artifact,
            options=options,
            session=session,
            inputs=(image,),
            fed=fed,
            outputs=outputs,
            device=device_of(session, options),
            batches=BATCHES if sizes and in_rows and fixed(outputs) and not fed else (1,),
        )


class OnnxRuntimeEngine(Engine):
    """
    One session with its own output memory, which reads its inputs where they are.

    :param session: made from the artifact with these options; used by the first activation.
    :param fed: what inputs beside the image get with each frame, by name.
    """

    def __init__(
        self,
        artifact: Path,
        *,
        options: OnnxRuntimeOptions,
        session: Any,
        inputs: tuple[TensorSpec, ...],
        fed: Mapping[str, Tensor],
        outputs: tuple[TensorSpec, ...],
        device: str,
        batches: tuple[int, ...],
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, device=device, batches=batches)
        self._artifact = artifact
        self._options = options
        self._fed = fed
        self._session = session
        self._library: Any = None
        # By the number of frames; memory of a size is taken when it comes for the first time.
        self._bindings: dict[int, tuple[Any, dict[str, Tensor]]] = {}
        self._open_outputs: dict[str, int] = {}

    def _activate(self) -> None:
        self._library = load_library()
        if self._session is None:
            self._session = open_session(self._artifact, self._options, self.inputs[0].shape)
        for index, spec in enumerate(self.outputs):
            if not fixed([spec]):
                self._open_outputs[spec.name] = index
        self._bindings[1] = self._bind(1)

    def _bind(self, frames: int) -> tuple[Any, dict[str, Tensor]]:
        """Return a binding for so many frames, and the memory of the outputs that it has."""
        binding, memory = self._session.io_binding(), {}
        for name, values in self._fed.items():
            # Once: neither the array nor its values change.
            binding.bind_ortvalue_input(name, self._library.OrtValue.ortvalue_from_numpy(values))
        for spec in self.outputs:
            if spec.name in self._open_outputs:
                binding.bind_output(spec.name)
            else:
                shape = spec.shape if frames == 1 else spec.rows(frames).shape
                memory[spec.name] = np.empty(shape, spec.dtype)
                value = self._library.OrtValue.ortvalue_from_numpy(memory[spec.name])
                binding.bind_ortvalue_output(spec.name, value)
        return binding, memory

    def _deactivate(self) -> None:
        self._bindings.clear()  # before the session that they belong to
        self._open_outputs.clear()
        self._session = None

    def _infer(self, tensors: Tensors) -> Tensors:
        frames = len(tensors[self.inputs[0].name]) if self.batches != (1,) else 1
        if frames not in self._bindings:
            self._bindings[frames] = self._bind(frames)
        binding, memory = self._bindings[frames]
        for spec in self.inputs:
            # For each frame: binding is what copies the input to a GPU. On the CPU the array is
            # read where it is.
            array = np.ascontiguousarray(tensors[spec.name])
            value = self._library.OrtValue.ortvalue_from_numpy(array)
            binding.bind_ortvalue_input(spec.name, value)
        for name in self._open_outputs:
            # For each frame: the memory of the last one would be taken, whatever its size.
            binding.bind_output(name)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            raise InferenceError(
                f'{self._artifact}: onnxruntime failed: {one_line(error)}'
            ) from error
        if not self._open_outputs:
            return memory
        values = binding.get_outputs()
        opened = {name: values[index].numpy() for name, index in self._open_outputs.items()}
        return {**memory, **opened}


def fixed(outputs: Sequence[TensorSpec]) -> bool:
    """Tell whether the shapes of outputs are known before."""
    # An output of unknown rank looks like a scalar, so scalars are left open as well.
    return all(spec.shape and min(spec.shape) > 0 for spec in outputs)

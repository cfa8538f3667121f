# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
import sys
from typing import TYPE_CHECKING

import numpy as np

from edge_perception.contract import ArtifactError
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
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import Tensors
from edge_perception.contract import TensorSpec
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import ENGINE
from edge_perception_tensorrt.cuda import load_driver
from edge_perception_tensorrt.device import device_key
from edge_perception_tensorrt.errors import cuda_failed
from edge_perception_tensorrt.errors import out_of_memory
from edge_perception_tensorrt.library import load_library
from edge_perception_tensorrt.library import logged_errors
from edge_perception_tensorrt.loaded_plan import forget_frames
from edge_perception_tensorrt.loaded_plan import open_session
from edge_perception_tensorrt.loaded_plan import PlanSession
from edge_perception_tensorrt.loaded_plan import tensor_specs
from edge_perception_tensorrt.options import TensorRtOptions
from edge_perception_tensorrt.plan import read_plan
from edge_perception_tensorrt.tensors import FixedTensor
from edge_perception_tensorrt.tensors import make_allocator
from edge_perception_tensorrt.tensors import OpenTensor

if TYPE_CHECKING:
    import tensorrt as trt


class TensorRtEngineType(EngineType):
    """Plans of TensorRT 8.5 to 11, on the GPU and the TensorRT that they were built for."""

    name = ENGINE
    auto_rank = 10
    artifact_suffixes = ('.engine', '.plan')
    options_type = TensorRtOptions
    capabilities = Capabilities(precisions=('fp32', 'fp16', 'int8'), dynamic_shapes=True)

    def device_key(self, options: Options) -> str:
        """Return GPU, compute capability, driver and TensorRT version."""
        assert isinstance(options, TensorRtOptions)
        return device_key(options.device)

    def probe(self) -> Availability:
        """Tell whether TensorRT, a CUDA binding and a GPU are here; DLAs are not looked for."""
        try:
            version = load_library()
            driver = load_driver()
            count = driver.count()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        except CudaError as error:
            return Availability(
                available=False, reason=str(error), remedy='start the machine again'
            )
        return Availability(
            available=True,
            runtime=f'TensorRT {version} with {driver.name}',
            devices=tuple(f'gpu:{index}' for index in range(count)),
        )

    def describe(self, artifact: Path) -> ModelDescription:
        """Read tensors and metadata; loads the plan onto the first GPU for this."""
        session = open_session(artifact, TensorRtOptions().device)
        try:
            with session.gpu.current():
                inputs, outputs = tensor_specs(artifact, session.engine)
        except BaseException as error:
            session.close(error)
            raise
        session.close()
        return ModelDescription(
            inputs=inputs, outputs=outputs, metadata=read_plan(artifact).metadata
        )

    def create(self, manifest: ModelManifest, artifact: Path, options: Options) -> Engine:
        """Load a plan; where its input is open, it becomes that of the manifest."""
        assert isinstance(options, TensorRtOptions)
        session = open_session(artifact, options.device)
        try:
            with session.gpu.current():
                inputs, outputs = tensor_specs(artifact, session.engine)
                image = check_only_input(manifest, inputs, artifact=artifact)
                _check_profile(session.engine, image)
                if any(spec.shape != image.shape for spec in inputs):
                    outputs = _with_known_shapes(artifact, session, image, outputs)
            return TensorRtEngine(
                artifact, options=options, session=session, inputs=(image,), outputs=outputs
            )
        except BaseException as error:
            session.close(error)
            raise


class TensorRtEngine(Engine):
    """
    One execution context on one stream, with page-locked memory.

    :param session: made from the artifact with these options; used by the first activation.
    """

    def __init__(
        self,
        artifact: Path,
        *,
        options: TensorRtOptions,
        session: PlanSession,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, device=session.device.describe())
        self._artifact = artifact
        self._options = options
        self._session: PlanSession | None = session
        self._context: trt.IExecutionContext | None = None
        self._inputs: dict[str, FixedTensor] = {}
        self._fixed: dict[str, FixedTensor] = {}
        self._open: dict[str, OpenTensor] = {}
        self._buffers: dict[str, Tensor] = {}
        self._allocator: trt.IOutputAllocator | None = None

    def _activate(self) -> None:
        if self._session is None:
            self._session = open_session(self._artifact, self._options.device)
        gpu = self._session.gpu
        try:
            with gpu.current():
                self._bind(self._session)
        except BaseException as error:
            with suppress(CudaError), gpu.current():
                forget_frames(error)
                self._context = None
            if isinstance(error, CudaError):
                raise cuda_failed(self._artifact, error) from error
            raise

    def _bind(self, session: PlanSession) -> None:
        """Make the execution context and tell it, once, where its tensors are."""
        context = self._context = make_context(self._artifact, session, self.inputs)
        for spec in self.inputs:
            tensor = FixedTensor(session.gpu, spec.shape, spec.dtype)
            self._inputs[spec.name] = tensor
            self._buffers[spec.name] = tensor.array
            context.set_tensor_address(spec.name, tensor.address)
        self._allocator = make_allocator(self._open)
        for spec in self.outputs:
            shape = tuple(context.get_tensor_shape(spec.name))
            if min(shape, default=0) >= 0:
                self._fixed[spec.name] = FixedTensor(session.gpu, shape, spec.dtype)
                context.set_tensor_address(spec.name, self._fixed[spec.name].address)
            else:
                self._open[spec.name] = OpenTensor(session.gpu, spec)
                context.set_output_allocator(spec.name, self._allocator)

    def _deactivate(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        tensors: list[FixedTensor | OpenTensor]
        tensors = [*self._inputs.values(), *self._fixed.values(), *self._open.values()]
        for memory in (self._inputs, self._fixed, self._open, self._buffers):
            memory.clear()
        with suppress(CudaError), session.gpu.current():
            self._context = None  # before the plan that it belongs to
            self._allocator = None
            for tensor in tensors:
                tensor.free()
        session.close()

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self._deactivate()

    def _input_buffers(self) -> Mapping[str, Tensor]:
        return self._buffers

    def _infer(self, tensors: Tensors) -> Tensors:
        assert self._session is not None
        logged_errors.clear()
        try:
            with self._session.gpu.current():
                return self._run(self._session, tensors)
        except CudaError as error:
            raise InferenceError(
                f'{self._artifact}: {error}; if this goes on, start the process again'
            ) from error

    def _run(self, session: PlanSession, tensors: Tensors) -> Tensors:
        assert self._context is not None
        for name, tensor in self._inputs.items():
            if tensors[name] is not tensor.array:
                np.copyto(tensor.array, tensors[name])
            tensor.upload()
        if not self._context.execute_async_v3(session.gpu.stream_address):
            failed = [tensor.error for tensor in self._open.values() if tensor.error]
            raise InferenceError(
                f'{self._artifact}: TensorRT failed: {"; ".join(failed) or logged_errors.text()}'
            )
        for tensor in self._fixed.values():
            tensor.download()
        session.gpu.synchronize()
        fixed = {name: tensor.array for name, tensor in self._fixed.items()}
        return {**fixed, **{name: tensor.array() for name, tensor in self._open.items()}}


def make_context(
    artifact: Path, session: PlanSession, inputs: tuple[TensorSpec, ...]
) -> trt.IExecutionContext:
    """Return an execution context for inputs of these shapes; the GPU is current."""
    logged_errors.clear()
    context = session.engine.create_execution_context()
    if context is None:
        free, total = session.gpu.driver.memory_info()
        text = f'{free >> 20} of {total >> 20} MiB are free: {logged_errors.text()}'
        raise out_of_memory(artifact, text)
    for spec in inputs:
        if not context.set_input_shape(spec.name, spec.shape):
            raise ArtifactError(
                artifact,
                reason=f'does not take {spec.describe()} at {spec.name!r}: {logged_errors.text()}',
                remedy='build it again for this input',
            )
    return context


def _check_profile(engine: trt.ICudaEngine, image: TensorSpec) -> None:
    if -1 not in tuple(engine.get_tensor_shape(image.name)):
        return
    smallest, _, largest = (
        tuple(shape) for shape in engine.get_tensor_profile_shape(image.name, 0)
    )
    if not all(low <= size <= high for low, size, high in zip(smallest, image.shape, largest)):
        low, high = (TensorSpec('', shape, image.dtype) for shape in (smallest, largest))
        raise TensorMismatchError(
            image.name,
            got=f'{image.describe()} from the manifest',
            expected=f'{low.describe()} to {high.describe()}, for which the plan was built',
            remedy='correct input.width and input.height of the manifest, or build it again',
        )


def _with_known_shapes(
    artifact: Path, session: PlanSession, image: TensorSpec, outputs: tuple[TensorSpec, ...]
) -> tuple[TensorSpec, ...]:
    context = make_context(artifact, session, (image,))
    return tuple(
        TensorSpec(spec.name, tuple(context.get_tensor_shape(spec.name)), spec.dtype)
        for spec in outputs
    )

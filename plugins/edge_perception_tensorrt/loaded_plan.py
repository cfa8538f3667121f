# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Load plans, and describe their tensors."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
import sys
import traceback
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from edge_perception.contract import ArtifactError
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract import TensorSpec
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import ENGINE
from edge_perception_tensorrt.device import Device
from edge_perception_tensorrt.device import find_device
from edge_perception_tensorrt.errors import cuda_failed
from edge_perception_tensorrt.errors import plan_refused
from edge_perception_tensorrt.errors import runtime_failed
from edge_perception_tensorrt.library import load_library
from edge_perception_tensorrt.library import logged_errors
from edge_perception_tensorrt.library import vendor_logger
from edge_perception_tensorrt.memory import Gpu
from edge_perception_tensorrt.plan import check_version
from edge_perception_tensorrt.plan import PlanFile
from edge_perception_tensorrt.plan import read_plan

if TYPE_CHECKING:
    import tensorrt as trt

# Our own, because tensorrt.nptype of 8.5 fails with NumPy 1.24, and later ones lack names.
DTYPES: dict[str, np.dtype[Any]] = {
    'FLOAT': np.dtype(np.float32),
    'HALF': np.dtype(np.float16),
    'INT8': np.dtype(np.int8),
    'INT32': np.dtype(np.int32),
    'INT64': np.dtype(np.int64),
    'BOOL': np.dtype(np.bool_),
    'UINT8': np.dtype(np.uint8),
}


class PlanSession:
    """
    A plan on its GPU. Must be closed; a session that is forgotten closes itself.

    :param engine: of TensorRT; used with the GPU current.
    """

    def __init__(
        self, device: Device, gpu: Gpu, runtime: trt.Runtime, engine: trt.ICudaEngine
    ) -> None:
        self.device = device
        self.gpu = gpu
        self._runtime: trt.Runtime | None = runtime
        self._engine: trt.ICudaEngine | None = engine

    @property
    def engine(self) -> trt.ICudaEngine:
        """The model; raises ValueError when closed."""
        if self._engine is None:
            raise ValueError('the session is closed')
        return self._engine

    def close(self, error: BaseException | None = None) -> None:
        """
        Give the plan and the GPU back; again without effect.

        :param error: because of which; its traceback knows objects of TensorRT, and forgets them.
        """
        if self._engine is None:
            return
        with suppress(CudaError), self.gpu.current():  # what is lost, the gpu tells below
            forget_frames(error)
            self._engine = None  # before the runtime that it belongs to
            self._runtime = None
        self._engine = self._runtime = None
        self.gpu.close()

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()


def open_session(artifact: Path, device_name: str) -> PlanSession:
    """
    Load a plan onto the device that was asked for, and no other.

    :raises EngineUnavailableError: the library, the device or its memory is missing.
    :raises ArtifactError: the file cannot be loaded.
    """
    version = load_library()
    plan = read_plan(artifact)
    check_version(artifact, plan, version)
    device = find_device(device_name)
    try:
        gpu = Gpu(device.driver, device.gpu)
        try:
            with gpu.current():
                runtime, engine = _deserialize(artifact, plan, device, version)
        except BaseException as error:
            with gpu.current():
                forget_frames(error)
            gpu.close()
            raise
    except CudaError as error:
        raise cuda_failed(artifact, error) from error
    return PlanSession(device, gpu, runtime, engine)


def _deserialize(
    artifact: Path, plan: PlanFile, device: Device, version: str
) -> tuple[trt.Runtime, trt.ICudaEngine]:
    import tensorrt as trt

    logged_errors.clear()
    try:
        runtime = trt.Runtime(vendor_logger())
    except TypeError as error:  # that the factory returned nothing
        raise runtime_failed(logged_errors.text()) from error
    trt.init_libnvinfer_plugins(vendor_logger(), '')
    if device.dla is not None:
        if device.dla >= runtime.num_DLA_cores:
            raise EngineUnavailableError(
                ENGINE,
                reason=f'{device.gpu.name} has {runtime.num_DLA_cores} DLA cores, so dla'
                f'{device.dla} is not here',
                remedy='set the option device to gpu:0',
            )
        runtime.DLA_core = device.dla
    engine = runtime.deserialize_cuda_engine(plan.plan)
    if engine is None:
        raise plan_refused(artifact, logged_errors.text(), version=version)
    return runtime, engine


def forget_frames(error: BaseException | None) -> None:
    """Let go of the local variables that a traceback keeps, as long as the GPU is current."""
    if error is not None:
        traceback.clear_frames(error.__traceback__)


def tensor_specs(
    artifact: Path, engine: trt.ICudaEngine
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """
    Return inputs and outputs of a plan.

    :raises ArtifactError: one of them is not an array that NumPy has.
    """
    import tensorrt as trt

    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        kind = engine.get_tensor_dtype(name).name
        layout = engine.get_tensor_format(name)
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise _unusable(artifact, name, 'is read or written on the host')
        if layout != trt.TensorFormat.LINEAR:
            raise _unusable(artifact, name, f'is stored as {layout.name}, expected LINEAR')
        if kind not in DTYPES:
            raise _unusable(artifact, name, f'is of type {kind}, which NumPy does not have')
        spec = TensorSpec(name, tuple(engine.get_tensor_shape(name)), DTYPES[kind])
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        (inputs if is_input else outputs).append(spec)
    return tuple(inputs), tuple(outputs)


def _unusable(artifact: Path, name: str, reason: str) -> ArtifactError:
    return ArtifactError(
        artifact,
        reason=f'its tensor {name!r} {reason}',
        remedy='build it again with plain inputs and outputs in float32 or float16',
    )

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver through NVIDIA's cuda-python."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edge_perception.contract import Tensor
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import DEVICE_MAP
from edge_perception_tensorrt.cuda import Driver
from edge_perception_tensorrt.cuda import GpuFacts
from edge_perception_tensorrt.cuda import NON_BLOCKING_STREAM

NAME_LENGTH = 256


class CudaPythonDriver(Driver):
    """``cuda.bindings.driver``, called ``cuda.cuda`` before 12.8."""

    name = 'cuda-python'

    def __init__(self) -> None:
        try:
            self._cuda: Any = import_module('cuda.bindings.driver')
        except ModuleNotFoundError:
            self._cuda = import_module('cuda.cuda')
        self._call('cuInit', 0)

    def count(self) -> int:
        return int(self._call('cuDeviceGetCount'))

    def facts(self, index: int) -> GpuFacts:
        device = self._call('cuDeviceGet', index)
        version = int(self._call('cuDriverGetVersion'))
        attribute = self._cuda.CUdevice_attribute
        major, minor, integrated = (
            int(self._call('cuDeviceGetAttribute', which, device))
            for which in (
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                attribute.CU_DEVICE_ATTRIBUTE_INTEGRATED,
            )
        )
        name = self._call('cuDeviceGetName', NAME_LENGTH, device)
        return GpuFacts(
            index=index,
            name=name.split(b'\0')[0].decode(),
            compute_capability=f'{major}.{minor}',
            cuda=f'{version // 1000}.{version % 1000 // 10}',
            integrated=bool(integrated),
        )

    def retain(self, index: int) -> Any:
        device = self._call('cuDeviceGet', index)
        return device, self._call('cuDevicePrimaryCtxRetain', device)

    def release(self, context: Any) -> None:
        self._call('cuDevicePrimaryCtxRelease', context[0])

    def push(self, context: Any) -> None:
        self._call('cuCtxPushCurrent', context[1])

    def pop(self) -> None:
        self._call('cuCtxPopCurrent')

    def make_stream(self) -> tuple[Any, int]:
        stream = self._call('cuStreamCreate', NON_BLOCKING_STREAM)
        return stream, int(stream)

    def destroy_stream(self, stream: Any) -> None:
        self._call('cuStreamDestroy', stream)

    def allocate(self, size: int) -> tuple[Any, int]:
        address = self._call('cuMemAlloc', size)
        return address, int(address)

    def free(self, memory: Any) -> None:
        self._call('cuMemFree', memory)

    def allocate_host(self, size: int) -> tuple[Any, int, int]:
        memory = self._call('cuMemHostAlloc', size, DEVICE_MAP)
        return memory, int(memory), int(self._call('cuMemHostGetDevicePointer', memory, 0))

    def free_host(self, memory: Any) -> None:
        self._call('cuMemFreeHost', memory)

    def copy_to_gpu(self, address: int, array: Tensor, stream: Any) -> None:
        self._call('cuMemcpyHtoDAsync', address, array.ctypes.data, array.nbytes, stream)

    def copy_to_host(self, array: Tensor, address: int, stream: Any) -> None:
        self._call('cuMemcpyDtoHAsync', array.ctypes.data, address, array.nbytes, stream)

    def synchronize(self, stream: Any) -> None:
        self._call('cuStreamSynchronize', stream)

    def memory_info(self) -> tuple[int, int]:
        free, total = self._call('cuMemGetInfo')
        return int(free), int(total)

    def _call(self, name: str, *arguments: Any) -> Any:
        code, *results = getattr(self._cuda, name)(*arguments)
        if int(code) != 0:
            _, text = self._cuda.cuGetErrorString(code)
            raise CudaError(name, text.decode() if text else str(code), code=int(code))
        return results[0] if len(results) == 1 else results

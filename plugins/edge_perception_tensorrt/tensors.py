# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs of a model: an array on the host, and memory of the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from edge_perception.contract import Tensor
from edge_perception.contract import TensorSpec
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.memory import Gpu
from edge_perception_tensorrt.memory import GpuMemory
from edge_perception_tensorrt.memory import HostMemory

if TYPE_CHECKING:
    import tensorrt as trt

# What the CUDA driver promises of memory that it gives.
ALIGNMENT = 256


class FixedTensor:
    """
    A tensor whose shape is known before the model runs.

    On an integrated GPU the array itself is what the GPU reads and writes: nothing is copied.

    :param array: page-locked.
    :param address: for TensorRT.
    """

    def __init__(self, gpu: Gpu, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._gpu = gpu
        host = gpu.allocate_host(shape, dtype)
        self.array = host.array
        self._memory = None if gpu.facts.integrated else gpu.allocate(host.array.nbytes)
        self.address = host.address if self._memory is None else self._memory.address

    def upload(self) -> None:
        """Begin to copy the array to the GPU."""
        if self._memory is not None:
            self._gpu.upload(self._memory, self.array)

    def download(self) -> None:
        """Begin to copy the array from the GPU."""
        if self._memory is not None:
            self._gpu.download(self.array, self._memory)

    def free(self) -> None:
        """Release the memory of the GPU; the array lives as long as it is referenced."""
        if self._memory is not None:
            self._memory.free()


class OpenTensor:
    """
    An output whose shape depends on the content of the image; its memory grows to the largest.

    :param error: why the last ``reserve`` failed; empty when it did not.
    """

    def __init__(self, gpu: Gpu, spec: TensorSpec) -> None:
        self._gpu = gpu
        self._dtype = spec.dtype
        self._memory: GpuMemory | None = None
        self._host: HostMemory | None = None
        self._size = 0
        self.shape: tuple[int, ...] = ()
        self.error = ''

    def reserve(self, size: int, alignment: int) -> int:
        """
        Return an address for ``size`` bytes; 0 when the memory is full.

        Called by TensorRT, through which no exception may pass.
        """
        # TensorRT wants an address for nothing as well.
        spare = max(alignment, ALIGNMENT) - ALIGNMENT
        wanted = max(size, 1) + spare
        try:
            if wanted > self._size:
                self.free()
                if self._gpu.facts.integrated:
                    self._host = self._gpu.allocate_host((wanted,), np.dtype(np.uint8))
                else:
                    self._memory = self._gpu.allocate(wanted)
                self._size = wanted
        except CudaError as error:
            self.error = str(error)  # not the error, which knows all objects on its way
            return 0
        self.error = ''
        return self._aligned(alignment)

    def array(self) -> Tensor:
        """Return the tensor, after the model has run; valid until it runs again."""
        size = prod(self.shape) * self._dtype.itemsize
        if self._memory is not None:
            if self._host is None or self._host.array.size < self._size:
                self._host = self._gpu.allocate_host((self._size,), np.dtype(np.uint8))
            self._gpu.download(self._host.array[: self._size], self._memory)
            self._gpu.synchronize()
        if self._host is None:
            return np.zeros(self.shape, self._dtype)
        start = self._start
        return self._host.array[start : start + size].view(self._dtype).reshape(self.shape)

    def free(self) -> None:
        """Release the memory; arrays live as long as they are referenced."""
        if self._memory is not None:
            self._memory.free()
        self._memory = self._host = None
        self._size = 0

    def _aligned(self, alignment: int) -> int:
        address = self._memory.address if self._memory is not None else self._host.address  # type: ignore[union-attr]
        self._start = -address % max(alignment, 1)
        return address + self._start


def make_allocator(tensors: Mapping[str, OpenTensor]) -> trt.IOutputAllocator:
    """Return what TensorRT asks for memory of outputs; it must outlive the execution context."""
    import tensorrt as trt

    class Allocator(trt.IOutputAllocator):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)

        # Before TensorRT 10.
        def reallocate_output(
            self, tensor_name: str, memory: object, size: int, alignment: int
        ) -> int:
            return tensors[tensor_name].reserve(size, alignment)

        def reallocate_output_async(
            self, tensor_name: str, memory: object, size: int, alignment: int, stream: object
        ) -> int:
            return tensors[tensor_name].reserve(size, alignment)

        def notify_shape(self, tensor_name: str, shape: trt.Dims) -> None:
            tensors[tensor_name].shape = tuple(shape)

    return Allocator()

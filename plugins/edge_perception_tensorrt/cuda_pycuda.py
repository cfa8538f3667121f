# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver through pycuda."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any

import numpy as np

from edge_perception.contract import Tensor
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import Driver
from edge_perception_tensorrt.cuda import DRIVER_MISMATCH
from edge_perception_tensorrt.cuda import GpuFacts
from edge_perception_tensorrt.cuda import NO_DEVICE
from edge_perception_tensorrt.cuda import NON_BLOCKING_STREAM
from edge_perception_tensorrt.cuda import OUT_OF_MEMORY

# pycuda gives only the strings of cuGetErrorString.
_CODES = {
    'out of memory': OUT_OF_MEMORY,
    'no CUDA-capable device is detected': NO_DEVICE,
    'system has unsupported display driver / cuda driver combination': DRIVER_MISMATCH,
}


class PycudaDriver(Driver):
    """
    pycuda knows a context as an object that belongs to the thread which made it.

    Away from that thread its objects free nothing, silently, unless the context is current there;
    so memory and streams are given back with the context current, never left to their destructors.
    """

    name = 'pycuda'

    def __init__(self) -> None:
        import pycuda.driver

        self._cuda: Any = pycuda.driver
        self._call(self._cuda.init)

    def count(self) -> int:
        return int(self._call(self._cuda.Device.count))

    def facts(self, index: int) -> GpuFacts:
        device = self._call(self._cuda.Device, index)
        version = self._call(self._cuda.get_driver_version)
        integrated = self._cuda.device_attribute.INTEGRATED
        return GpuFacts(
            index=index,
            name=self._call(device.name),
            compute_capability='.'.join(map(str, self._call(device.compute_capability))),
            cuda=f'{version // 1000}.{version % 1000 // 10}',
            integrated=bool(self._call(device.get_attribute, integrated)),
        )

    def retain(self, index: int) -> Any:
        return self._call(self._call(self._cuda.Device, index).retain_primary_context)

    def release(self, context: Any) -> None:
        # detach() leaves the context on the driver's stack of the thread that calls it, and from
        # a thread that did not make it does nothing unless it is current. So a thread makes it
        # current, detaches it, and takes that stack with it when it ends.
        failed: list[CudaError] = []

        def detach() -> None:
            try:
                self._call(context.push)
                self._call(context.detach)
            except CudaError as error:
                failed.append(error)

        thread = threading.Thread(target=detach, name='pycuda-detach')
        thread.start()
        thread.join()
        if failed:
            raise failed.pop()

    def push(self, context: Any) -> None:
        self._call(context.push)

    def pop(self) -> None:
        self._call(self._cuda.Context.pop)

    def make_stream(self) -> tuple[Any, int]:
        stream = self._call(self._cuda.Stream, NON_BLOCKING_STREAM)
        return stream, int(stream.handle)

    def destroy_stream(self, stream: Any) -> None:
        # Its destructor does it, as soon as the caller forgets it.
        self._call(stream.synchronize)

    def allocate(self, size: int) -> tuple[Any, int]:
        memory = self._call(self._cuda.mem_alloc, size)
        return memory, int(memory)

    def free(self, memory: Any) -> None:
        self._call(memory.free)

    def allocate_host(self, size: int) -> tuple[Any, int, int]:
        flags = self._cuda.host_alloc_flags.DEVICEMAP
        array = self._call(self._cuda.pagelocked_empty, size, np.uint8, mem_flags=flags)
        seen_by_gpu = self._call(array.base.get_device_pointer)
        return array.base, array.ctypes.data, int(seen_by_gpu)

    def free_host(self, memory: Any) -> None:
        self._call(memory.free)

    def copy_to_gpu(self, address: int, array: Tensor, stream: Any) -> None:
        self._call(self._cuda.memcpy_htod_async, address, array, stream)

    def copy_to_host(self, array: Tensor, address: int, stream: Any) -> None:
        self._call(self._cuda.memcpy_dtoh_async, array, address, stream)

    def synchronize(self, stream: Any) -> None:
        self._call(stream.synchronize)

    def memory_info(self) -> tuple[int, int]:
        free, total = self._call(self._cuda.mem_get_info)
        return int(free), int(total)

    def _call(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        try:
            return function(*arguments, **keywords)
        except self._cuda.Error as error:
            # E.g. 'cuMemAlloc failed: out of memory'.
            text = ' '.join(str(error).split())
        call, _, reason = text.partition(' failed: ')
        raise CudaError(call, reason or text, code=_CODES.get(reason, 0))

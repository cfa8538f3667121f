# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
One GPU and its memory: a primary context, one stream, page-locked and GPU memory.

What is forgotten is given back at once, on whatever thread that happens; but at the end of the
process it is left to the driver, which then ends as well.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
import ctypes
from dataclasses import dataclass
import logging
from math import prod
from typing import Any
import weakref

import numpy as np

from edge_perception.contract import Tensor
from edge_perception_tensorrt.cuda import CudaError
from edge_perception_tensorrt.cuda import Driver
from edge_perception_tensorrt.cuda import GpuFacts

_logger = logging.getLogger(__name__)


class PrimaryContext:
    """
    Retains the primary context of a GPU until the last who knows this object has forgotten it.

    Memory knows the context that it belongs to, so it never outlives it.
    """

    def __init__(self, driver: Driver, index: int) -> None:
        self.driver = driver
        self._memory: list[weakref.finalize[..., Any]] = []
        self._context = driver.retain(index)
        self._release = weakref.finalize(self, _release, driver, self._context)
        self._release.atexit = False

    def own(self, owner: object, free: Callable[[Any], None], handle: Any) -> Callable[[], object]:
        """
        Tie memory to an object that stands for it.

        :return: gives the memory back, unless that was done; so does the end of the object.
        """
        give_back = weakref.finalize(owner, _give_back, self, free, handle)
        give_back.atexit = False
        self._memory = [each for each in self._memory if each.alive] + [give_back]
        return give_back

    def leave(self) -> None:
        """Release it, now if nothing lives in it any more, else with the last that does."""
        if not any(each.alive for each in self._memory):
            self._release()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it current on this thread, whatever was current before."""
        self.driver.push(self._context)
        try:
            yield
        finally:
            self.driver.pop()


class GpuMemory:
    """
    Bytes on the GPU; given back by ``free``, else when it is forgotten.

    :param address: for TensorRT.
    """

    def __init__(self, context: PrimaryContext, size: int) -> None:
        handle, self.address = context.driver.allocate(size)
        self.size = size
        self.free = context.own(self, context.driver.free, handle)


@dataclass(frozen=True, slots=True)
class HostMemory:
    """
    A page-locked array; its memory goes back when the last view of it is forgotten.

    :param address: under which the GPU sees the array.
    """

    array: Tensor
    address: int


class Gpu:
    """
    One GPU for one engine. Methods below ``current`` are called inside of it, on any thread.

    :param stream_address: of the only stream, for TensorRT.
    """

    def __init__(self, driver: Driver, facts: GpuFacts) -> None:
        self.facts = facts
        self.driver = driver
        self._context: PrimaryContext | None = PrimaryContext(driver, facts.index)
        with self.current():
            self._stream, self.stream_address = driver.make_stream()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the GPU current on this thread."""
        assert self._context is not None
        with self._context.current():
            yield

    def allocate(self, size: int) -> GpuMemory:
        """Return memory of the GPU, at least one byte."""
        assert self._context is not None
        return GpuMemory(self._context, max(size, 1))

    def allocate_host(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> HostMemory:
        """Return a page-locked array of zeros."""
        assert self._context is not None
        size = max(prod(shape) * dtype.itemsize, 1)
        handle, address, seen_by_gpu = self.driver.allocate_host(size)
        owner = (ctypes.c_byte * size).from_address(address)
        self._context.own(owner, self.driver.free_host, handle)
        array = np.frombuffer(memoryview(owner), dtype, count=prod(shape)).reshape(shape)
        array.fill(0)
        return HostMemory(array, seen_by_gpu)

    def upload(self, memory: GpuMemory, array: Tensor) -> None:
        """Begin to copy a page-locked array to the GPU."""
        self.driver.copy_to_gpu(memory.address, array, self._stream)

    def download(self, array: Tensor, memory: GpuMemory) -> None:
        """Begin to copy from the GPU into a page-locked array."""
        self.driver.copy_to_host(array, memory.address, self._stream)

    def synchronize(self) -> None:
        """Wait for all that was begun; raises ``CudaError`` for what failed meanwhile."""
        self.driver.synchronize(self._stream)

    def close(self) -> None:
        """Give back stream and context; outside of ``current``, and again without effect."""
        context, self._context = self._context, None
        if context is not None:
            try:
                with context.current():
                    self.driver.destroy_stream(self._stream)
                    self._stream = None
            except CudaError as error:
                _log(error)
            finally:
                context.leave()


def _give_back(context: PrimaryContext, free: Callable[[Any], None], handle: Any) -> None:
    try:
        with context.current():
            free(handle)
    except CudaError as error:
        _log(error)


def _release(driver: Driver, context: Any) -> None:
    try:
        driver.release(context)
    except CudaError as error:
        _log(error)


def _log(error: CudaError) -> None:
    # After e.g. an illegal address every call fails; the end of the process frees everything.
    _logger.warning('memory or stream of the GPU was not released: %s', str(error))

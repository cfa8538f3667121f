# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The part of ``pycuda.driver`` (2026.1) that the plugin uses, over the fake driver.

It has the traps of the real one: a context object belongs to the thread that made it, ``detach``
leaves the context on the driver's stack, and away from its thread an object frees nothing unless
its context is current.
"""

from __future__ import annotations

import ctypes
import threading
from types import ModuleType
from types import SimpleNamespace

import numpy as np

from test.support.fake_cuda import OUT_OF_MEMORY


class Error(Exception):
    pass


class LogicError(Error):
    pass


class PycudaMemoryError(Error, MemoryError):
    pass


def pycuda_modules(library: ctypes.CDLL) -> dict[str, ModuleType]:
    """Return ``pycuda`` and ``pycuda.driver``, to be put into ``sys.modules``."""
    package, driver = ModuleType('pycuda'), ModuleType('pycuda.driver')
    package.driver = driver  # type: ignore[attr-defined]
    for name, value in vars(_Driver(library)).items():
        setattr(driver, name, value)
    return {'pycuda': package, 'pycuda.driver': driver}


class _Caller:
    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.stacks = threading.local()

    def __call__(self, name: str, *arguments) -> None:
        symbol = name if hasattr(self._library, name) else f'{name}_v2'
        code = getattr(self._library, symbol)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(code, ctypes.byref(text))
            kind = PycudaMemoryError if code == OUT_OF_MEMORY else LogicError
            raise kind(f'{name} failed: {text.value.decode()}')

    @property
    def stack(self) -> list:
        if not hasattr(self.stacks, 'contexts'):
            self.stacks.contexts = []
        return self.stacks.contexts

    def may_free(self, context) -> bool:
        """Tell whether an object of a context would be freed here, as pycuda decides it."""
        current = self.stack[-1] if self.stack else None
        return current is context or context.thread == threading.get_ident()


class _Driver:
    """Its attributes become those of the module."""

    def __init__(self, library: ctypes.CDLL) -> None:
        call = _Caller(library)
        self.Error, self.LogicError, self.MemoryError = Error, LogicError, PycudaMemoryError
        self.device_attribute = SimpleNamespace(INTEGRATED=18)
        self.host_alloc_flags = SimpleNamespace(DEVICEMAP=2)
        self.init = lambda: call('cuInit', 0)
        self.get_driver_version = lambda: _number(call, 'cuDriverGetVersion')
        self.Device = _device_class(call)
        self.Context = _context_class(call)
        self.Stream = _stream_class(call)
        self.mem_alloc = lambda size: _Allocation(call, size)
        self.mem_get_info = lambda: _memory_info(call)
        self.pagelocked_empty = lambda shape, dtype, mem_flags=0: np.asarray(
            _HostAllocation(call, shape, np.dtype(dtype), mem_flags)
        )
        self.memcpy_htod_async = lambda to, source, stream: call(
            'cuMemcpyHtoDAsync_v2',
            ctypes.c_uint64(to),
            ctypes.c_void_p(source.ctypes.data),
            ctypes.c_size_t(source.nbytes),
            stream.pointer,
        )
        self.memcpy_dtoh_async = lambda to, source, stream: call(
            'cuMemcpyDtoHAsync_v2',
            ctypes.c_void_p(to.ctypes.data),
            ctypes.c_uint64(source),
            ctypes.c_size_t(to.nbytes),
            stream.pointer,
        )


def _number(call: _Caller, name: str, *arguments) -> int:
    value = ctypes.c_int()
    call(name, ctypes.byref(value), *arguments)
    return value.value


def _memory_info(call: _Caller) -> tuple[int, int]:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    call('cuMemGetInfo', ctypes.byref(free), ctypes.byref(total))
    return free.value, total.value


def _context_class(call: _Caller):
    class Context:
        def __init__(self, index: int) -> None:
            self.pointer = ctypes.c_void_p()
            call('cuDevicePrimaryCtxRetain', ctypes.byref(self.pointer), index)
            self.index = index
            self.thread = threading.get_ident()

        def push(self) -> None:
            if call.stack:
                call('cuCtxPopCurrent', None)
            call('cuCtxPushCurrent', self.pointer)
            call.stack.append(self)

        @staticmethod
        def pop() -> None:
            call('cuCtxPopCurrent', None)
            call.stack.pop()
            if call.stack:
                call('cuCtxPushCurrent', call.stack[-1].pointer)

        def detach(self) -> None:
            current = call.stack and call.stack[-1] is self
            if not current and self.thread == threading.get_ident():
                call('cuCtxPushCurrent', self.pointer)
            if current or self.thread == threading.get_ident():
                call('cuDevicePrimaryCtxRelease', self.index)
            if current:
                call.stack.pop()

    return Context


def _device_class(call: _Caller):
    context_class = _context_class(call)

    class Device:
        def __init__(self, index: int) -> None:
            self.index = _number(call, 'cuDeviceGet', index)

        @staticmethod
        def count() -> int:
            return _number(call, 'cuDeviceGetCount')

        def name(self) -> str:
            text = ctypes.create_string_buffer(256)
            call('cuDeviceGetName', text, 256, self.index)
            return text.value.decode()

        def compute_capability(self) -> tuple[int, int]:
            return (
                _number(call, 'cuDeviceGetAttribute', 75, self.index),
                _number(call, 'cuDeviceGetAttribute', 76, self.index),
            )

        def get_attribute(self, which: int) -> int:
            return _number(call, 'cuDeviceGetAttribute', which, self.index)

        def retain_primary_context(self):
            return context_class(self.index)

    return Device


def _stream_class(call: _Caller):
    class Stream:
        def __init__(self, flags: int = 0) -> None:
            self.pointer = ctypes.c_void_p()
            call('cuStreamCreate', ctypes.byref(self.pointer), flags)
            self._context = call.stack[-1]

        @property
        def handle(self) -> int:
            return self.pointer.value

        def synchronize(self) -> None:
            call('cuStreamSynchronize', self.pointer)

        def __del__(self) -> None:
            if self.pointer and call.may_free(self._context):
                call('cuStreamDestroy', self.pointer)

    return Stream


class _Memory:
    """Memory that knows the context that was current when it was made."""

    def __init__(self, call: _Caller, free: str) -> None:
        self._call, self._free = call, free
        self._context = call.stack[-1] if call.stack else None
        self.pointer: ctypes.c_void_p | ctypes.c_uint64 | None = None

    def free(self) -> None:
        pointer, self.pointer = self.pointer, None
        if pointer is None:
            raise LogicError('freed twice')
        if self._call.may_free(self._context):
            self._call(self._free, pointer)


class _Allocation(_Memory):
    def __init__(self, call: _Caller, size: int) -> None:
        super().__init__(call, 'cuMemFree')
        pointer = ctypes.c_uint64()
        call('cuMemAlloc', ctypes.byref(pointer), ctypes.c_size_t(size))
        self.pointer = pointer

    def __int__(self) -> int:
        return self.pointer.value


class _HostAllocation(_Memory):
    def __init__(self, call: _Caller, shape, dtype: np.dtype, flags: int) -> None:
        super().__init__(call, 'cuMemFreeHost')
        size = int(np.prod(shape)) * dtype.itemsize
        pointer = ctypes.c_void_p()
        call('cuMemHostAlloc', ctypes.byref(pointer), ctypes.c_size_t(size), flags)
        self.pointer = pointer
        self.__array_interface__ = {
            'version': 3,
            'shape': (shape,) if isinstance(shape, int) else tuple(shape),
            'typestr': dtype.str,
            'data': (pointer.value, False),
        }

    def get_device_pointer(self) -> int:
        seen = ctypes.c_uint64()
        self._call('cuMemHostGetDevicePointer', ctypes.byref(seen), self.pointer, 0)
        return seen.value

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
import sys
import threading
from types import ModuleType
from types import SimpleNamespace

import numpy as np

from test.support.fake_cuda import compiled

device_attribute = SimpleNamespace(INTEGRATED=18)
host_alloc_flags = SimpleNamespace(DEVICEMAP=2)


class Error(Exception):
    pass


class _Contexts(threading.local):
    """The contexts that pycuda has made current on a thread."""

    def __init__(self) -> None:
        self.stack: list[Context] = []


_contexts = _Contexts()


def pycuda_modules() -> dict[str, ModuleType]:
    """Return ``pycuda`` and ``pycuda.driver``, to be put into ``sys.modules``."""
    global _contexts
    _contexts = _Contexts()
    package, driver = ModuleType('pycuda'), sys.modules[__name__]
    package.driver = driver  # type: ignore[attr-defined]
    return {'pycuda': package, 'pycuda.driver': driver}


def call(name: str, *arguments) -> None:
    library = ctypes.CDLL(str(compiled()))
    code = getattr(library, name if hasattr(library, name) else f'{name}_v2')(*arguments)
    if code:
        text = ctypes.c_char_p()
        library.cuGetErrorString(code, ctypes.byref(text))
        raise Error(f'{name} failed: {text.value.decode()}')


def _number(name: str, *arguments) -> int:
    value = ctypes.c_int()
    call(name, ctypes.byref(value), *arguments)
    return value.value


def _may_free(context: Context) -> bool:
    """Tell whether an object of a context would be freed here, as pycuda decides it."""
    current = _contexts.stack[-1] if _contexts.stack else None
    return current is context or context.thread == threading.get_ident()


def init() -> None:
    call('cuInit', 0)


def get_driver_version() -> int:
    return _number('cuDriverGetVersion')


def mem_get_info() -> tuple[int, int]:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    call('cuMemGetInfo', ctypes.byref(free), ctypes.byref(total))
    return free.value, total.value


def memcpy_htod_async(to: int, source: np.ndarray, stream: Stream) -> None:
    ends = ctypes.c_uint64(to), ctypes.c_void_p(source.ctypes.data)
    call('cuMemcpyHtoDAsync', *ends, ctypes.c_size_t(source.nbytes), stream.pointer)


def memcpy_dtoh_async(to: np.ndarray, source: int, stream: Stream) -> None:
    ends = ctypes.c_void_p(to.ctypes.data), ctypes.c_uint64(source)
    call('cuMemcpyDtoHAsync', *ends, ctypes.c_size_t(to.nbytes), stream.pointer)


class Context:
    def __init__(self, index: int) -> None:
        self.pointer = ctypes.c_void_p()
        call('cuDevicePrimaryCtxRetain', ctypes.byref(self.pointer), index)
        self.index, self.thread = index, threading.get_ident()

    def push(self) -> None:
        if _contexts.stack:
            call('cuCtxPopCurrent', None)
        call('cuCtxPushCurrent', self.pointer)
        _contexts.stack.append(self)

    @staticmethod
    def pop() -> None:
        call('cuCtxPopCurrent', None)
        _contexts.stack.pop()
        if _contexts.stack:
            call('cuCtxPushCurrent', _contexts.stack[-1].pointer)

    def detach(self) -> None:
        current = _contexts.stack and _contexts.stack[-1] is self
        if not current and self.thread == threading.get_ident():
            call('cuCtxPushCurrent', self.pointer)
        if current or self.thread == threading.get_ident():
            call('cuDevicePrimaryCtxRelease', self.index)
        if current:
            _contexts.stack.pop()


class Device:
    def __init__(self, index: int) -> None:
        self.index = _number('cuDeviceGet', index)

    @staticmethod
    def count() -> int:
        return _number('cuDeviceGetCount')

    def name(self) -> str:
        text = ctypes.create_string_buffer(256)
        call('cuDeviceGetName', text, 256, self.index)
        return text.value.decode()

    def compute_capability(self) -> tuple[int, int]:
        return self.get_attribute(75), self.get_attribute(76)

    def get_attribute(self, which: int) -> int:
        return _number('cuDeviceGetAttribute', which, self.index)

    def retain_primary_context(self) -> Context:
        return Context(self.index)


class Stream:
    def __init__(self, flags: int = 0) -> None:
        self.pointer = ctypes.c_void_p()
        call('cuStreamCreate', ctypes.byref(self.pointer), flags)
        self._context = _contexts.stack[-1]

    @property
    def handle(self) -> int:
        return self.pointer.value

    def synchronize(self) -> None:
        call('cuStreamSynchronize', self.pointer)

    def __del__(self) -> None:
        if self.pointer and _may_free(self._context):
            call('cuStreamDestroy', self.pointer)


class _Memory:
    """Memory that knows the context that was current when it was made."""

    def __init__(self, kind: type, allocate: str, free: str, size: int, *flags: int) -> None:
        self.pointer, self._free = kind(), free
        self._context = _contexts.stack[-1] if _contexts.stack else None
        call(allocate, ctypes.byref(self.pointer), ctypes.c_size_t(size), *flags)

    def __int__(self) -> int:
        return self.pointer.value

    def free(self) -> None:
        pointer, self.pointer = self.pointer, None
        if pointer is None:
            raise Error('freed twice')
        if _may_free(self._context):
            call(self._free, pointer)


class _HostMemory(_Memory):
    def __init__(self, size: int, dtype: np.dtype, flags: int) -> None:
        nbytes = size * np.dtype(dtype).itemsize
        super().__init__(ctypes.c_void_p, 'cuMemHostAlloc', 'cuMemFreeHost', nbytes, flags)
        self.__array_interface__ = {
            'version': 3,
            'shape': (size,),
            'typestr': np.dtype(dtype).str,
            'data': (int(self), False),
        }

    def get_device_pointer(self) -> int:
        seen = ctypes.c_uint64()
        call('cuMemHostGetDevicePointer', ctypes.byref(seen), self.pointer, 0)
        return seen.value


def mem_alloc(size: int) -> _Memory:
    return _Memory(ctypes.c_uint64, 'cuMemAlloc', 'cuMemFree', size)


def pagelocked_empty(size: int, dtype: np.dtype, mem_flags: int = 0) -> np.ndarray:
    return np.asarray(_HostMemory(size, dtype, mem_flags))

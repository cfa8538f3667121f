# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Call the real bindings of TensorRT as ``recording.py`` saw it; a program.

Its arguments are the uses and the members of the fake, in JSON. A binding that does not take
an argument raises TypeError. It prints what is said of TensorRT without a GPU, which members are
missing, and what reached the allocator of an output.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

from edge_perception_tensorrt.errors import runtime_failed
from edge_perception_tensorrt.library import logged_errors
from edge_perception_tensorrt.library import vendor_logger
from edge_perception_tensorrt.tensors import make_allocator
import tensorrt as trt

Word = ctypes.c_ssize_t


class Output:
    """Stands for an output of open size, and remembers what its allocator was asked for."""

    shape: tuple[int, ...] = ()
    asked: tuple[int, int] = (0, 0)

    def reserve(self, size: int, alignment: int) -> int:
        self.asked = (size, alignment)
        return 4096


def without_gpu() -> list[str]:
    """Return what is said when the roots cannot be made."""
    said = []
    for kind in (trt.Runtime, trt.Builder):
        logged_errors.clear()
        try:
            kind(vendor_logger())
        except TypeError:
            said.append(str(runtime_failed(logged_errors.text())))
    return said


def replay(calls: list[tuple[str, str, list[Any] | None, dict[str, Any]]], allocator: Any) -> Any:
    """
    Make each call on an object of its class, which came out of an earlier call.

    :return: the execution context.
    """
    logger = vendor_logger()
    objects: dict[str, Any] = {kind.__name__: kind(logger) for kind in (trt.Runtime, trt.Builder)}
    objects['IOutputAllocator'] = allocator

    def decoded(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind == 'enum':
            return getattr(getattr(trt, content[0]), content[1])
        if kind == 'bytes':
            return b'x' if content == 'bytes' else memoryview(b'x')
        return tuple(map(decoded, content)) if kind == 'tuple' else objects[content]

    for kind, method, arguments, named in calls:
        given = {name: decoded(value) for name, value in named.items()}
        try:
            if arguments is None:
                getattr(objects[kind], method)
                continue
            result = getattr(objects[kind], method)(*map(decoded, arguments), **given)
        except (UnicodeDecodeError, ValueError):
            continue  # of a text or a number that is not one
        name = type(result).__name__
        objects.setdefault(name, result)
        if name == 'INetworkDefinition':
            objects['OnnxParser'] = trt.OnnxParser(result, logger)
    config = objects['IBuilderConfig']
    config.default_device_type, config.DLA_core = trt.DeviceType.DLA, 1
    config.builder_optimization_level = 5
    objects['Runtime'].DLA_core = 0
    plan = ctypes.py_object(objects['IHostMemory'])
    assert ctypes.pythonapi.PyObject_CheckBuffer(plan), 'bytes() of a plan would fail'
    return objects['IExecutionContext']


def allocate(context: Any, allocator: Any, output: Output, library: ctypes.CDLL) -> None:
    """
    Call an allocator as C++ does, by its table of methods.

    They follow each other: one or two that allocate, then the one that is told the shape. They
    stand behind destructor and version, and take nearly the same arguments.
    """
    context.set_output_allocator('where', allocator)
    library.stub_last_argument.restype = Word
    this = library.stub_last_argument()
    table = ctypes.cast(this, ctypes.POINTER(ctypes.POINTER(Word)))[0]
    is_old = trt.__version__.startswith('8.')
    size = ctypes.c_int32 if is_old else ctypes.c_int64

    class Dims(ctypes.Structure):
        _fields_ = [('count', ctypes.c_int32), ('sizes', size * 8)]

    name, dims = ctypes.create_string_buffer(b'where'), Dims(2, (size * 8)(4, 2))
    at = (ctypes.addressof(name), ctypes.addressof(dims))
    for method in range(1 if is_old else 4, 8):
        given = ctypes.CFUNCTYPE(Word, *[Word] * 6)(table[method])(this, *at, 64, 512, 0)
        if output.shape:
            return
        assert given == 4096
    raise AssertionError('the allocator was never told the shape')


if __name__ == '__main__':
    said = without_gpu()
    members = json.loads(sys.argv[2])
    lacking = [
        f'{kind}.{name}'
        for kind, names in members.items()
        for name in names
        if not hasattr(getattr(trt, kind), name)
    ]
    library = ctypes.CDLL(f'libnvinfer.so.{trt.__version__.split(".")[0]}')
    library.stub_switch_on()
    output = Output()
    allocator = make_allocator({'where': output})  # type: ignore[dict-item]
    context = replay(json.loads(sys.argv[1]), allocator)
    allocate(context, allocator, output, library)
    answer = {'said': said, 'lacking': lacking, 'asked': output.asked, 'shape': output.shape}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # the stubs do not know how to be destroyed

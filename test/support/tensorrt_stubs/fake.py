# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
A TensorRT that computes on the processor, for tests of the whole plugin without a GPU.

A plan is the header of a real one and the ONNX that it was built from; ONNX Runtime computes it
when the stream of the fake CUDA driver comes to it. It has only members that the real bindings
have (``test_tensorrt_bindings.py`` compares them), and breaches of the rules of CUDA are counted.
"""

from __future__ import annotations

import enum
from types import ModuleType

from test.support.tensorrt_stubs.behavior import Behavior
from test.support.tensorrt_stubs.behavior import Severity
from test.support.tensorrt_stubs.fake_building import Builder
from test.support.tensorrt_stubs.fake_building import OnnxParser
from test.support.tensorrt_stubs.fake_runtime import Runtime

# Members that differ between versions: name, first and last (major, minor) that have it.
FLAGS = {
    'BuilderFlag': [
        ('FP16', (8, 0), (10, 99)),
        ('INT8', (8, 0), (10, 99)),
        ('GPU_FALLBACK', (8, 0), (99, 0)),
        ('TF32', (8, 0), (99, 0)),
    ],
    'NetworkDefinitionCreationFlag': [
        ('EXPLICIT_BATCH', (8, 0), (10, 99)),
        ('STRONGLY_TYPED', (10, 0), (99, 0)),
    ],
    'DataType': [
        *((name, (8, 0), (99, 0)) for name in ('FLOAT', 'HALF', 'INT8', 'INT32', 'BOOL', 'UINT8')),
        ('FP8', (8, 6), (99, 0)),
        ('INT64', (10, 0), (99, 0)),
        ('BF16', (10, 0), (99, 0)),
    ],
    'TensorIOMode': [
        ('NONE', (8, 0), (99, 0)),
        ('INPUT', (8, 0), (99, 0)),
        ('OUTPUT', (8, 0), (99, 0)),
    ],
    'TensorLocation': [('DEVICE', (8, 0), (99, 0)), ('HOST', (8, 0), (99, 0))],
    'TensorFormat': [('LINEAR', (8, 0), (99, 0)), ('CHW32', (8, 0), (99, 0))],
    'MemoryPoolType': [('WORKSPACE', (8, 0), (99, 0))],
    'DeviceType': [('GPU', (8, 0), (99, 0)), ('DLA', (8, 0), (99, 0))],
    'LayerType': [('CONVOLUTION', (8, 0), (99, 0)), ('QUANTIZE', (8, 0), (99, 0))],
}


def fake_tensorrt(behavior: Behavior) -> ModuleType:
    """Return a module to be put into ``sys.modules`` as ``tensorrt``."""
    module = ModuleType('tensorrt')
    module.__version__ = behavior.version
    for name, members in FLAGS.items():
        here = [member for member, first, last in members if first <= behavior.numbers <= last]
        setattr(module, name, enum.IntEnum(name, here, start=0))
    for kind in (ILogger, IOutputAllocator):
        setattr(module, kind.__name__, kind)
    module.init_libnvinfer_plugins = lambda logger, namespace: True

    class Bound:
        """Knows its module and what the test wants."""

        trt, behavior_ = module, behavior

    for kind in (Runtime, Builder, OnnxParser):
        setattr(module, kind.__name__, type(kind.__name__, (kind, Bound), {}))
    return module


class ILogger:
    Severity = Severity

    def __init__(self) -> None:
        pass

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class IOutputAllocator:
    def __init__(self) -> None:
        pass

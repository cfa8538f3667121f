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

# First and last (major, minor) that have a member of an enum, where not every version has it.
EVER = (8, 0), (99, 0)
LIMITS = {
    'BuilderFlag.FP16': ((8, 0), (10, 99)),
    'BuilderFlag.INT8': ((8, 0), (10, 99)),
    'NetworkDefinitionCreationFlag.EXPLICIT_BATCH': ((8, 0), (10, 99)),
    'NetworkDefinitionCreationFlag.STRONGLY_TYPED': ((10, 0), (99, 0)),
    'DataType.FP8': ((8, 6), (99, 0)),
    'DataType.INT64': ((10, 0), (99, 0)),
    'DataType.BF16': ((10, 0), (99, 0)),
}
FLAGS = {
    'BuilderFlag': 'FP16 INT8 GPU_FALLBACK TF32',
    'NetworkDefinitionCreationFlag': 'EXPLICIT_BATCH STRONGLY_TYPED',
    'DataType': 'FLOAT HALF INT8 INT32 BOOL UINT8 FP8 INT64 BF16',
    'TensorIOMode': 'NONE INPUT OUTPUT',
    'TensorLocation': 'DEVICE HOST',
    'TensorFormat': 'LINEAR CHW32',
    'MemoryPoolType': 'WORKSPACE',
    'DeviceType': 'GPU DLA',
    'LayerType': 'CONVOLUTION QUANTIZE',
}


def flags_of(numbers: tuple[int, int]) -> dict[str, list[str]]:
    """Return the members of each enum in a version of TensorRT."""
    found: dict[str, list[str]] = {kind: [] for kind in FLAGS}
    for kind, names in FLAGS.items():
        for name in names.split():
            first, last = LIMITS.get(f'{kind}.{name}', EVER)
            found[kind] += [name] if first <= numbers <= last else []
    return found


def fake_tensorrt(behavior: Behavior) -> ModuleType:
    """Return a module to be put into ``sys.modules`` as ``tensorrt``."""
    module = ModuleType('tensorrt')
    module.__version__ = behavior.version
    for name, members in flags_of(behavior.numbers).items():
        setattr(module, name, enum.IntEnum(name, members, start=0))
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

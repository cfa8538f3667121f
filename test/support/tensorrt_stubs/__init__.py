# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A machine with an NVIDIA GPU that is not there: fake driver, fake pycuda, fake TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import gc
import os
import sys

from edge_perception_tensorrt.cuda import load_driver
from edge_perception_tensorrt.library import logged_errors
from edge_perception_tensorrt.library import vendor_logger
import pytest

from test.support.fake_cuda import FakeCuda
from test.support.fake_cuda.pycuda import pycuda_modules
from test.support.tensorrt_stubs.behavior import Behavior
from test.support.tensorrt_stubs.fake import fake_tensorrt

# Set for a child process that has a real binding of CUDA on its path, over the fake driver.
BINDING_VARIABLE = 'EDGE_PERCEPTION_TEST_CUDA_BINDING'


@contextmanager
def nvidia_machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    version: str = '10.3.0',
    devices: int = 1,
    integrated: bool = False,
    dla_cores: int = 0,
) -> Iterator[Behavior]:
    """Be on a machine with GPUs; at its end nothing is left of what was taken from them."""
    cuda = FakeCuda(devices=devices, integrated=integrated)
    behavior = Behavior(cuda, version=version, dla_cores=dla_cores)
    binding = os.environ.get(BINDING_VARIABLE)
    if binding != 'pycuda':
        for name, module in pycuda_modules().items():
            monkeypatch.setitem(sys.modules, name, None if binding else module)
    monkeypatch.setitem(sys.modules, 'tensorrt', fake_tensorrt(behavior))
    forget()
    assert load_driver().name == (binding or 'pycuda')
    try:
        yield behavior
    finally:
        forget()
    gc.collect()
    assert cuda.violations == '', cuda.violations
    assert cuda.live == {}, cuda.live


def forget() -> None:
    """Let the plugin forget what it keeps for the life of a process."""
    load_driver.cache_clear()
    vendor_logger.cache_clear()
    logged_errors.clear()

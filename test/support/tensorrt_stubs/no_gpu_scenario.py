# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Print what engine and builder say where TensorRT itself finds no usable GPU; a program."""

from __future__ import annotations

from pathlib import Path
import sys
import tempfile

from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.engine import TensorRtEngineType
from edge_perception_tensorrt.library import load_library
from edge_perception_tensorrt.options import TensorRtBuilderOptions
from edge_perception_tensorrt.options import TensorRtOptions

from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import EngineUnavailableError
from test.support.fake_cuda import FakeCuda
from test.support.fake_cuda.pycuda import pycuda_modules
from test.support.networks import manifest_for
from test.support.networks import save_conv
from test.support.tensorrt_stubs.behavior import plan_of


def main() -> None:
    """Try both; the objects of the bindings cannot be made without a handler."""
    sys.modules.update(pycuda_modules(FakeCuda().library))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        artifact = folder / 'net.engine'
        artifact.write_bytes(plan_of(b'', load_library()))
        try:
            TensorRtEngineType().create(manifest_for(), artifact, TensorRtOptions())
        except EngineUnavailableError as error:
            sys.stdout.write(f'{error}\n')
        plan = BuildPlan(
            manifest=manifest_for(),
            source=save_conv(folder / 'net.onnx'),
            options=TensorRtBuilderOptions(),
        )
        try:
            TensorRtBuilder().build(plan, folder)
        except BuildError as error:
            sys.stdout.write(f'{error}\n')


if __name__ == '__main__':
    main()

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kit on TensorRT: on a GPU where there is one, and everywhere on one that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.engine import TensorRtEngineType
import onnx
import pytest

from edge_perception.contract import BuildPlan
from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import save_onnx
from edge_perception.testing.conformance import TinyNetwork
from edge_perception.testing.conformance.networks import BASIC
from test.support.tensorrt_stubs import nvidia_machine
from test.support.tensorrt_stubs.behavior import plan_of

# Where a plan says which TensorRT made it: major, minor, patch, build.
VERSION_AT = 24
VENDOR = ('tensorrt', 'pycuda', 'cuda')
PARITY = {'fp32': 1e-4, 'fp16': 5e-3, 'int8': 0.02}


class OnTensorRt(EngineConformance):
    engine_type = TensorRtEngineType()
    vendor_modules = VENDOR
    parity = PARITY

    def make_stale_artifact(self, folder: Path) -> Path:
        path = folder / 'stale.engine'
        self.make_artifact(BASIC, 'fp32', path)
        content = bytearray(path.read_bytes())
        content[VERSION_AT] += 1
        path.write_bytes(content)
        return path


class TestOnGpu(OnTensorRt):
    def make_artifact(self, network: TinyNetwork, precision: str, path: Path) -> None:
        builder = TensorRtBuilder()
        source = path.with_suffix('.onnx')
        save_onnx(network, source, precision=builder.source_form(precision))
        plan = BuildPlan(
            network.manifest, source, precision=precision, options=builder.options_type()
        )
        builder.build(plan, path.parent).artifact.replace(path)


class TestBuilderOnGpu(BuilderConformance):
    builder = TensorRtBuilder()
    engine_type = TensorRtEngineType()
    vendor_modules = VENDOR
    parity = PARITY


@pytest.mark.parametrize('_machine', ['own memory', 'integrated'], indirect=True)
class TestOnGpuThatIsNotThere(OnTensorRt):
    """The fake computes with onnx, in the dtype of the file."""

    @pytest.fixture(autouse=True)
    def _machine(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        with nvidia_machine(monkeypatch, integrated=request.param == 'integrated'):
            yield

    def make_artifact(self, network: TinyNetwork, precision: str, path: Path) -> None:
        source = path.with_suffix('.onnx')
        save_onnx(network, source, precision=precision)
        limits = {}
        if network.open_sizes or network.open_batch:
            shape = list(network.manifest.input.shape)
            limits = {'smallest': shape, 'largest': shape}
        path.write_bytes(plan_of(onnx.load(source), '10.3.0.26', **limits))

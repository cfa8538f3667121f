# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from edge_perception_litert.builder import TfliteBuilder
from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_openvino.builder import MyriadBuilder
from edge_perception_openvino.builder import OpenVinoBuilder
from edge_perception_openvino.engine import OpenVinoEngineType
import pytest

from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.models.plugin_host import probe
from edge_perception.testing.conformance import BuilderConformance
from test.support.networks import manifest_for
from test.support.networks import save_conv
from test.support.raising import raises

PARITY = {'fp32': 1e-5, 'fp16': 0.005, 'int8': 0.05}


def needs(builder):
    """Skip with the reason where the tools of a builder are missing."""
    availability = probe(builder)
    return pytest.mark.skipif(
        not availability.available, reason=f'{availability.reason}; {availability.remedy}'
    )


def is_old() -> bool:
    runtime = OpenVinoBuilder().probe().runtime
    return runtime.startswith(('openvino 2022', 'openvino 2023.0'))


@pytest.mark.skipif(not is_old(), reason='this OpenVINO is new enough for NNCF')
def test_8_bits_on_an_old_openvino_are_refused_with_a_sentence(tmp_path):
    plan = BuildPlan(
        manifest=manifest_for(),
        source=save_conv(tmp_path / 'net.onnx'),
        precision='int8',
        samples=lambda: iter(()),
        options=OpenVinoBuilder.options_type(),
    )
    workspace = tmp_path / 'workspace'
    workspace.mkdir()
    with raises(BuildError, 'OpenVINO 2023.1'):
        OpenVinoBuilder().build(plan, workspace)
    assert not list(workspace.iterdir())


@needs(OpenVinoBuilder())
class TestOpenVino(BuilderConformance):
    builder = OpenVinoBuilder()
    engine_type = OpenVinoEngineType()
    vendor_modules = ('openvino', 'nncf')
    parity = PARITY

    def pytest_generate_tests(self, metafunc):
        if 'precision' in metafunc.fixturenames:
            old = pytest.mark.skipif(is_old(), reason='NNCF needs OpenVINO 2023.1 or newer')
            metafunc.parametrize('precision', ['fp32', 'fp16', pytest.param('int8', marks=old)])


@needs(MyriadBuilder())
class TestMyriad(BuilderConformance):
    builder = MyriadBuilder()
    engine_type = OpenVinoEngineType()
    vendor_modules = ('openvino',)
    parity = {'fp16': PARITY['fp16']}


@needs(TfliteBuilder())
class TestTflite(BuilderConformance):
    builder = TfliteBuilder()
    engine_type = LiteRtEngineType()
    parity = PARITY

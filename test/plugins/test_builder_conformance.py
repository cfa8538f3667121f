# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from edge_perception_litert.builder import TfliteBuilder
from edge_perception_litert.engine import LiteRtEngineType
from edge_perception_onnxruntime.builder import OnnxRuntimeBuilder
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_openvino.builder import MyriadBuilder
from edge_perception_openvino.builder import OpenVinoBuilder
from edge_perception_openvino.engine import OpenVinoEngineType
import pytest

from edge_perception.core.plugin_host import probe
from edge_perception.testing.conformance import BuilderConformance

PARITY = {'fp32': 1e-5, 'fp16': 0.005, 'int8': 0.05}


def needs(builder):
    """Skip with the reason where the tools of a builder are missing."""
    availability = probe(builder)
    return pytest.mark.skipif(
        not availability.available, reason=f'{availability.reason}; {availability.remedy}'
    )


@needs(OnnxRuntimeBuilder())
class TestOnnxRuntime(BuilderConformance):
    builder = OnnxRuntimeBuilder()
    engine_type = OnnxRuntimeEngineType()
    vendor_modules = ('onnxruntime',)
    parity = PARITY


@needs(OpenVinoBuilder())
class TestOpenVino(BuilderConformance):
    builder = OpenVinoBuilder()
    engine_type = OpenVinoEngineType()
    vendor_modules = ('openvino', 'nncf')
    parity = PARITY


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

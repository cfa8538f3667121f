# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from edge_perception_onnxruntime.builder import OnnxRuntimeBuilder
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType

from edge_perception.testing.conformance import BuilderConformance
from edge_perception.testing.conformance import EngineConformance


class TestOnnxRuntime(EngineConformance):
    engine_type = OnnxRuntimeEngineType()
    vendor_modules = ('onnxruntime',)
    options = {'threads': 1}
    # The processor computes float16 in float32; rounding of inputs and outputs stays.
    parity = {'fp32': 1e-5, 'fp16': 2e-3, 'int8': 0.02}


class TestOnnxRuntimeBuilder(BuilderConformance):
    builder = OnnxRuntimeBuilder()
    engine_type = OnnxRuntimeEngineType()
    vendor_modules = ('onnxruntime',)
    parity = {'fp32': 1e-5, 'fp16': 2e-3, 'int8': 0.02}

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType

from edge_perception.supervision.supervised_engine import SupervisedEngineType
from edge_perception.supervision.supervisor import Supervision
from edge_perception.testing.conformance import EngineConformance


class TestSupervisedOnnxRuntime(EngineConformance):
    engine_type = SupervisedEngineType(OnnxRuntimeEngineType(), Supervision('supervised'))
    plugin_module = 'edge_perception_onnxruntime'
    vendor_modules = ('onnxruntime',)
    options = {'threads': 1}
    parity = {'fp32': 1e-5, 'fp16': 2e-3, 'int8': 0.02}

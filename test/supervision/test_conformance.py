# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
import pytest

from edge_perception.supervision.supervised_engine import SupervisedEngineType
from edge_perception.supervision.supervisor import Supervision
from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance.engine import engine_life


class TestSupervisedOnnxRuntime(EngineConformance):
    engine_type = SupervisedEngineType(OnnxRuntimeEngineType(), Supervision('supervised'))
    plugin_module = 'edge_perception_onnxruntime'
    vendor_modules = ('onnxruntime',)
    options = {'threads': 1}
    parity = {'fp32': 1e-5, 'fp16': 2e-3, 'int8': 0.02}

    @pytest.fixture(autouse=True)
    def _fewer_cycles(self, monkeypatch):
        # Each starts a process and imports ONNX Runtime, 0.3 s. What one leaves behind in this
        # process is a thread or a handle, and is seen in a few.
        monkeypatch.setattr(engine_life, 'CYCLES', 3)

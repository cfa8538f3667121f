# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from edge_perception_myengine.engine import MyEngineType

from edge_perception.testing.conformance import EngineConformance


class TestMyEngine(EngineConformance):
    engine_type = MyEngineType()
    vendor_modules = ('onnxruntime',)
    options = {'threads': 1}
    parity = {'fp32': 1e-5}

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

from edge_perception_litert.engine import LiteRtEngineType

from edge_perception.testing.conformance import EngineConformance
from edge_perception.testing.conformance import TinyNetwork
from test.plugins.conformance.tflite_file import save_tflite


class TestLiteRt(EngineConformance):
    engine_type = LiteRtEngineType()
    vendor_modules = ('ai_edge_litert', 'tflite_runtime', 'tensorflow')
    options = {'threads': 1}
    # Weights in float16 are computed in float32.
    parity = {'fp32': 1e-5, 'fp16': 1e-3, 'int8': 0.02}

    def make_artifact(self, network: TinyNetwork, precision: str, path: Path) -> None:
        save_tflite(network, path, precision=precision)

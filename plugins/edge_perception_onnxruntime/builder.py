# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX files for ONNX Runtime; the host has done the work when the builder gets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType
from edge_perception_onnxruntime.library import ENGINE

VERSION = '1'  # rises when the same source would become another artifact
FORMS = {'fp32': 'float32', 'fp16': 'float16', 'int8': 'qdq_unsigned'}


class OnnxRuntimeBuilder(Builder):
    """Simplified ONNX in float32, float16, or INT8 with unsigned activations."""

    name = ENGINE
    suffix = '.onnx'
    precisions = ('fp32', 'fp16', 'int8')
    folds_preprocessing = True

    def probe(self) -> Availability:
        """Tell whether ONNX Runtime is here."""
        return OnnxRuntimeEngineType().probe()

    def source_form(self, precision: str) -> str:
        """Return the form of the ONNX that ONNX Runtime computes fastest."""
        return FORMS[precision]

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """Return the versions; an ONNX runs on any device."""
        return {'builder': VERSION, 'onnxruntime': self.probe().runtime, 'device': 'any'}

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Take the source as it was prepared."""
        artifact = workspace / f'{plan.manifest.name}_{plan.precision}{self.suffix}'
        return BuildReport(
            plan.copy_source(artifact), versions={'onnxruntime': self.probe().runtime}
        )

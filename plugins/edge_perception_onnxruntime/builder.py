# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX files for ONNX Runtime; the host has done the work when the builder gets them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import shutil

from edge_perception.contract import Availability
from edge_perception.contract import Builder
from edge_perception.contract import BuildError
from edge_perception.contract import BuildPlan
from edge_perception.contract import BuildReport
from edge_perception.contract import EngineUnavailableError
from edge_perception.contract.errors import in_words
from edge_perception_onnxruntime.library import ENGINE
from edge_perception_onnxruntime.library import load_library
from edge_perception_onnxruntime.library import runtime_version

VERSION = '1'  # rises when the same source would become another artifact
FORMS = {'fp32': 'float32', 'fp16': 'float16', 'int8': 'qdq_unsigned'}


class OnnxRuntimeBuilder(Builder):
    """Simplified ONNX in float32, float16, or with unsigned activations in 8 bits."""

    name = ENGINE
    suffix = '.onnx'
    precisions = ('fp32', 'fp16', 'int8')

    def probe(self) -> Availability:
        """Tell whether ONNX Runtime is here."""
        try:
            library = load_library()
        except EngineUnavailableError as error:
            return Availability(available=False, reason=error.reason, remedy=error.remedy)
        return Availability(available=True, runtime=runtime_version(library))

    def source_form(self, precision: str) -> str:
        """Return the flavour that ONNX Runtime is fast with."""
        return FORMS[precision]

    def fingerprint(self, plan: BuildPlan) -> Mapping[str, str]:
        """Return the versions; an ONNX runs on any device."""
        return {'builder': VERSION, 'onnxruntime': self.probe().runtime, 'device': 'any'}

    def build(self, plan: BuildPlan, workspace: Path) -> BuildReport:
        """Take the source as it was prepared."""
        artifact = workspace / f'{plan.manifest.name}_{plan.precision}{self.suffix}'
        try:
            shutil.copyfile(plan.source, artifact)
        except OSError as error:
            raise BuildError(
                f'{plan.source}: cannot be copied to {workspace}: {in_words(error)}; check the '
                'disk and the permissions of both'
            ) from error
        return BuildReport(artifact, versions={'onnxruntime': self.probe().runtime})

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
The conformance kit: proves that a plugin keeps the promises of the contract.

Needs pytest, and for ONNX files the package ``onnx``. ``plugins/README.md`` explains it.
"""

from __future__ import annotations

from edge_perception.testing.conformance.builder import BuilderConformance
from edge_perception.testing.conformance.decoder import DecoderConformance
from edge_perception.testing.conformance.engine import EngineConformance
from edge_perception.testing.conformance.networks import TinyNetwork
from edge_perception.testing.conformance.onnx_files import save_onnx
from edge_perception.testing.conformance.stage import StageConformance

__all__ = [
    'BuilderConformance',
    'DecoderConformance',
    'EngineConformance',
    'StageConformance',
    'TinyNetwork',
    'save_onnx',
]

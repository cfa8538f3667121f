# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: the reference engine. Importing this imports no vendor library."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import Builder
from edge_perception.contract import EngineType
from edge_perception.contract import hookimpl
from edge_perception_onnxruntime.builder import OnnxRuntimeBuilder
from edge_perception_onnxruntime.engine import OnnxRuntimeEngineType

EDGE_PERCEPTION_CONTRACT = '0.1'


@hookimpl
def register_engines(register: Callable[[EngineType], None]) -> None:
    """Offer the engine ``onnxruntime``."""
    register(OnnxRuntimeEngineType())


@hookimpl
def register_builders(register: Callable[[Builder], None]) -> None:
    """Offer the target ``onnxruntime``."""
    register(OnnxRuntimeBuilder())

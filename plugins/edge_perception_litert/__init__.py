# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""LiteRT (TensorFlow Lite) and the Coral Edge TPU. Importing this imports no vendor library."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import Builder
from edge_perception.contract import EngineType
from edge_perception.contract import hookimpl
from edge_perception_litert.builder import TfliteBuilder
from edge_perception_litert.edge_tpu_builder import EdgeTpuBuilder
from edge_perception_litert.engine import LiteRtEngineType

EDGE_PERCEPTION_CONTRACT = '0.1'


@hookimpl
def register_engines(register: Callable[[EngineType], None]) -> None:
    """Offer the engine ``litert``."""
    register(LiteRtEngineType())


@hookimpl
def register_builders(register: Callable[[Builder], None]) -> None:
    """Offer the targets ``tflite`` and ``edgetpu``."""
    register(TfliteBuilder())
    register(EdgeTpuBuilder())

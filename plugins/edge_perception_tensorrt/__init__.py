# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT: plans on NVIDIA GPUs and DLAs. Importing this imports no vendor library."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import Builder
from edge_perception.contract import EngineType
from edge_perception.contract import hookimpl
from edge_perception_tensorrt.builder import TensorRtBuilder
from edge_perception_tensorrt.engine import TensorRtEngineType

EDGE_PERCEPTION_CONTRACT = '0.1'


@hookimpl
def register_engines(register: Callable[[EngineType], None]) -> None:
    """Offer the engine ``tensorrt``."""
    register(TensorRtEngineType())


@hookimpl
def register_builders(register: Callable[[Builder], None]) -> None:
    """Offer the builder ``tensorrt``."""
    register(TensorRtBuilder())

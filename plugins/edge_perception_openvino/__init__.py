# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO 2022.3 to 2026, for Intel and ARM. Importing this imports no vendor library."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import Builder
from edge_perception.contract import EngineType
from edge_perception.contract import hookimpl
from edge_perception_openvino.builder import MyriadBuilder
from edge_perception_openvino.builder import OpenVinoBuilder
from edge_perception_openvino.engine import OpenVinoEngineType

EDGE_PERCEPTION_CONTRACT = '0.1'


@hookimpl
def register_engines(register: Callable[[EngineType], None]) -> None:
    """Offer the engine ``openvino``."""
    register(OpenVinoEngineType())


@hookimpl
def register_builders(register: Callable[[Builder], None]) -> None:
    """Offer the targets ``openvino`` and ``myriad``."""
    register(OpenVinoBuilder())
    register(MyriadBuilder())

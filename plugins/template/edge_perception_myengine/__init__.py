# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The engine ``myengine``. Importing this imports no library of a vendor."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import EngineType
from edge_perception.contract import hookimpl
from edge_perception_myengine.engine import MyEngineType

EDGE_PERCEPTION_CONTRACT = '0.1'


@hookimpl
def register_engines(register: Callable[[EngineType], None]) -> None:
    """Offer the engine."""
    register(MyEngineType())

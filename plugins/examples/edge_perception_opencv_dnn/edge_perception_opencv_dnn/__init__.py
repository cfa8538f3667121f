# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The engine ``opencv_dnn``. Importing this imports neither OpenCV nor onnx."""

from __future__ import annotations

from collections.abc import Callable

from edge_perception.contract import EngineType
from edge_perception.contract import hookimpl
from edge_perception_opencv_dnn.engine import OpenCvEngineType

EDGE_PERCEPTION_CONTRACT = '0.1'


@hookimpl
def register_engines(register: Callable[[EngineType], None]) -> None:
    """Offer the engine."""
    register(OpenCvEngineType())

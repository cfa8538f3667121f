# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Read a model; runs in the child process of ``LoadTrial``.

A convolution without weights, for one, is a segmentation fault in 2022.3.2 and in 2026.4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
import importlib
import sys
from typing import Any


def load(request: dict[str, Any], artifact: str, content: bytes) -> Iterator[str]:
    yield 'library'
    modules: dict[str, Any] = sys.modules
    modules['openvino_telemetry'] = None  # as library.py does, which says why
    core = importlib.import_module(request['library']).Core()
    yield 'model'
    core.read_model(artifact)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""
Load a model, and run it once on zeros; runs in the child process of ``LoadTrial``.

An endless ``Loop`` and a ``ConstantOfShape`` of 40 GB load in a moment and show when they run.
"""

from __future__ import annotations

from collections.abc import Iterator
import os
from typing import Any

import numpy as np

DTYPES = {'float': 'float32', 'double': 'float64'}


def load(request: dict[str, Any], artifact: str, content: bytes) -> Iterator[str]:
    yield 'library'
    os.environ['ORT_DISABLE_TELEMETRY'] = '1'  # library.py says why
    import onnxruntime

    yield 'model'
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = request['log_level']
    settings.intra_op_num_threads = 1
    settings.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, request['graph_level']
    )
    session = onnxruntime.InferenceSession(artifact, settings, providers=['CPUExecutionProvider'])
    zeros = {each.name: _zeros(each, request['shape']) for each in session.get_inputs()}
    if all(each is not None for each in zeros.values()):
        session.run(None, zeros)


def _zeros(node: Any, image: list[int] | None) -> np.ndarray[Any, Any] | None:
    """Return zeros for an input; None when its size is open and is not that of the image."""
    if image is None:
        return None
    known = image if len(image) == len(node.shape) else [None] * len(node.shape)
    shape = [size if isinstance(size, int) else other for size, other in zip(node.shape, known)]
    name = node.type.removeprefix('tensor(').removesuffix(')')
    if None in shape or '(' in name:
        return None
    return np.zeros(shape, DTYPES.get(name, name))

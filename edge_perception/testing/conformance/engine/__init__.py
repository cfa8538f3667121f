# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""All clauses of an engine in one class to derive from."""

from __future__ import annotations

from edge_perception.testing.conformance.engine.engine_batches import EngineBatchClauses
from edge_perception.testing.conformance.engine.engine_files import EngineFileClauses
from edge_perception.testing.conformance.engine.engine_frames import EngineFrameClauses
from edge_perception.testing.conformance.engine.engine_life import EngineLifeClauses
from edge_perception.testing.conformance.engine.engine_type import EngineTypeClauses


class EngineConformance(
    EngineTypeClauses,
    EngineFileClauses,
    EngineLifeClauses,
    EngineFrameClauses,
    EngineBatchClauses,
):
    """
    Proves an engine.

    Derive a class whose name starts with ``Test``, set ``engine_type`` and what else
    ``EngineSubject`` explains, and override ``make_artifact`` where the engine cannot load ONNX::

        class TestMyEngine(EngineConformance):
            engine_type = MyEngineType()
            vendor_modules = ('my_runtime',)
            options = {'threads': 1}
            parity = {'fp32': 1e-5, 'fp16': 5e-3}
    """

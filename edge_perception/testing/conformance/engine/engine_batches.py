# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""E41 and E42: several frames in one call."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import TensorMismatchError
from edge_perception.runtime.dequantization import real_outputs
from edge_perception.testing.conformance.clauses import check_sentence
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.engine.engine_subject import Artifacts
from edge_perception.testing.conformance.engine.engine_subject import EngineSubject
from edge_perception.testing.conformance.networks import as_input
from edge_perception.testing.conformance.networks import BASIC
from edge_perception.testing.conformance.networks import BATCH
from edge_perception.testing.conformance.networks import check_parity
from edge_perception.testing.conformance.networks import run


class EngineBatchClauses(EngineSubject):
    """Clauses of ``batches``."""

    def test_e41_rows_of_a_batch_are_the_results_of_the_frames(self, artifacts: Artifacts) -> None:
        """
        Every size in ``batches`` works, and each row is the result of its frame alone.

        As near as the declared precision promises, whatever the other rows are, also NaN. The
        inputs are not changed, and single frames work after it.
        """
        if not self.engine_type.capabilities.dynamic_shapes:
            not_applicable('dynamic_shapes is not declared')
        tolerance = next(iter(self.parity.values()))
        with self.active(BATCH, artifacts) as engine:
            (spec,) = engine.inputs
            if engine.batches == (1,):
                not_applicable('it takes one frame at a time')
            frames = [as_input(BATCH, spec, BATCH.image(seed)) for seed in range(16)]
            for size in [each for each in engine.batches if each <= len(frames)]:
                given = np.concatenate(frames[:size])
                broken = given.copy()
                if spec.dtype.kind == 'f':
                    broken[0] = np.nan
                for first, batch in ((0, given), (1, broken)):
                    before = batch.copy()
                    outputs = real_outputs(engine.infer({spec.name: batch}), engine.outputs)
                    np.testing.assert_array_equal(batch, before)
                    for row in range(first, size):
                        rows = {name: each[row : row + 1] for name, each in outputs.items()}
                        check_parity(BATCH, BATCH.image(row), rows, tolerance=tolerance)
            check_parity(
                BATCH, BATCH.image(), run(engine, BATCH, BATCH.image()), tolerance=tolerance
            )

    def test_e42_other_batches_are_refused(self, artifacts: Artifacts) -> None:
        """A batch of another size is a ``TensorMismatchError``, and the next frame works."""
        with self.active(BASIC, artifacts) as engine:
            (spec,) = engine.inputs
            image = as_input(BASIC, spec, BASIC.image())
            others = {0, 2, max(engine.batches) + 1} - set(engine.batches)
            for size in sorted(others):
                with pytest.raises(TensorMismatchError) as caught:
                    engine.infer({spec.name: np.repeat(image, size, axis=0)})
                check_sentence(caught.value)
                assert spec.name in str(caught.value)
            tolerance = next(iter(self.parity.values()))
            check_parity(
                BASIC, BASIC.image(), run(engine, BASIC, BASIC.image()), tolerance=tolerance
            )

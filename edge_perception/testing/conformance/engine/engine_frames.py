# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""E30 to E40: tensors in, tensors out."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

from edge_perception.contract import Engine
from edge_perception.contract import Tensor
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import Tensors
from edge_perception.runtime.dequantization import real_outputs
from edge_perception.testing.conformance.clauses import check_sentence
from edge_perception.testing.conformance.clauses import not_applicable
from edge_perception.testing.conformance.engine.engine_subject import Artifacts
from edge_perception.testing.conformance.engine.engine_subject import EngineSubject
from edge_perception.testing.conformance.networks import as_input
from edge_perception.testing.conformance.networks import BASIC
from edge_perception.testing.conformance.networks import check_parity
from edge_perception.testing.conformance.networks import LARGE
from edge_perception.testing.conformance.networks import RESHAPED
from edge_perception.testing.conformance.networks import run
from edge_perception.testing.conformance.resources import check_growth

FRAMES = 200
# A frame of LARGE has 74 kB of input and 98 kB of output in float32: 34 MB if each one stayed.
FRAMES_BYTES = 12e6


class EngineFrameClauses(EngineSubject):
    """Clauses of ``input_buffers`` and ``infer``."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Compare every precision that is declared."""
        super().pytest_generate_tests(metafunc)
        if 'precision' in metafunc.fixturenames and metafunc.cls is not None:
            metafunc.parametrize('precision', list(metafunc.cls.parity))

    def test_e30_results_are_those_of_the_reference(
        self, precision: str, artifacts: Artifacts
    ) -> None:
        """The results are those of the reference, as near as the declared precision promises."""
        for network in (BASIC, LARGE):
            with self.create(network, artifacts.of(network, precision)) as engine:
                for seed in range(5):
                    image = network.image(seed)
                    outputs = run(engine, network, image)
                    check_parity(network, image, outputs, tolerance=self.parity[precision])

    def test_e31_input_memory(self, artifacts: Artifacts) -> None:
        """
        ``input_buffers`` gives one array for each input: its shape and dtype, writable, C order.

        What is written there before ``infer`` is what is computed, for each frame.
        """
        with self.active(BASIC, artifacts) as engine:
            for seed in range(3):
                buffers = engine.input_buffers()
                assert list(buffers) == [spec.name for spec in engine.inputs]
                for spec in engine.inputs:
                    assert spec.admits(buffers[spec.name])
                    assert buffers[spec.name].flags.writeable
                    assert buffers[spec.name].flags.c_contiguous
                self._check_frame(engine, run(engine, BASIC, BASIC.image(seed)), seed)

    def test_e32_inputs_are_taken_as_they_are_and_not_changed(self, artifacts: Artifacts) -> None:
        """
        Arrays of others give the same result, read only or with gaps, and are not changed.

        Neither is the engine's own input memory, until it is handed out again.
        """
        with self.active(BASIC, artifacts) as engine:
            stored = as_input(BASIC, engine.inputs[0], BASIC.image())
            read_only = stored.copy()
            read_only.setflags(write=False)
            gaps = np.repeat(stored, 2, axis=3)[..., ::2]
            backwards = np.ascontiguousarray(stored[..., ::-1])[..., ::-1]
            for given in (read_only, gaps, backwards):
                outputs = engine.infer({engine.inputs[0].name: given})
                self._check_frame(engine, real_outputs(outputs, engine.outputs))
                np.testing.assert_array_equal(given, stored)
            own = engine.input_buffers()
            own[engine.inputs[0].name][...] = stored
            engine.infer(own)
            np.testing.assert_array_equal(own[engine.inputs[0].name], stored)

    @pytest.mark.parametrize('what', ['missing', 'dtype', 'size', 'rank'])
    def test_e33_inputs_that_do_not_fit_are_named(self, what: str, artifacts: Artifacts) -> None:
        """
        An input of another dtype or shape, or none, is a ``TensorMismatchError``.

        It names the tensor, what came and what was expected. The next frame works.
        """
        with self.active(BASIC, artifacts) as engine:
            (spec,) = engine.inputs
            good = as_input(BASIC, spec, BASIC.image())
            wrong: dict[str, Tensors] = {
                'missing': {},
                'dtype': {spec.name: good.astype(np.float64)},
                'size': {spec.name: np.concatenate([good, good], axis=3)},
                'rank': {spec.name: good[0]},
            }
            with pytest.raises(TensorMismatchError) as caught:
                engine.infer(wrong[what])
            check_sentence(caught.value)
            assert spec.name in str(caught.value)
            assert spec.describe() in str(caught.value)
            self._check_frame(engine, run(engine, BASIC, BASIC.image()))

    def test_e34_the_same_again(self, artifacts: Artifacts) -> None:
        """The same input gives the same output, bit by bit, whatever came between."""
        with self.active(BASIC, artifacts) as engine:
            first = run(engine, BASIC, BASIC.image())
            for seed in range(1, 6):
                run(engine, BASIC, BASIC.image(seed))
                for name, again in run(engine, BASIC, BASIC.image()).items():
                    np.testing.assert_array_equal(again, first[name])

    def test_e35_outputs_are_as_promised(self, artifacts: Artifacts) -> None:
        """Outputs have the names, dtypes and shapes that the engine says before, in its order."""
        with self.active(BASIC, artifacts) as engine:
            outputs = engine.infer(engine.input_buffers())
            assert list(outputs) == [spec.name for spec in engine.outputs]
            for spec in engine.outputs:
                assert spec.admits(outputs[spec.name]), spec

    def test_e36_outputs_stay_until_the_next_call(self, artifacts: Artifacts) -> None:
        """
        Outputs keep their numbers until the next call of the engine.

        Whatever becomes of the arrays that were given to ``infer``.
        """
        with self.active(BASIC, artifacts) as engine:
            given: Tensor = as_input(BASIC, engine.inputs[0], BASIC.image())
            outputs = engine.infer({engine.inputs[0].name: given})
            copies = {name: tensor.copy() for name, tensor in outputs.items()}
            given.fill(1)
            del given
            gc.collect()
            # Memory that was given back too early gets other numbers.
            rubbish = [np.full_like(each, 7) for each in copies.values() for _ in range(50)]
            for name, copy in copies.items():
                np.testing.assert_array_equal(outputs[name], copy)
            assert rubbish

    def test_e37_frames_print_nothing(
        self, artifacts: Artifacts, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """``infer`` prints nothing, on neither stream."""
        with self.active(BASIC, artifacts) as engine:
            capfd.readouterr()
            run(engine, BASIC, BASIC.image())
            assert capfd.readouterr() == ('', '')

    def test_e38_frames_leave_nothing_behind(self, artifacts: Artifacts) -> None:
        """Two hundred frames leave no thread, file handle or memory behind."""
        with self.active(LARGE, artifacts) as engine:
            check_growth(
                lambda: engine.infer(engine.input_buffers()),
                times=FRAMES,
                settle=50,
                memory=FRAMES_BYTES,
            )

    def test_e39_latency_is_reported(self, artifacts: Artifacts) -> None:
        """The latency after warm-up is reported in the summary; nothing is demanded of it."""
        with self.active(LARGE, artifacts) as engine:
            taken = []
            for _ in range(FRAMES):
                buffers = engine.input_buffers()
                started = time.perf_counter_ns()
                engine.infer(buffers)
                taken.append((time.perf_counter_ns() - started) / 1e6)
            middle, late = np.percentile(taken, [50, 99])
            self.facts['latency'] = (
                f'infer of {LARGE.width}x{LARGE.height}: median {middle:.3f} ms, '
                f'99 % within {late:.3f} ms, first after warm-up {taken[0]:.3f} ms'
            )

    def test_e40_outputs_of_any_rank(self, artifacts: Artifacts) -> None:
        """Outputs of one, three and five dimensions have the shapes and numbers of the model."""
        if 'ranks' in self.limits:
            not_applicable(self.limits['ranks'])
        with self.active(RESHAPED, artifacts) as engine:
            assert len(engine.outputs) == 2 + len(RESHAPED.shapes)
            image = RESHAPED.image()
            tolerance = next(iter(self.parity.values()))
            check_parity(RESHAPED, image, run(engine, RESHAPED, image), tolerance=tolerance)

    def _check_frame(self, engine: Engine, outputs: Tensors, seed: int = 0) -> None:
        tolerance = next(iter(self.parity.values()))
        check_parity(BASIC, BASIC.image(seed), outputs, tolerance=tolerance)

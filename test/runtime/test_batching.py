# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How many cameras share a call of the engine, and what an engine has to show for it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.contract import Engine
from edge_perception.contract import InferenceError
from edge_perception.contract import TensorMismatchError
from edge_perception.contract import TensorSpec
from edge_perception.runtime.throughput.batching import Batching
from edge_perception.runtime.throughput.batching import measure_batches
from edge_perception.testing import FakeClock

FLOAT = np.dtype(np.float32)


class Doubling(Engine):
    """Doubles its input, each frame in 2 ms and each call in 8 ms more."""

    def __init__(self, clock: FakeClock, *, wrong=lambda outputs: outputs, **more) -> None:
        specs = [TensorSpec(name, (1, 3), FLOAT) for name in ('image', 'double')]
        super().__init__(inputs=(specs[0],), outputs=(specs[1],), **more)
        self._clock, self._wrong = clock, wrong

    def _activate(self) -> None:
        pass

    def _infer(self, tensors):
        self._clock.advance_ms(8 + 2 * len(tensors['image']))
        return {'double': self._wrong(2 * tensors['image'])}


def times_of(most: int, **more) -> dict[int, int]:
    clock = FakeClock()
    with Doubling(clock, **more) as engine:
        return measure_batches(engine, most=most, clock=clock)


@pytest.mark.parametrize(
    ('most', 'expected'), [(1, {1: 10}), (3, {1: 10, 2: 12}), (9, {1: 10, 2: 12, 4: 16})]
)
def test_sizes_that_are_of_use_are_measured(most, expected):
    found = times_of(most, batches=(1, 2, 4))
    assert found == {size: taken * 1_000_000 for size, taken in expected.items()}


def mixed(outputs):
    return np.repeat(outputs.mean(axis=0, keepdims=True), len(outputs), axis=0)


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        (mixed, "in a batch of 2 frames output 'double'"),
        (lambda given: given[:1], 'expected 2x3'),
    ],
)
def test_a_model_that_mixes_its_rows_or_loses_some_is_found(wrong, words):
    with pytest.raises(InferenceError, match=words):
        times_of(4, batches=(1, 2, 4), wrong=wrong)


@pytest.mark.parametrize(
    ('spare_ms', 'size'),
    [
        ([None] * 4, 4),
        ([None] * 9, 4),
        ([None, None, None], 3),
        ([None], 1),
        ([6, 6, 6, 6], 4),
        ([6, 6, 6, 5], 3),  # in a batch of four, which takes 6 ms longer than one
        ([6, 1, 6, 6], 1),
        ([], 1),
    ],
)
def test_as_many_as_stay_in_their_budgets_share_a_call(spare_ms, size):
    batching = Batching({size: taken * 1_000_000 for size, taken in {1: 10, 2: 12, 4: 16}.items()})
    spare_ns = [None if spare is None else spare * 1_000_000 for spare in spare_ms]
    assert batching.size(spare_ns) == size


def test_what_is_done_for_each_frame_of_a_batch_takes_of_the_budgets_of_the_others():
    batching = Batching({1: 10_000_000, 2: 12_000_000})
    batching.around('prepare', 6_000_000, 2)
    batching.around('finish', 1_000_000, 1)
    assert batching.extra_ns(2) == 2_000_000 + 3_000_000 + 1_000_000


def test_a_batch_that_saves_nothing_is_not_made():
    batching = Batching({1: 10_000_000, 2: 12_000_000})
    assert batching.size([None, None]) == 2
    for _ in range(8):
        batching.computed(2, 19_500_000)
    assert batching.size([None, None]) == 1


@pytest.mark.parametrize('batches', [(), (2,), (2, 1)])
def test_sizes_of_an_engine_are_rising_and_begin_with_one(batches):
    with pytest.raises(ValueError, match='batches: got'):
        Doubling(FakeClock(), batches=batches)


def test_another_size_than_those_declared_is_refused():
    with Doubling(FakeClock(), batches=(1, 2)) as engine:
        assert engine.infer({'image': np.ones((2, 3), np.float32)})['double'].shape == (2, 3)
        for rows in (0, 3):
            with pytest.raises(TensorMismatchError, match='in batches of 1, 2'):
                engine.infer({'image': np.ones((rows, 3), np.float32)})

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which samples of 16 bits become black and white, and what is said when hardly any is seen."""

from __future__ import annotations

import numpy as np
import pytest

from edge_perception.runtime.sample_range import FEW_LEVELS
from edge_perception.runtime.sample_range import SampleRange


def ramp(low: int, high: int, shape: tuple[int, ...] = (64, 80)) -> np.ndarray:
    return np.linspace(low, high, int(np.prod(shape))).reshape(shape).astype(np.uint16)


@pytest.mark.parametrize('order', ['<u2', '>u2'])
@pytest.mark.parametrize('shape', [(64, 80), (64, 80, 3)])
@pytest.mark.parametrize('padding', [0, 5])
def test_full_takes_the_upper_byte(order, shape, padding):
    samples = np.zeros((shape[0], shape[1] + padding, *shape[2:]), order)[:, : shape[1]]
    samples[:] = ramp(0, 65535, shape)
    if len(shape) == 3 and padding:
        samples = np.ascontiguousarray(samples)
    np.testing.assert_array_equal(SampleRange('full').to_8_bits(samples), samples >> 8)


@pytest.mark.parametrize('order', ['<u2', '>u2'])
@pytest.mark.parametrize('bits', [10, 12, 14, 16])
def test_bits_are_those_of_the_largest_sample_so_far(bits, order):
    sample_range = SampleRange('bits')
    bright = ramp(0, 2**bits - 1).astype(order)
    dark = ramp(0, 2 ** (bits - 1)).astype(order)
    np.testing.assert_array_equal(sample_range.to_8_bits(bright), bright >> (bits - 8))
    # The next image is not made brighter because it is darker.
    np.testing.assert_array_equal(sample_range.to_8_bits(dark), dark >> (bits - 8))


@pytest.mark.parametrize('order', ['<u2', '>u2'])
def test_percentile_uses_all_levels_and_is_not_misled_by_a_hot_pixel(order):
    samples = ramp(7500, 8199).astype(order)
    samples[3, 3], samples[40, 7] = 65535, 0
    sample_range = SampleRange('percentile')
    reduced = sample_range.to_8_bits(samples)
    assert reduced.dtype == np.uint8
    assert len(np.unique(reduced)) > 200
    assert not sample_range.problem
    assert (np.diff(reduced[10].astype(int)) >= 0).all()


@pytest.mark.parametrize('kind', ['full', 'bits', 'percentile'])
def test_a_flat_image_is_no_problem(kind):
    sample_range = SampleRange(kind)
    assert sample_range.to_8_bits(np.full((8, 8), 10280, np.uint16)).shape == (8, 8)
    assert not sample_range.problem


@pytest.mark.parametrize(
    ('low', 'high', 'told'),
    [(7500, 8199, True), (0, 4095, False), (0, 1023, True), (0, 65535, False), (0, 255, True)],
)
def test_few_levels_are_told_until_there_are_more(low, high, told):
    sample_range = SampleRange('full')
    reduced = sample_range.to_8_bits(ramp(low, high))
    assert (len(np.unique(reduced)) < FEW_LEVELS) == told
    assert bool(sample_range.problem) == told
    sample_range.to_8_bits(ramp(0, 65535))
    assert not sample_range.problem


def test_one_pixel():
    for kind in ('full', 'bits', 'percentile'):
        assert SampleRange(kind).to_8_bits(np.full((1, 1), 65535, np.uint16)).shape == (1, 1)

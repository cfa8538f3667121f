# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import astuple
import math
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
import numpy as np

from edge_perception.runtime.statistics import RollingWindow


def test_an_empty_window_knows_nothing():
    assert all(map(math.isnan, astuple(RollingWindow().percentiles())))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40), st.integers(1, 12))
def test_the_percentiles_are_those_of_the_latest_values(values, size):
    window = RollingWindow(size)
    for value in values:
        window.add(value)
    expected = np.percentile(values[-size:], [50, 95, 99, 100])
    assert astuple(window.percentiles()) == tuple(expected)


def test_memory_does_not_grow_with_the_number_of_values():
    window = RollingWindow()
    tracemalloc.start()
    try:
        for value in range(100):
            window.add(value)
        before = tracemalloc.get_traced_memory()[0]
        for value in range(10_000):
            window.add(value)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 1024
    assert window.percentiles().maximum == 9999

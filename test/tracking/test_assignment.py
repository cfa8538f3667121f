# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The cheapest pairs, compared with all that there are."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from edge_perception.tracking import assign


@pytest.mark.parametrize('seed', range(40))
def test_no_other_pairs_cost_less(seed):
    random = np.random.default_rng(seed)
    rows, columns = random.integers(0, 6, 2)
    cost = random.random((rows, columns)) - 0.5
    if seed % 2:
        cost = np.round(3 * cost)  # many that are equal
    first, second = assign(cost)
    assert len(first) == len(second) == len(set(second)) == min(rows, columns)
    assert (np.diff(first) > 0).all()
    wide = cost if rows <= columns else cost.T
    chosen = permutations(range(wide.shape[1]), wide.shape[0])
    least = min(sum(wide[row, column] for row, column in enumerate(each)) for each in chosen)
    assert cost[first, second].sum() == pytest.approx(least)

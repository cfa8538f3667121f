# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Areas are averaged by products where that is faster, and as OpenCV does it."""

from __future__ import annotations

import cv2
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from edge_perception.contract import Frame
from edge_perception.runtime.resizing.area_means import AreaMeans
from edge_perception.runtime.resizing.area_means import resizing

smaller = st.tuples(st.integers(1, 6), st.integers(2, 32), st.integers(1, 31)).filter(
    lambda each: each[2] < each[1]
)


@settings(deadline=None, max_examples=60)
@given(across=smaller, down=smaller, seed=st.integers(0, 99))
def test_means_are_those_of_opencv_but_for_ties(across, down, seed):
    (columns, old_x, new_x), (rows, old_y, new_y) = across, down
    source, target = (columns * old_x, rows * old_y), (columns * new_x, rows * new_y)
    image = np.random.default_rng(seed).integers(0, 256, source[::-1], np.uint8)
    means = AreaMeans(source, target)
    expected = cv2.resize(image, target, interpolation=cv2.INTER_AREA).astype(int)
    given_array = np.zeros(target[::-1], np.uint8)
    for dst in (None, given_array):
        got = means(image, dst)
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 1
    assert got is given_array


@pytest.mark.parametrize(
    ('source', 'target', 'products'),
    [
        ((640, 480), (576, 432), True),
        ((1280, 960), (576, 432), True),
        ((1920, 1080), (576, 324), False),  # blocks of 10 become 3
        ((848, 480), (576, 326), False),  # of 240 become 163
        ((576, 432), (576, 432), False),
        ((320, 240), (576, 432), False),
        ((1152, 864), (576, 432), False),
    ],
)
def test_products_are_for_blocks_that_come_again_and_again(source, target, products):
    frame = Frame(np.zeros(source[::-1], np.uint8), 'mono8')
    assert isinstance(resizing(frame, target, 'area', gray=True), AreaMeans) == products
    assert not isinstance(resizing(frame, target, 'linear', gray=True), AreaMeans)
    assert not isinstance(resizing(frame, target, 'area', gray=False), AreaMeans)

# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_perception.simulation import landing_pad as pad


def drawing_at(pixels: int) -> np.ndarray:
    """Return the drawing as a camera sees it: reduced, blurred, mean 0 and length 1."""
    image = cv2.resize(pad.raster(480), (pixels, pixels), interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.8)
    image -= image.mean()
    return image / np.linalg.norm(image)


@pytest.mark.parametrize('pixels', [24, 48, 200])
def test_the_pad_looks_different_in_every_rotation_even_where_it_is_small(pixels):
    upright = drawing_at(pixels)
    for turns in (1, 2, 3):
        assert float((upright * np.rot90(upright, turns)).sum()) < 0.5


def test_the_pad_is_not_its_mirror_image():
    upright = drawing_at(48)
    for turns in range(4):
        mirrored = np.rot90(upright[:, ::-1], turns)
        assert float((upright * mirrored).sum()) < 0.7


@pytest.mark.parametrize('point', pad.KEYPOINTS, ids=lambda point: point.name)
def test_black_and_white_meet_crosswise_at_every_keypoint(point):
    image = pad.raster(480)
    row, column, off = round(point.down * 480), round(point.right * 480), 8
    upper_left, upper_right = image[row - off, column - off], image[row - off, column + off]
    lower_left, lower_right = image[row + off, column - off], image[row + off, column + off]
    assert upper_left == lower_right
    assert upper_right == lower_left
    assert upper_left != upper_right


def test_keypoints_have_names_of_their_own():
    assert len({point.name for point in pad.KEYPOINTS}) == len(pad.KEYPOINTS)


def test_the_frame_of_the_pad_is_that_of_rep_103():
    points = dict(zip([point.name for point in pad.KEYPOINTS], pad.object_points(0.6)))
    # x forward is up in the drawing, y is left.
    assert points['a5'][0] > points['a1'][0]
    assert points['a1'][1] > points['e1'][1]
    assert points['a5'] == pytest.approx((0.2, 0.2, 0.0))


def test_a_raster_of_any_size_has_the_same_proportions():
    exact, odd = pad.raster(480), pad.raster(101)
    reduced = cv2.resize(exact, (101, 101), interpolation=cv2.INTER_AREA)
    assert odd.shape == (101, 101)
    assert np.abs(odd.astype(int) - reduced).mean() < 2

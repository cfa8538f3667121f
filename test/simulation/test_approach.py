# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge_perception.simulation import landing_pad as pad
from edge_perception.simulation import views
from edge_perception.simulation.approach import Approach
from edge_perception.simulation.rendering.pinhole import PinholeCamera
from edge_perception.simulation.rendering.quick_renderer import QuickRenderer
from test.support.raising import raises

CAMERA = PinholeCamera.from_field_of_view(views.FIELD_OF_VIEW)
SEEDS = range(20)


@pytest.fixture(scope='module')
def render():
    return QuickRenderer(CAMERA, seed=1)


def moments(approach, *, step=0.25):
    return [approach.view(time) for time in np.arange(0, approach.duration + step, step)]


@pytest.mark.parametrize('seed', SEEDS)
def test_it_leads_from_nine_meters_to_below_one_within_the_range_of_the_model(seed):
    approach = Approach(CAMERA, seed=seed)
    distances = [view.distance for view in moments(approach)]
    assert 8.5 < distances[0] < views.DISTANCE[1]
    assert views.DISTANCE[0] < distances[-1] < 1.0
    assert max(distances) < views.DISTANCE[1]


@pytest.mark.parametrize('seed', SEEDS)
def test_the_pad_stays_in_the_picture_and_is_seen_at_an_angle(seed):
    approach = Approach(CAMERA, seed=seed)
    seen = moments(approach)
    assert min(views.inside(view) for view in seen) > 0.8
    tilts = [math.degrees(math.acos(-view.rotation[2, 2])) for view in seen]
    assert 5 < max(tilts) < views.TILT[1]
    turns = [math.atan2(view.rotation[1, 0], view.rotation[0, 0]) for view in seen]
    assert np.ptp(np.degrees(np.unwrap(turns))) > 30


@pytest.mark.parametrize('seed', [0, 1])
def test_it_is_smooth(seed):
    """From one image of a camera with 30 Hz to the next nothing jumps."""
    approach = Approach(CAMERA, seed=seed)
    path = moments(approach, step=1 / 30)
    for before, after in zip(path, path[1:]):
        assert np.linalg.norm(after.position - before.position) < 0.06
        turned = cv2.Rodrigues(after.rotation @ before.rotation.T)[0]
        assert np.degrees(np.linalg.norm(turned)) < 1.5


def test_the_same_seed_gives_the_same_way_and_another_seed_another_one():
    first, same, other = (Approach(CAMERA, seed=seed).view(7.0) for seed in (3, 3, 4))
    assert np.array_equal(first.position, same.position)
    assert np.array_equal(first.rotation, same.rotation)
    assert not np.allclose(first.position, other.position)


def test_a_smaller_pad_is_approached_likewise():
    whole = Approach(CAMERA, seed=5).view(10.0)
    half = Approach(CAMERA, start=4.4, end=0.45, side=0.5, seed=5).view(10.0)
    assert half.keypoints() == pytest.approx(whole.keypoints(), abs=1e-6)


@pytest.mark.parametrize('time', [0.0, 4.0, 7.0, 10.0, 14.0, 20.0])
def test_the_picture_shows_the_pad_where_the_truth_says(render, time):
    view = Approach(CAMERA, seed=1).view(time)
    gray = cv2.cvtColor(render(view), cv2.COLOR_BGR2GRAY)
    coarse = [not point.name.startswith('fine_') for point in pad.KEYPOINTS]
    expected = view.keypoints()[coarse]
    window = max(2, int(0.35 * view.size * pad.COARSE_CELL))
    inside = ((expected > window + 2) & (expected < np.array([640, 480]) - window - 2)).all(axis=1)
    # Intrinsics, and with them OpenCV, have the center of the upper left pixel at (0, 0).
    points = np.ascontiguousarray(expected[inside] - 0.5, np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    found = cv2.cornerSubPix(gray, points.copy(), (window, window), (-1, -1), stop)
    errors = (found - points).reshape(-1, 2)
    assert len(errors) >= 5
    assert np.median(errors, axis=0) == pytest.approx((0, 0), abs=0.05)
    assert np.linalg.norm(errors, axis=1).max() < 0.3


def test_black_and_white_are_where_they_belong(render):
    """Against a pad that is mirrored or turned."""
    view = Approach(CAMERA, seed=1).view(8.0)
    gray = cv2.cvtColor(render(view), cv2.COLOR_BGR2GRAY)
    for place in np.ndindex(6, 6):
        mark = pad.COARSE[place[0]][place[1]]
        if mark != 'o':
            middle = (*(0.5 - (np.array(place) + 0.5) * pad.COARSE_CELL), 0.0)
            x, y = np.floor(view.project(np.array([middle]))[0]).astype(int)
            assert (gray[y, x] < 90) == (mark == '#'), place


def test_pictures_differ_by_noise_only(render):
    view = Approach(CAMERA, seed=1).view(8.0)
    first, second = render(view), render(view)
    assert not np.array_equal(first, second)
    assert float(cv2.absdiff(first, second).mean()) < 8
    again = QuickRenderer(CAMERA, seed=1)
    assert np.array_equal(again(view), QuickRenderer(CAMERA, seed=1)(view))


def test_a_lens_with_distortion_is_refused():
    camera = PinholeCamera.from_field_of_view(70, distortion=(-0.1, 0.0, 0.0, 0.0, 0.0))
    with raises(ValueError, 'distortion'):
        QuickRenderer(camera)
